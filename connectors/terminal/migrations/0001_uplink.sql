-- Which agent is connected where, what is asked of it, and the cards that came and went.
-- What means nothing once the connections are lost is unlogged, as the hub's calls are.

CREATE UNLOGGED TABLE process (
    process_id uuid PRIMARY KEY,
    alive_at timestamptz NOT NULL
);
COMMENT ON TABLE process IS 'The processes that agents may be connected to; one that says nothing for a while is dead.';

CREATE UNLOGGED TABLE presence (
    terminal_id text PRIMARY KEY,
    process_id uuid,
    connection_id uuid,
    since timestamptz NOT NULL,
    seen timestamptz NOT NULL,
    has_reader boolean NOT NULL,
    insertion uuid,
    operation_id uuid
);
CREATE INDEX presence_connection ON presence (connection_id);
COMMENT ON TABLE presence IS 'One connection a terminal, the newest; none where connection_id is null. operation_id asked for a card last.';

CREATE UNLOGGED TABLE job (
    job_id uuid PRIMARY KEY,
    terminal_id text NOT NULL,
    operation_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('card', 'number', 'notify', 'release')),
    purpose text,
    nonce bytea,
    request_sealed bytea NOT NULL,
    connection_id uuid NOT NULL,
    process_id uuid NOT NULL,
    asked_by uuid,
    expires_at timestamptz NOT NULL,
    sent_at timestamptz,
    consumed_at timestamptz,
    result_sealed bytea
);
CREATE INDEX job_asked_by ON job (asked_by);
CREATE INDEX job_connection ON job (connection_id);
COMMENT ON TABLE job IS 'Asked of one connection, sent once, consumed once: consumed without a result where the connection was lost. Gone when whoever asked has taken the result.';

CREATE TABLE card_event (
    at timestamptz NOT NULL,
    terminal_id text NOT NULL,
    what text NOT NULL CHECK (what IN ('inserted', 'removed')),
    insertion uuid NOT NULL
);
CREATE INDEX card_event_at ON card_event USING brin (at);
COMMENT ON TABLE card_event IS 'Cards put in and taken out, as the agents told. An insertion says nothing of which card it was.';

GRANT SELECT, INSERT, UPDATE, DELETE ON process, presence, job TO mykey_terminal;
GRANT SELECT, INSERT, DELETE ON card_event TO mykey_terminal;
