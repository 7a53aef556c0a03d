-- A person who was refused may choose again; each attempt is another command to the ledger.
ALTER TABLE shop_order ADD COLUMN attempt integer NOT NULL DEFAULT 1 CHECK (attempt BETWEEN 1 AND 99);

-- Orders that citizens are sent here for. The id is drawn by chance: whoever has it was sent by the shop.
CREATE TABLE checkout (
  checkout_id uuid PRIMARY KEY,
  party_id uuid NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  request_hash bytea NOT NULL,
  title text NOT NULL,
  at_most integer NOT NULL CHECK (at_most > 0),
  item_ids text[] NOT NULL,
  return_url text NOT NULL,
  hold_for interval NOT NULL,
  open_until timestamptz NOT NULL,
  UNIQUE (party_id, order_id)
);
CREATE INDEX checkout_open_until ON checkout (open_until);

GRANT SELECT, INSERT, DELETE ON checkout TO mykey_checkout;
