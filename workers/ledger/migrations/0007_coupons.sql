-- Partners void coupons that nobody has used; a voided one is as good as none.
ALTER TABLE ledger.coupon ADD COLUMN voided_on date;
ALTER TABLE ledger.coupon ADD CONSTRAINT coupon_used_or_voided CHECK (used_by IS NULL OR voided_on IS NULL);
GRANT UPDATE (voided_on) ON ledger.coupon TO mykey_ledger;
