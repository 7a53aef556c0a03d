-- How a party proves its members: an OpenID provider, or its own log-in page and our signed API.
CREATE TABLE linkage (
  party_id uuid PRIMARY KEY,
  provider jsonb,
  membership jsonb,
  CHECK ((provider IS NULL) <> (membership IS NULL))
);

-- A linking under way, of one citizen in one browser; each stage is entered once.
CREATE TABLE linking (
  linking_id uuid PRIMARY KEY,
  party_id uuid NOT NULL,
  citizen_id uuid NOT NULL,
  browser bytea NOT NULL CHECK (length(browser) = 32),
  state_hash bytea NOT NULL UNIQUE CHECK (length(state_hash) = 32),
  stage text NOT NULL CHECK (stage IN ('begun', 'answered', 'taken', 'proven')),
  secrets_sealed bytea NOT NULL,
  answer_hash bytea,
  proof_sealed bytea,
  account_hash bytea,
  ends_at timestamptz NOT NULL
);
CREATE INDEX linking_ends_at ON linking (ends_at);

-- What is kept of a linked account, so that the party can be told that the link has ended.
CREATE TABLE account (
  linking_id uuid PRIMARY KEY,
  party_id uuid NOT NULL,
  citizen_id uuid NOT NULL,
  proof_sealed bytea NOT NULL,
  ended_at timestamptz
);
CREATE INDEX account_of_citizen ON account (citizen_id, party_id);

GRANT SELECT, INSERT, UPDATE ON linkage TO mykey_partner;
GRANT SELECT, INSERT, UPDATE, DELETE ON linking, account TO mykey_partner;
