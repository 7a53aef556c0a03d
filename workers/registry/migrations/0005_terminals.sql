-- What a municipality plans (様式I): one plan, replaced as a whole. Its row is what issuing locks.
CREATE TABLE terminal_plan (
  lg_code text COLLATE "C" PRIMARY KEY REFERENCES municipality,
  filed_at timestamptz NOT NULL
);

CREATE TABLE terminal_plan_row (
  lg_code text COLLATE "C" NOT NULL REFERENCES terminal_plan,
  number integer NOT NULL,
  kind text NOT NULL CHECK (kind IN ('service_id', 'point_use', 'voucher', 'grant')),
  place text NOT NULL,
  issuer_id text COLLATE "C",
  point_use_too boolean NOT NULL,
  mobile boolean NOT NULL,
  count integer NOT NULL CHECK (count >= 1),
  PRIMARY KEY (lg_code, number)
);

-- What was issued (様式II), and what was enrolled in its place.
CREATE TABLE terminal (
  terminal_id text COLLATE "C" PRIMARY KEY,
  lg_code text COLLATE "C" NOT NULL REFERENCES municipality,
  kind text NOT NULL CHECK (kind IN ('service_id', 'point_use', 'voucher', 'grant')),
  place text NOT NULL,
  issuer_id text COLLATE "C",
  point_use_too boolean NOT NULL,
  mobile boolean NOT NULL,
  issued_at timestamptz NOT NULL,
  password_hash text NOT NULL,
  password_open boolean NOT NULL,
  public_key bytea CHECK (length(public_key) = 32),
  fingerprint bytea CHECK (length(fingerprint) = 32),
  recipe text,
  contact_sealed bytea,
  enrolled_at timestamptz,
  suspended_at timestamptz,
  suspended_for text,
  changed text[] NOT NULL DEFAULT '{}',
  CHECK (num_nulls(public_key, fingerprint, recipe, contact_sealed, enrolled_at) IN (0, 5)),
  CHECK ((suspended_at IS NULL) = (suspended_for IS NULL))
);
CREATE INDEX terminal_by_municipality ON terminal (lg_code);
COMMENT ON COLUMN terminal.password_hash IS
  'argon2id; kept once it is used, so that the same enrolment asked again gets the same answer';

-- One keyed hash for each value of the fingerprint: it tells which changed, and nothing else.
CREATE TABLE terminal_value (
  terminal_id text COLLATE "C" NOT NULL REFERENCES terminal,
  name text COLLATE "C" NOT NULL,
  digest bytea NOT NULL CHECK (length(digest) = 32),
  PRIMARY KEY (terminal_id, name)
);

GRANT SELECT, INSERT, UPDATE ON terminal_plan, terminal TO mykey_registry;
GRANT SELECT, INSERT, DELETE ON terminal_plan_row, terminal_value TO mykey_registry;
