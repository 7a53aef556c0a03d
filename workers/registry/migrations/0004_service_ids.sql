-- Issuers of card numbers, and which citizen has which number: every link there ever was, with who, when and where.
CREATE TABLE issuer (
  issuer_id text COLLATE "C" PRIMARY KEY CHECK (issuer_id ~ '^[0-9]{6}$'),
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('library', 'street')),
  lg_code text COLLATE "C" NOT NULL REFERENCES municipality,
  pattern text NOT NULL,
  start_stop text NOT NULL CHECK (start_stop IN ('keep', 'cut')),
  check_digit text NOT NULL,
  notification jsonb NOT NULL,
  sip2 boolean NOT NULL
);

CREATE TABLE service_id (
  entry_id uuid PRIMARY KEY,
  citizen_id uuid NOT NULL REFERENCES citizen,
  issuer_id text COLLATE "C" NOT NULL REFERENCES issuer,
  number_hash bytea NOT NULL CHECK (length(number_hash) = 32),
  number_sealed bytea NOT NULL,
  serial_sealed bytea,
  state text NOT NULL CHECK (state IN ('not_checked', 'unconfirmed', 'confirmed', 'doubted')),
  terminal_id text COLLATE "C" NOT NULL,
  operation_id uuid NOT NULL,
  registered_at timestamptz NOT NULL,
  ending text CHECK (ending IN ('removed', 'replaced', 'revoked')),
  ended_terminal_id text COLLATE "C",
  ended_operation_id uuid,
  ended_at timestamptz,
  CHECK ((ending IS NULL) = (ended_at IS NULL))
);
COMMENT ON COLUMN service_id.serial_sealed IS
  'serial number of the signature certificate, only where the citizen asked for address-change notice';

-- One citizen a number, one number a citizen; what has ended is history and stands in nobody's way.
CREATE UNIQUE INDEX service_id_number ON service_id (issuer_id, number_hash) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX service_id_citizen ON service_id (citizen_id, issuer_id) WHERE ended_at IS NULL;
CREATE INDEX service_id_by_time ON service_id (registered_at);

GRANT SELECT, INSERT, UPDATE ON issuer, service_id TO mykey_registry;
