-- Where partners answer for coupons that they have not registered.
CREATE TABLE coupon_check (
  party_id uuid PRIMARY KEY,
  url text NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON coupon_check TO mykey_partner;
