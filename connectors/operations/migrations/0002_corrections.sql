-- Requests that wrong postings be corrected, and what came of them. Nobody is removed, nothing that was asked is changed:
-- a request is decided once, by somebody else than who asked, and closed once, with what the ledger answered.
CREATE TABLE correction (
    correction_id uuid PRIMARY KEY,
    party_id uuid NOT NULL,
    command_id text NOT NULL,
    citizen_id uuid NOT NULL,
    kind text NOT NULL,
    points bigint NOT NULL,
    reason text NOT NULL CHECK (reason ~ '\S'),
    asked_by text NOT NULL,
    asked_by_id uuid NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'approved', 'rejected')),
    decided_by text,
    decided_by_id uuid,
    decided_at timestamptz,
    remark text,
    status text CHECK (status IN ('posted', 'refused')),
    code text,
    closed_at timestamptz,
    CHECK ((state = 'asked') = (decided_by_id IS NULL)),
    CHECK (state <> 'approved' OR decided_by_id <> asked_by_id),
    CHECK ((closed_at IS NOT NULL) = (state = 'rejected' OR status IS NOT NULL)),
    CHECK (status IS NULL OR state = 'approved'),
    CHECK ((status = 'refused') = (code IS NOT NULL))
);
CREATE UNIQUE INDEX correction_open ON correction (party_id, command_id) WHERE closed_at IS NULL;
CREATE INDEX correction_open_by_id ON correction (correction_id) WHERE closed_at IS NULL;
GRANT SELECT, INSERT ON correction TO mykey_operations;
GRANT UPDATE (state, decided_by, decided_by_id, decided_at, remark, status, code, closed_at) ON correction
    TO mykey_operations;
