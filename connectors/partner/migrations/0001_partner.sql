-- Nonces of signed requests, so that none is taken twice; forgotten once their signature is too old anyway.
CREATE TABLE nonce (
  key_id text NOT NULL,
  nonce text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (key_id, nonce)
);
CREATE INDEX nonce_expires_at ON nonce (expires_at);

-- A file is here once it was taken durably; its bytes were written before, chunk by chunk.
CREATE TABLE transfer_file (
  file_id uuid PRIMARY KEY,
  party_id uuid NOT NULL,
  idempotency_key text NOT NULL,
  media_type text NOT NULL,
  sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
  size_bytes bigint NOT NULL,
  chunks integer NOT NULL,
  rows integer NOT NULL,
  taken_at timestamptz NOT NULL,
  started_at timestamptz,
  finished_at timestamptz,
  chunks_deleted_at timestamptz,
  done integer NOT NULL DEFAULT 0 CHECK (done BETWEEN 0 AND rows),
  posted integer NOT NULL DEFAULT 0,
  points bigint NOT NULL DEFAULT 0,
  replayed integer NOT NULL DEFAULT 0,
  refused jsonb NOT NULL DEFAULT '{}',
  UNIQUE (party_id, idempotency_key)
);
CREATE INDEX transfer_file_chunks_kept ON transfer_file (finished_at) WHERE chunks_deleted_at IS NULL;

-- No reference to transfer_file: chunks come first, and those of a file that was never taken are cleaned up.
CREATE TABLE file_chunk (
  file_id uuid NOT NULL,
  n integer NOT NULL,
  content bytea NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (file_id, n)
);
ALTER TABLE file_chunk ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX file_chunk_received_at ON file_chunk (received_at) WHERE n = 0;

-- One row of a file, by its line. `code` is null where it was posted, `posted_on` where nothing could be kept.
CREATE TABLE file_result (
  file_id uuid NOT NULL,
  line integer NOT NULL,
  transfer_id text,
  code text,
  points integer NOT NULL,
  posted_on date,
  replayed boolean NOT NULL,
  PRIMARY KEY (file_id, line)
);

GRANT SELECT, INSERT, DELETE ON nonce TO mykey_partner;
GRANT SELECT, INSERT, UPDATE ON transfer_file TO mykey_partner;
GRANT SELECT, INSERT, DELETE ON file_chunk TO mykey_partner;
GRANT SELECT, INSERT ON file_result TO mykey_partner;
