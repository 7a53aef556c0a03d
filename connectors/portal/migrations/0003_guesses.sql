-- Tries at coupon numbers in a window of time, by citizen, by source and all together; names are keyed hashes.
CREATE TABLE guess (
    what_hash bytea PRIMARY KEY CHECK (length(what_hash) = 32),
    tries integer NOT NULL,
    since timestamptz NOT NULL
);
CREATE INDEX guess_since ON guess (since);

GRANT SELECT, INSERT, UPDATE, DELETE ON guess TO mykey_portal;
