-- What is due in a lane, with its messages: whole deliveries behind `after`, in order, at most `deliveries` of them and
-- `messages` messages, but the first delivery at least. A function, and each message looked up by itself, so that no plan
-- scans a day from end to end: one that was empty when its statistics were taken, as tomorrow is in a nightly ANALYZE,
-- looks cheap to scan.
CREATE FUNCTION hub.due(of_receiver text, of_lane smallint, after bigint, deliveries int, messages int)
RETURNS TABLE (
    delivery_id bigint, attempts smallint, since timestamptz, message_id uuid,
    type text, correlation_id uuid, body bytea, "time" timestamptz, source text, subject uuid
)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT d.id, d.attempts, d.since, u.message_id, m.type, m.correlation_id, m.body, m.time, m.source, m.subject
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
