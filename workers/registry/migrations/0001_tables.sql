-- The 1,741 municipalities and 47 prefectures; 0002 brings the rows. Codes are text: they begin with zeros.
CREATE TABLE municipality (
  lg_code text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('municipality', 'prefecture')),
  name text NOT NULL,
  kana text NOT NULL,
  prefecture text COLLATE "C" NOT NULL REFERENCES municipality,
  CONSTRAINT lg_code_is_six_digits CHECK (lg_code ~ '^[0-9]{6}$'),
  CONSTRAINT lg_code_check_digit CHECK (
    (11 - (6 * substr(lg_code, 1, 1)::integer + 5 * substr(lg_code, 2, 1)::integer
         + 4 * substr(lg_code, 3, 1)::integer + 3 * substr(lg_code, 4, 1)::integer
         + 2 * substr(lg_code, 5, 1)::integer) % 11) % 10 = substr(lg_code, 6, 1)::integer
  )
);

CREATE TABLE scheme (
  lg_code text COLLATE "C" PRIMARY KEY REFERENCES municipality,
  point_name text NOT NULL,
  expiry_rule text NOT NULL
);

CREATE TABLE support_event (
  event_id uuid PRIMARY KEY,
  lg_code text COLLATE "C" NOT NULL REFERENCES municipality,
  point_name text NOT NULL,
  first date NOT NULL,
  last date NOT NULL CHECK (last >= first),
  usable_in text[] NOT NULL
);

CREATE TABLE party (
  party_id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('partner', 'store', 'shop', 'fund')),
  name text NOT NULL
);

-- Exactly one of the two: a public key as it is, a shared secret sealed.
CREATE TABLE party_key (
  key_id text COLLATE "C" PRIMARY KEY,
  party_id uuid NOT NULL REFERENCES party,
  algorithm text NOT NULL CHECK (algorithm IN ('ed25519', 'hmac-sha256')),
  public_key bytea CHECK (length(public_key) = 32),
  secret_sealed bytea,
  CHECK ((algorithm = 'ed25519') = (public_key IS NOT NULL)),
  CHECK ((algorithm = 'hmac-sha256') = (secret_sealed IS NOT NULL))
);

-- Every MyKey ID ever given, as a keyed hash. Our role cannot take a row away: none is given twice.
CREATE TABLE used_mykey_id (
  mykey_hash bytea PRIMARY KEY CHECK (length(mykey_hash) = 32)
);

-- A person on the way to a MyKey ID; the candidate is kept for this enrolment until `kept_until`.
CREATE TABLE enrolment (
  enrolment_id uuid PRIMARY KEY,
  offers integer NOT NULL CHECK (offers BETWEEN 0 AND 3),
  failed_checks integer NOT NULL CHECK (failed_checks BETWEEN 0 AND 3),
  candidate_hash bytea UNIQUE,
  candidate_sealed bytea,
  kept_until timestamptz NOT NULL,
  CHECK ((candidate_hash IS NULL) = (candidate_sealed IS NULL))
);
CREATE INDEX enrolment_by_end ON enrolment (kept_until);

CREATE TABLE citizen (
  citizen_id uuid PRIMARY KEY,
  mykey_hash bytea NOT NULL UNIQUE REFERENCES used_mykey_id,
  mykey_sealed bytea NOT NULL,
  name_sealed bytea NOT NULL,
  mail_sealed bytea NOT NULL,
  base_lg_code text COLLATE "C" NOT NULL REFERENCES scheme,
  on_grant boolean NOT NULL,
  on_expiry boolean NOT NULL,
  on_password_change boolean NOT NULL,
  on_mykey_id_change boolean NOT NULL,
  registered_as bytea NOT NULL,
  registered_at timestamptz NOT NULL
);
COMMENT ON COLUMN citizen.registered_as IS
  'keyed hash over what RegisterCitizen said: the same again gets the same answer, whatever was changed since';

-- The hot look-up, one probe a link id without touching the table, is by the primary key.
CREATE TABLE link (
  party_id uuid NOT NULL REFERENCES party,
  link_id text COLLATE "C" NOT NULL,
  citizen_id uuid NOT NULL REFERENCES citizen,
  linked_at timestamptz NOT NULL,
  PRIMARY KEY (party_id, link_id) INCLUDE (citizen_id),
  UNIQUE (party_id, citizen_id)
);

GRANT SELECT ON municipality TO mykey_registry;
GRANT SELECT, INSERT ON used_mykey_id, support_event, party, party_key, link TO mykey_registry;
GRANT SELECT, INSERT, UPDATE ON scheme, citizen TO mykey_registry;
GRANT SELECT, INSERT, UPDATE, DELETE ON enrolment TO mykey_registry;
