-- The counter: browser sessions that agents vouch for, and operations, each bound to one card in one reader.

CREATE TABLE counter_ticket (
    ticket_hash bytea PRIMARY KEY,
    used_at timestamptz NOT NULL
);
COMMENT ON TABLE counter_ticket IS 'Tickets that were used, for as long as they could be shown again.';

CREATE TABLE counter_session (
    session_id uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    terminal_id text NOT NULL,
    kind text NOT NULL,
    issuer_id text,
    used_at timestamptz NOT NULL
);
CREATE INDEX counter_session_terminal ON counter_session (terminal_id);
COMMENT ON TABLE counter_session IS 'A browser at a counter; its token is kept as a keyed hash.';

CREATE TABLE counter_operation (
    operation_id uuid PRIMARY KEY,
    session_id uuid NOT NULL,
    terminal_id text NOT NULL,
    purpose text NOT NULL,
    how text NOT NULL CHECK (how IN ('pin', 'tap')),
    address_notice boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'proven', 'acting', 'done', 'failed', 'over')),
    code text,
    ends_at timestamptz NOT NULL,
    good_until timestamptz NOT NULL,
    ended_at timestamptz,
    insertion uuid,
    removed uuid[] NOT NULL DEFAULT '{}',
    card_id uuid,
    citizen_id uuid,
    kept_sealed bytea,
    CHECK ((ended_at IS NULL) = (state IN ('waiting', 'proven', 'acting')))
);
CREATE UNIQUE INDEX counter_operation_live ON counter_operation (terminal_id) WHERE ended_at IS NULL;
CREATE INDEX counter_operation_ends ON counter_operation (ends_at);
COMMENT ON TABLE counter_operation IS 'One at a time at each terminal. removed are cards taken out while the read was under way. What is sealed goes when it ends.';

GRANT SELECT, INSERT, DELETE ON counter_ticket TO mykey_terminal;
GRANT SELECT, INSERT, UPDATE, DELETE ON counter_session, counter_operation TO mykey_terminal;
