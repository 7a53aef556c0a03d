-- The message store (docs/architecture.md, "Messages"). Components reach it through the role mykey_component.

CREATE TABLE hub.message (
    id uuid NOT NULL,
    type text NOT NULL,
    source text NOT NULL,
    subject uuid NOT NULL,
    business_key text,
    correlation_id uuid NOT NULL,
    time timestamptz NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
COMMENT ON TABLE hub.message IS 'Everything said, append-only; ids are UUIDv7, so a range of ids is a day.';

CREATE TABLE hub.message_default PARTITION OF hub.message DEFAULT;

CREATE INDEX message_subject ON hub.message (subject);
CREATE INDEX message_business_key ON hub.message (business_key) WHERE business_key IS NOT NULL;
CREATE INDEX message_correlation ON hub.message (correlation_id);

CREATE TABLE hub.delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receiver text NOT NULL,
    lane smallint NOT NULL,
    state text NOT NULL CHECK (state IN ('due', 'scheduled', 'parked')),
    message_ids uuid[] NOT NULL CHECK (cardinality(message_ids) > 0),
    attempts smallint NOT NULL DEFAULT 0,
    due_at timestamptz,
    since timestamptz NOT NULL DEFAULT now(),
    reason text,
    fingerprint text,
    note text,
    CHECK ((state = 'scheduled') = (due_at IS NOT NULL)),
    CHECK (state <> 'parked' OR (reason IS NOT NULL AND fingerprint IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE hub.delivery IS 'What is not done yet: a row goes when its effect commits. Small and hot.';

CREATE INDEX delivery_due ON hub.delivery (receiver, lane, id) WHERE state = 'due';
CREATE INDEX delivery_scheduled ON hub.delivery (receiver, due_at) WHERE state = 'scheduled';
CREATE INDEX delivery_parked ON hub.delivery (fingerprint) WHERE state = 'parked';

CREATE TABLE hub.lane (
    receiver text NOT NULL,
    lane smallint NOT NULL,
    owner uuid,
    epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (receiver, lane)
) WITH (fillfactor = 50);
COMMENT ON TABLE hub.lane IS 'Who works on a lane; the epoch fences off an owner that lost it without noticing.';

CREATE TABLE hub.process (
    process_id uuid PRIMARY KEY,
    receivers text[] NOT NULL,
    seen_at timestamptz NOT NULL
);

-- Calls between processes. No answer means unknown, so a crash may forget them: unlogged.
CREATE UNLOGGED TABLE hub.call (
    id uuid PRIMARY KEY,
    receiver text NOT NULL,
    caller uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    bodies bytea NOT NULL
);
CREATE INDEX call_receiver ON hub.call (receiver, id);

CREATE UNLOGGED TABLE hub.reply (
    id uuid PRIMARY KEY,
    caller uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    bodies bytea NOT NULL
);
CREATE INDEX reply_caller ON hub.reply (caller);

CREATE FUNCTION hub.make_days(first date, last date) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, hub AS $$
DECLARE
    day date;
    made int := 0;
    from_id uuid;
    until_id uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('hub.make_days'));
    FOR day IN SELECT generate_series(first, last, '1 day')::date LOOP
        CONTINUE WHEN to_regclass('hub.message_' || to_char(day, 'YYYYMMDD')) IS NOT NULL;
        from_id := (rpad(lpad(to_hex((extract(epoch FROM day::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0'))::uuid;
        until_id := (rpad(lpad(to_hex((extract(epoch FROM (day + 1)::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0'))::uuid;
        EXECUTE format('CREATE TABLE hub.%I PARTITION OF hub.message FOR VALUES FROM (%L) TO (%L)',
                       'message_' || to_char(day, 'YYYYMMDD'), from_id, until_id);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION hub.make_days IS 'Makes the day partitions of hub.message, first to last; as the owner, so that components need no such right.';
REVOKE ALL ON FUNCTION hub.make_days FROM PUBLIC;

SELECT hub.make_days(current_date - 1, current_date + 14);

GRANT USAGE ON SCHEMA hub TO mykey_component;
GRANT SELECT, INSERT ON hub.message TO mykey_component;
GRANT SELECT, INSERT, UPDATE, DELETE ON hub.delivery, hub.lane, hub.process, hub.call, hub.reply TO mykey_component;
GRANT EXECUTE ON FUNCTION hub.make_days TO mykey_component;
