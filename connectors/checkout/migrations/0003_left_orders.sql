-- When the ledger is to be asked about an order whose end nobody has told by then; NULL once its end is known. Of orders
-- that are there already it is not known: whoever looks at one of them ends it.
ALTER TABLE shop_order ADD COLUMN ask_after timestamptz;
