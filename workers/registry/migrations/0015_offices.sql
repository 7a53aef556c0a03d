-- Who looks after a scheme or an event, and where its money goes (画面4, 5). Sealed in its place: whoever can only write
-- into the database cannot have points paid for to another account.
CREATE TABLE office (
  pool text COLLATE "C" PRIMARY KEY,
  lg_code text COLLATE "C" NOT NULL REFERENCES municipality,
  office_sealed bytea,
  account_sealed bytea,
  changed_at timestamptz NOT NULL
);
CREATE INDEX office_by_municipality ON office (lg_code);
COMMENT ON COLUMN office.account_sealed IS 'NULL of an event: it is paid to the scheme of its municipality';

GRANT SELECT, INSERT, UPDATE ON office TO mykey_registry;
