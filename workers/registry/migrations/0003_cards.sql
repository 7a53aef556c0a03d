-- Cards and what they proved, passwords, log-ins and sessions. Nothing here is found by what it means, only by keyed hashes.

ALTER TABLE citizen ADD COLUMN password_sealed bytea, ADD COLUMN revoked_at timestamptz;
COMMENT ON COLUMN citizen.password_sealed IS 'an argon2id hash, sealed: a stolen table alone gives nothing to try passwords on';
COMMENT ON COLUMN citizen.revoked_at IS 'the MyKey ID ended then (画面63); the row stays, so that it is never given again';

-- One row a certificate seen. Who holds it is in citizen_card: a card may come to another citizen after a revocation.
CREATE TABLE card (
  card_id uuid PRIMARY KEY,
  name_hash bytea NOT NULL UNIQUE CHECK (length(name_hash) = 32),
  name_sealed bytea NOT NULL,
  alg text NOT NULL,
  expires_on date NOT NULL,
  first_seen_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL
);
COMMENT ON COLUMN card.name_hash IS 'keyed hash over the issuer''s generation and the serial number';
CREATE INDEX card_by_seen ON card (seen_at);

CREATE TABLE citizen_card (
  citizen_id uuid NOT NULL REFERENCES citizen,
  card_id uuid NOT NULL REFERENCES card,
  registered_at timestamptz NOT NULL,
  superseded_at timestamptz,
  released_at timestamptz,
  PRIMARY KEY (citizen_id, card_id)
);
COMMENT ON COLUMN citizen_card.superseded_at IS 'a later card took its place';
COMMENT ON COLUMN citizen_card.released_at IS 'the citizen''s MyKey ID was revoked: the card may make a new one';
CREATE UNIQUE INDEX one_citizen_a_card ON citizen_card (card_id) WHERE released_at IS NULL;
CREATE UNIQUE INDEX one_card_a_citizen ON citizen_card (citizen_id) WHERE superseded_at IS NULL AND released_at IS NULL;

-- What a card proved for one job; good for one command. `said_hash` tells the same asked again from another proof.
CREATE TABLE card_proof (
  job_id uuid PRIMARY KEY,
  said_hash bytea NOT NULL,
  card_id uuid NOT NULL REFERENCES card ON DELETE CASCADE,
  purpose text NOT NULL,
  terminal_id text NOT NULL,
  how text NOT NULL CHECK (how IN ('pin', 'tap')),
  insertion uuid NOT NULL,
  signature_sealed bytea,
  renewed boolean NOT NULL,
  proven_at timestamptz NOT NULL,
  used_for uuid
);
COMMENT ON COLUMN card_proof.signature_sealed IS 'the signature certificate''s serial number, where the job has read it';
CREATE INDEX card_proof_by_card ON card_proof (card_id);
CREATE INDEX card_proof_by_time ON card_proof (proven_at);

-- Kept only for citizens who asked for address-change notice (画面22).
CREATE TABLE address_notice (
  citizen_id uuid PRIMARY KEY REFERENCES citizen,
  card_id uuid NOT NULL REFERENCES card,
  signature_sealed bytea NOT NULL,
  chosen_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

-- `id_hash` is over 128 random bits that only the person's browser has.
CREATE TABLE session (
  id_hash bytea PRIMARY KEY CHECK (length(id_hash) = 32),
  kind text NOT NULL CHECK (kind IN ('citizen', 'counter', 'staff')),
  subject_id uuid NOT NULL,
  how text NOT NULL,
  terminal_id text,
  insertion uuid,
  begun_at timestamptz NOT NULL,
  used_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  confirmed_at timestamptz
);
COMMENT ON COLUMN session.ends_at IS 'however much it is used';
COMMENT ON COLUMN session.confirmed_at IS 'when the person was last asked again who they are';
CREATE INDEX session_by_subject ON session (subject_id);
CREATE INDEX session_by_terminal ON session (terminal_id, insertion) WHERE terminal_id IS NOT NULL;
CREATE INDEX session_by_end ON session (ends_at);

-- A card that was taken out: nothing more is begun with what it proved before.
CREATE TABLE removed_card (
  insertion uuid PRIMARY KEY,
  removed_at timestamptz NOT NULL
);
CREATE INDEX removed_card_by_time ON removed_card (removed_at);

-- Log-ins that failed, counted in windows: by where they come from, by account, and all together.
CREATE TABLE failed_try (
  what_hash bytea PRIMARY KEY,
  since timestamptz NOT NULL,
  failures integer NOT NULL CHECK (failures >= 0)
);
CREATE INDEX failed_try_by_time ON failed_try (since);

-- A browser that this citizen has logged in with before: a stranger's failures do not lock it out.
CREATE TABLE known_device (
  citizen_id uuid NOT NULL REFERENCES citizen,
  device_hash bytea NOT NULL,
  used_at timestamptz NOT NULL,
  PRIMARY KEY (citizen_id, device_hash)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON card, card_proof, address_notice, session, removed_card, failed_try,
  known_device
  TO mykey_registry;
GRANT SELECT, INSERT, UPDATE ON citizen_card TO mykey_registry;
GRANT DELETE ON link TO mykey_registry;
