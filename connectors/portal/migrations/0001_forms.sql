-- One-time form keys: what was typed, until it is confirmed; then what came of it, so that no form acts twice.

CREATE TABLE form (
    owner_id uuid NOT NULL,
    form_key uuid NOT NULL,
    act text NOT NULL,
    values_sealed bytea NOT NULL,
    kept_at timestamptz NOT NULL,
    begun_at timestamptz,
    receipt text UNIQUE,
    outcome_sealed bytea,
    done_at timestamptz,
    PRIMARY KEY (owner_id, form_key),
    CHECK ((receipt IS NULL) = (done_at IS NULL) AND (receipt IS NULL) = (outcome_sealed IS NULL))
);
CREATE INDEX form_kept ON form (kept_at);
COMMENT ON TABLE form IS 'owner_id is the citizen, or who is about to become one. begun_at is while the act is under way.';

GRANT SELECT, INSERT, UPDATE, DELETE ON form TO mykey_portal;
