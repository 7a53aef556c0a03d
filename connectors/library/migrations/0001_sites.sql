-- Where the library systems are that we ask whether a number exists. Nothing of patrons or loans is kept here.
CREATE TABLE site (
  issuer_id text COLLATE "C" PRIMARY KEY CHECK (issuer_id ~ '^[0-9]{6}$'),
  settings jsonb NOT NULL,
  credentials_sealed bytea NOT NULL
);
COMMENT ON COLUMN site.settings IS 'schemas.libraries.LibrarySite without login, password and terminal password';
COMMENT ON COLUMN site.credentials_sealed IS 'these three as JSON, sealed for this row';

GRANT SELECT, INSERT, UPDATE ON site TO mykey_library;
