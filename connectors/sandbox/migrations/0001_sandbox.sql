-- A database with this schema is a sandbox's, from its first start on; one with others' tables and not these never is.
-- Everybody in it is made up, so nothing is sealed but the token.
CREATE TABLE party (
  party_id uuid PRIMARY KEY,
  kind text NOT NULL,
  name text NOT NULL,
  token_hash bytea NOT NULL UNIQUE,
  event_id uuid NOT NULL,
  keys integer NOT NULL DEFAULT 0,
  issued_at timestamptz NOT NULL
);

CREATE TABLE citizen (
  party_id uuid NOT NULL REFERENCES party,
  link_id text COLLATE "C" NOT NULL,
  citizen_id uuid NOT NULL,
  mykey_id text NOT NULL,
  PRIMARY KEY (party_id, link_id)
);

GRANT SELECT, INSERT, UPDATE ON party TO mykey_sandbox;
GRANT SELECT, INSERT ON citizen TO mykey_sandbox;
