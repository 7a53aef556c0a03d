-- A component that is paused does nothing: its deliveries stay due, calls to it are refused, its jobs do not run. Every
-- process looks here twice a second. Who may pause one is granted where operators are (connectors/operations).
CREATE TABLE hub.pause (
    component text PRIMARY KEY,
    operator text NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hub.pause IS 'The components that are paused.';
GRANT SELECT ON hub.pause TO mykey_component;

-- What each process has done in the last seconds, written by itself every two; a reader adds the processes up. Worth
-- nothing after a crash: unlogged.
CREATE UNLOGGED TABLE hub.flow (
    process_id uuid NOT NULL,
    receiver text NOT NULL,
    written_at timestamptz NOT NULL,
    done_per_s real NOT NULL,
    failed_per_s real NOT NULL,
    in_work int NOT NULL,
    critical int[] NOT NULL,
    PRIMARY KEY (process_id, receiver)
) WITH (fillfactor = 50);
COMMENT ON COLUMN hub.flow.critical IS 'How many messages were done how long after they were said: the buckets of hub.flow.BOUNDS_MS.';
GRANT SELECT, INSERT, UPDATE, DELETE ON hub.flow TO mykey_component;

-- What was parked and could not go as it was: an edited copy went to these receivers instead, under an id of its own.
CREATE TABLE hub.copy (
    copy_id uuid PRIMARY KEY,
    original_id uuid NOT NULL,
    receivers text[] NOT NULL
);
CREATE INDEX copy_original ON hub.copy (original_id);
GRANT SELECT ON hub.copy TO mykey_component;
