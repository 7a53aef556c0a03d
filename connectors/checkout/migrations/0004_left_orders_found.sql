CREATE INDEX shop_order_ask_after ON shop_order (ask_after) WHERE ask_after IS NOT NULL AND code IS NULL;
