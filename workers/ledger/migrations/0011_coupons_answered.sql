-- Coupons that a partner answered for online: it is asked again before one of them is used.
ALTER TABLE ledger.coupon ADD COLUMN online boolean NOT NULL DEFAULT false;
