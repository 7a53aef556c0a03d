-- Where a partner is told of what has happened; one endpoint each.
CREATE TABLE webhook (
  party_id uuid PRIMARY KEY,
  url text NOT NULL,
  secret_sealed bytea NOT NULL,
  old_secret_sealed bytea,
  old_until timestamptz,
  disabled_at timestamptz,
  CHECK ((old_secret_sealed IS NULL) = (old_until IS NULL))
);

-- What was said to whom; kept so that it can be said again.
CREATE TABLE webhook_event (
  event_id uuid PRIMARY KEY,
  party_id uuid NOT NULL,
  type text NOT NULL,
  body_sealed bytea NOT NULL,
  happened_at timestamptz NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  last_status integer,
  delivered_at timestamptz
);
CREATE INDEX webhook_event_of_party ON webhook_event (party_id, event_id);
CREATE INDEX webhook_event_by_age ON webhook_event (happened_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook, webhook_event TO mykey_partner;
