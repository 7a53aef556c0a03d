-- Who may operate the hub. A token is shown once, and kept as a keyed hash. Nobody is removed: a name in the audit stays
-- one person's.
CREATE TABLE operator (
    operator_id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'supervisor')),
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
GRANT SELECT, INSERT ON operator TO mykey_operations;
GRANT UPDATE (revoked_at) ON operator TO mykey_operations;

-- The audit: what was done, written in the transaction that did it.
CREATE TABLE act (
    act_id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    operator text NOT NULL,
    role text NOT NULL,
    via text NOT NULL CHECK (via IN ('api', 'terminal')),
    kind text NOT NULL,
    targets text[] NOT NULL,
    reason text NOT NULL,
    result jsonb NOT NULL
);
COMMENT ON TABLE act IS 'Everything operators did, append-only; looking at personal data is an act too.';
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the audit is append-only', tg_op, tg_table_schema, tg_table_name
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON act
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT ON act TO mykey_operations;

-- A redrive of much is done in steps, each a transaction with its row in the audit; whoever finds it unfinished goes on.
CREATE TABLE redrive (
    redrive_id uuid PRIMARY KEY,
    operator text NOT NULL,
    role text NOT NULL,
    via text NOT NULL,
    reason text NOT NULL,
    delivery_id bigint,
    fingerprint text,
    last bigint NOT NULL,
    total int NOT NULL,
    done int NOT NULL DEFAULT 0,
    asked_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX redrive_open ON redrive (redrive_id) WHERE finished_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON redrive TO mykey_operations;

-- What colleagues know about a kind of failure; it outlives the messages that failed.
CREATE TABLE note (
    note_id uuid PRIMARY KEY,
    fingerprint text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    operator text NOT NULL,
    note text NOT NULL
);
CREATE INDEX note_fingerprint ON note (fingerprint, note_id);
GRANT SELECT, INSERT ON note TO mykey_operations;

GRANT INSERT, DELETE ON hub.pause TO mykey_operations;
GRANT INSERT ON hub.copy TO mykey_operations;
