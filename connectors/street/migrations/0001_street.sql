-- Shopping streets, the keys that we share with them, and merges from 「合算」 to the street's answer.

CREATE TABLE street (
  street_id uuid PRIMARY KEY,
  issuer_id text COLLATE "C" NOT NULL UNIQUE CHECK (issuer_id ~ '^[0-9]{6}$'),
  code text COLLATE "C" NOT NULL UNIQUE,
  settings jsonb NOT NULL
);
COMMENT ON COLUMN street.settings IS 'schemas.streets.Street, whole';

CREATE TABLE merge_key (
  street_id uuid NOT NULL REFERENCES street,
  key_id text COLLATE "C" NOT NULL,
  valid_from timestamptz NOT NULL,
  valid_to timestamptz,
  key_sealed bytea NOT NULL,
  PRIMARY KEY (street_id, key_id)
);
COMMENT ON COLUMN merge_key.key_sealed IS 'schemas.streets.MergeKey, sealed for this row; when it is valid stands beside it';

CREATE TABLE signer (
  key_id text COLLATE "C" PRIMARY KEY,
  street_id uuid NOT NULL REFERENCES street,
  algorithm text NOT NULL CHECK (algorithm IN ('ed25519', 'hmac-sha256')),
  key_sealed bytea NOT NULL
);
COMMENT ON TABLE signer IS 'What the servers of streets sign their requests with.';

CREATE TABLE nonce (
  key_id text COLLATE "C" NOT NULL,
  nonce text COLLATE "C" NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (key_id, nonce)
);
CREATE INDEX nonce_expires ON nonce (expires_at);

CREATE SEQUENCE serial MINVALUE 0 MAXVALUE 999999 START 0 CYCLE;
COMMENT ON SEQUENCE serial IS 'The last six digits of transaction numbers. With the second before them none comes twice; merge_number is the proof.';

CREATE TABLE merge (
  merge_id uuid PRIMARY KEY,
  street_id uuid NOT NULL REFERENCES street,
  number text COLLATE "C" NOT NULL,
  citizen_id uuid NOT NULL,
  terminal_id text NOT NULL,
  destination text NOT NULL,
  lg_code text NOT NULL,
  pool text NOT NULL,
  points integer NOT NULL CHECK (points > 0),
  member_sealed bytea NOT NULL,
  state text NOT NULL CHECK (state IN ('asked', 'failed', 'sent', 'delivered', 'acknowledged', 'refused')),
  code text,
  key_id text,
  file_name text COLLATE "C",
  file_sealed bytea,
  undelivered text,
  again boolean NOT NULL DEFAULT false,
  sent_at timestamptz,
  deliver_asked boolean NOT NULL DEFAULT false,
  taken boolean,
  reason text NOT NULL DEFAULT '',
  started_at timestamptz NOT NULL,
  delivered_at timestamptz,
  overdue_at timestamptz,
  ended_at timestamptz,
  CONSTRAINT merge_number UNIQUE (street_id, number)
);
CREATE INDEX merge_late ON merge (sent_at) WHERE state = 'sent' AND NOT deliver_asked;
CREATE INDEX merge_file ON merge (destination, file_name) WHERE file_name IS NOT NULL;
CREATE INDEX merge_open ON merge (street_id, started_at, merge_id) WHERE ended_at IS NULL;
CREATE INDEX merge_street ON merge (street_id, started_at, merge_id);
COMMENT ON COLUMN merge.member_sealed IS 'The street point ID or MyKey ID that goes into the file, sealed for this row.';
COMMENT ON COLUMN merge.file_sealed IS 'The file as it was made, so that it is the same whenever it is dropped; gone with the end.';
COMMENT ON COLUMN merge.sent_at IS 'By the database''s own time: since when nobody has brought the file where it belongs.';
COMMENT ON COLUMN merge.deliver_asked IS 'Whether a DeliverMerge is on its way, since whoever began the merge did not manage.';
COMMENT ON COLUMN merge.taken IS 'What the street has said first; the ledger then says when it is done.';

GRANT SELECT, INSERT, UPDATE ON street, merge_key, signer, merge TO mykey_street;
GRANT SELECT, INSERT, DELETE ON nonce TO mykey_street;
GRANT USAGE ON SEQUENCE serial TO mykey_street;
