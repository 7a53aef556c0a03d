COMMENT ON COLUMN ledger.outcome.hold_terms IS 'SHA-256 over the hold as it was made, in the outcome that made it; the hash of its code in the outcome that used a coupon up; part of the chain.';
