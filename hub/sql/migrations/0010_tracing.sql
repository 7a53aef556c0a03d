-- Who caused a message: the last half of the id of the message, or of the request or call, because of which it was said.
-- The trace id is the correlation id, so this is all that a trace needs: 8 bytes a message. Messages from before have none.
ALTER TABLE hub.message ADD COLUMN parent_span bigint;
COMMENT ON COLUMN hub.message.parent_span IS 'The last 64 bits of the id of what caused it; null: it began its trace.';

-- A delivery's row goes when its effect commits, and when that was is told by what was said next because of it. What is
-- done outside is an end: nothing is said of it, it is slow, and people ask when it was. So that, and only that, is kept.
CREATE TABLE hub.outside_done (
    message_id uuid PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT now(),
    took_s real NOT NULL
);
COMMENT ON TABLE hub.outside_done IS 'When something was done outside, and how long its last try took; goes with the days of hub.message.';
GRANT SELECT, INSERT ON hub.outside_done TO mykey_component;

-- As before, and what was done outside goes with its messages.
CREATE OR REPLACE FUNCTION hub.drop_days(before date) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, hub SET lock_timeout = '2s' AS $$
DECLARE
    partition record;
    dropped int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('hub.make_days'));
    FOR partition IN
        SELECT c.relname AS name, days.from_id, days.until_id
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relname ~ '^message_[0-9]{8}$'
        CROSS JOIN LATERAL (SELECT to_date(substr(c.relname, 9), 'YYYYMMDD') AS day) AS named
        CROSS JOIN LATERAL (SELECT
            rpad(lpad(to_hex((extract(epoch FROM day::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0')::uuid AS from_id,
            rpad(lpad(to_hex((extract(epoch FROM (day + 1)::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0')::uuid AS until_id
        ) AS days
        WHERE i.inhparent = 'hub.message'::regclass AND day < least(before, current_date - 30)
        ORDER BY day
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM hub.delivery AS d CROSS JOIN LATERAL unnest(d.message_ids) AS u (message_id)
            WHERE u.message_id >= partition.from_id AND u.message_id < partition.until_id);
        DELETE FROM hub.outside_done WHERE message_id >= partition.from_id AND message_id < partition.until_id;
        EXECUTE format('DROP TABLE hub.%I', partition.name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

-- hub.due, hub.stored and hub.held as before, with who caused the message: what is read from the store is then the same as
-- what a broker brings. The columns of a function cannot be changed, so each is made anew.
DROP FUNCTION hub.due(text, smallint, bigint, int, int);
CREATE FUNCTION hub.due(of_receiver text, of_lane smallint, after bigint, deliveries int, messages int)
RETURNS TABLE (
    delivery_id bigint, attempts smallint, since timestamptz, message_id uuid,
    type text, correlation_id uuid, parent_span bigint, body bytea, "time" timestamptz, source text, subject uuid
)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT d.id, d.attempts, d.since, u.message_id,
        m.type, m.correlation_id, m.parent_span, m.body, m.time, m.source, m.subject
    FROM (
        SELECT next.*, cardinality(next.message_ids) AS size,
            sum(cardinality(next.message_ids)) OVER (ORDER BY next.id) AS total
        FROM (
            SELECT id, attempts, since, message_ids FROM hub.delivery
            WHERE receiver = of_receiver AND lane = of_lane AND state = 'due' AND id > after ORDER BY id LIMIT deliveries
        ) AS next
    ) AS d
    CROSS JOIN LATERAL unnest(d.message_ids) WITH ORDINALITY AS u (message_id, n)
    LEFT JOIN LATERAL (SELECT * FROM hub.message WHERE message.id = u.message_id LIMIT 1) AS m ON true
    WHERE d.total <= messages OR d.total = d.size
    ORDER BY d.id, u.n;
END $$;
REVOKE ALL ON FUNCTION hub.due FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hub.due TO mykey_component;

DROP FUNCTION hub.stored(uuid[]);
CREATE FUNCTION hub.stored(ids uuid[])
RETURNS TABLE (
    id uuid, type text, source text, subject uuid, correlation_id uuid, parent_span bigint, "time" timestamptz, body bytea
)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT u.id, m.type, m.source, m.subject, m.correlation_id, m.parent_span, m.time, m.body
    FROM unnest(ids) AS u (id)
    LEFT JOIN LATERAL (SELECT * FROM hub.message WHERE message.id = u.id LIMIT 1) AS m ON true;
END $$;
REVOKE ALL ON FUNCTION hub.stored FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hub.stored TO mykey_component;

DROP FUNCTION hub.held(text, text, smallint[]);
CREATE FUNCTION hub.held(of_receiver text, of_destination text, lanes smallint[])
RETURNS TABLE (
    delivery_id bigint, lane smallint, messages int, attempts smallint, since timestamptz, message_id uuid,
    type text, correlation_id uuid, parent_span bigint, body bytea, "time" timestamptz, source text, subject uuid
)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT d.id, d.lane, cardinality(d.message_ids), d.attempts, d.since, d.message_ids[1],
        m.type, m.correlation_id, m.parent_span, m.body, m.time, m.source, m.subject
    FROM (
        SELECT * FROM hub.delivery
        WHERE receiver = of_receiver AND destination = of_destination AND state = 'held' AND lane = ANY (lanes)
        ORDER BY id LIMIT 1
    ) AS d
    LEFT JOIN LATERAL (SELECT * FROM hub.message WHERE message.id = d.message_ids[1] LIMIT 1) AS m ON true;
END $$;
REVOKE ALL ON FUNCTION hub.held FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hub.held TO mykey_component;
