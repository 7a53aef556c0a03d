-- The other sides of outside commands that are down, and those that were (docs/architecture.md, "The outside world").
CREATE TABLE hub.outage (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receiver text NOT NULL,
    destination text NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    probes int NOT NULL DEFAULT 0,
    probe_after timestamptz NOT NULL,
    error text NOT NULL,
    CHECK (ended_at >= began_at)
);
COMMENT ON TABLE hub.outage IS 'One row an outage; while it is open, whoever moves probe_after on may send one probe.';
CREATE UNIQUE INDEX outage_open ON hub.outage (receiver, destination) WHERE ended_at IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON hub.outage TO mykey_component;

-- A delivery that is held waits for its destination, in its place: it keeps its id, and is due again under it.
ALTER TABLE hub.delivery
    ADD COLUMN destination text,
    DROP CONSTRAINT delivery_state_check,
    ADD CONSTRAINT delivery_state_check CHECK (state IN ('due', 'scheduled', 'parked', 'held')),
    ADD CONSTRAINT delivery_destination_check CHECK ((state = 'held') = (destination IS NOT NULL));
CREATE INDEX delivery_held ON hub.delivery (receiver, destination, id) WHERE state = 'held';

-- The first message that is held for a destination in one of these lanes, to probe it with; `messages` is how many its
-- delivery has. As hub.due: a function, so that no plan scans a day.
CREATE FUNCTION hub.held(of_receiver text, of_destination text, lanes smallint[])
RETURNS TABLE (
    delivery_id bigint, lane smallint, messages int, attempts smallint, since timestamptz, message_id uuid,
    type text, correlation_id uuid, body bytea, "time" timestamptz, source text, subject uuid
)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT d.id, d.lane, cardinality(d.message_ids), d.attempts, d.since, d.message_ids[1],
        m.type, m.correlation_id, m.body, m.time, m.source, m.subject
    FROM (
        SELECT * FROM hub.delivery
        WHERE receiver = of_receiver AND destination = of_destination AND state = 'held' AND lane = ANY (lanes)
        ORDER BY id LIMIT 1
    ) AS d
    LEFT JOIN LATERAL (SELECT * FROM hub.message WHERE message.id = d.message_ids[1] LIMIT 1) AS m ON true;
END $$;
REVOKE ALL ON FUNCTION hub.held FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hub.held TO mykey_component;
