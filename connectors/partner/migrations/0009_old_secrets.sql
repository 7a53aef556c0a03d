-- Secrets that were changed and still sign: as many as were changed within a day.
CREATE TABLE webhook_old_secret (
  party_id uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
  secret_sealed bytea NOT NULL,
  until timestamptz NOT NULL,
  PRIMARY KEY (party_id, secret_sealed)
);
INSERT INTO webhook_old_secret (party_id, secret_sealed, until)
SELECT party_id, old_secret_sealed, old_until FROM webhook WHERE old_until IS NOT NULL;
COMMENT ON COLUMN webhook.old_secret_sealed IS 'Of the release before, whose processes may be at work still.';

GRANT SELECT, INSERT, DELETE ON webhook_old_secret TO mykey_partner;
