-- Partners that answer online for coupons which they have not registered.
ALTER TABLE party_page ADD COLUMN asks_coupons boolean NOT NULL DEFAULT false;
