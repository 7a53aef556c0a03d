-- Whoever shows a voucher that was redeemed, or has passed its last day, is told so and not that there is none.
CREATE INDEX hold_by_number ON ledger.hold (number, expires_at) WHERE number IS NOT NULL;
