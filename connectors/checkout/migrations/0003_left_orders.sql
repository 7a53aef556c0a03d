-- When the ledger is to be asked about an order whose end nobody has told by then; NULL once its end is known.
ALTER TABLE shop_order ADD COLUMN ask_after timestamptz;
UPDATE shop_order SET ask_after = expires_at + interval '10 minutes' WHERE code IS NULL;
CREATE INDEX shop_order_ask_after ON shop_order (ask_after) WHERE ask_after IS NOT NULL AND code IS NULL;
