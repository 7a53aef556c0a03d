-- Points set aside, coupons, revoked citizens, corrections.

ALTER TABLE ledger.outcome ADD COLUMN hold_id uuid;
ALTER TABLE ledger.outcome ADD COLUMN hold_terms bytea;
COMMENT ON COLUMN ledger.outcome.hold_terms IS 'SHA-256 over the hold as it was made, in the outcome that made it; part of the chain.';
COMMENT ON COLUMN ledger.outcome.hold_id IS 'The hold that the command was about, if it was about one; part of the chain.';

CREATE TABLE ledger.hold (
    partition smallint NOT NULL,
    hold_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('voucher', 'checkout', 'merge')),
    state text NOT NULL CHECK (state IN ('open', 'taken', 'returned', 'expired')),
    citizen_id uuid NOT NULL,
    counterparty_id uuid NOT NULL,
    lg_code text NOT NULL,
    pool text NOT NULL,
    points bigint NOT NULL CHECK (points > 0),
    remaining bigint NOT NULL CHECK (remaining BETWEEN 0 AND points),
    taken bigint NOT NULL CHECK (taken BETWEEN 0 AND points),
    refunded bigint NOT NULL CHECK (refunded BETWEEN 0 AND taken),
    expires_at timestamptz,
    number text,
    sealed_code bytea,
    part_expires_on date[] NOT NULL,
    part_origins uuid[] NOT NULL,
    part_points bigint[] NOT NULL,
    PRIMARY KEY (hold_id),
    CHECK ((state = 'open') = (remaining > 0))
) WITH (fillfactor = 70);
COMMENT ON TABLE ledger.hold IS 'One state row per hold; resolved once. The parts are what was taken from which lot, in order.';
CREATE UNIQUE INDEX hold_number ON ledger.hold (number) WHERE state = 'open' AND number IS NOT NULL;
CREATE INDEX hold_citizen ON ledger.hold (citizen_id) WHERE state = 'open';
CREATE INDEX hold_due ON ledger.hold (partition, expires_at) WHERE state = 'open';

CREATE TABLE ledger.coupon (
    party_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    points bigint NOT NULL CHECK (points > 0),
    pool text NOT NULL,
    last date NOT NULL,
    used_by uuid,
    used_on date,
    PRIMARY KEY (party_id, code_hash),
    CHECK ((used_by IS NULL) = (used_on IS NULL))
);

CREATE TABLE ledger.revoked (
    citizen_id uuid PRIMARY KEY,
    revoked_on date NOT NULL
);

CREATE TABLE ledger.correction (
    party_id uuid NOT NULL,
    command_id text NOT NULL,
    corrected_on date NOT NULL,
    PRIMARY KEY (party_id, command_id)
);
COMMENT ON TABLE ledger.correction IS 'Postings that were reversed: each at most once.';

GRANT SELECT, INSERT ON ledger.hold, ledger.coupon, ledger.revoked, ledger.correction TO mykey_ledger;
GRANT UPDATE (state, remaining, taken, refunded) ON ledger.hold TO mykey_ledger;
GRANT UPDATE (used_by, used_on) ON ledger.coupon TO mykey_ledger;
