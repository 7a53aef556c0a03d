-- Tickets of terminals' agents that a browser was let in by: each is good once, for a minute.
CREATE TABLE ticket (
    ticket_hash bytea PRIMARY KEY CHECK (length(ticket_hash) = 32),
    used_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, DELETE ON ticket TO mykey_portal;
