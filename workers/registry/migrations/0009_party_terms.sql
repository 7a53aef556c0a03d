-- A key that has ended is kept: its id stands for it for ever.
ALTER TABLE party_key ADD COLUMN ended_at timestamptz;
GRANT UPDATE (ended_at) ON party_key TO mykey_registry;

-- What was agreed with one party; NULL is what holds for everybody.
CREATE TABLE party_limit (
  party_id uuid PRIMARY KEY REFERENCES party,
  requests_per_s double precision,
  requests_at_once integer,
  rows_at_once integer,
  files_at_once integer,
  pools text[]
);
GRANT SELECT, INSERT, UPDATE ON party_limit TO mykey_registry;
