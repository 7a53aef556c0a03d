-- What the proof of the books asks of coupons, holds, ended MyKey IDs and corrections: six questions a partition, each of
-- which read all outcomes. Credits, moves, uses, sweeps and expiries are nearly all of these, and not among them.
CREATE INDEX outcome_kind ON ledger.outcome (partition, kind) WHERE code IS NULL AND kind > 10;
