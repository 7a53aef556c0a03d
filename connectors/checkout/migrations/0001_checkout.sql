-- Nonces of signed requests, so that none is taken twice; forgotten once their signature is too old anyway.
CREATE TABLE nonce (
  key_id text NOT NULL,
  nonce text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (key_id, nonce)
);
CREATE INDEX nonce_expires_at ON nonce (expires_at);

-- An order by the shop's own id, as it was asked for the first time: the same again is the same, for ever.
-- `counted` points of it weigh on the day's limit; `code` says why it was refused.
CREATE TABLE shop_order (
  party_id uuid NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  request_hash bytea NOT NULL,
  citizen_id uuid NOT NULL,
  hold_id uuid NOT NULL UNIQUE,
  pool text NOT NULL,
  points integer NOT NULL CHECK (points > 0),
  expires_at timestamptz NOT NULL,
  day date NOT NULL,
  counted integer NOT NULL CHECK (counted >= 0),
  code text,
  taken_at timestamptz NOT NULL,
  PRIMARY KEY (party_id, order_id)
);

-- What a citizen has set aside and spent at a shop on a day in Japan.
CREATE TABLE day_use (
  party_id uuid NOT NULL,
  citizen_id uuid NOT NULL,
  day date NOT NULL,
  points bigint NOT NULL CHECK (points >= 0),
  PRIMARY KEY (party_id, citizen_id, day)
);
CREATE INDEX day_use_day ON day_use (day);

GRANT SELECT, INSERT, DELETE ON nonce TO mykey_checkout;
GRANT SELECT, INSERT, UPDATE ON shop_order TO mykey_checkout;
GRANT SELECT, INSERT, UPDATE, DELETE ON day_use TO mykey_checkout;
