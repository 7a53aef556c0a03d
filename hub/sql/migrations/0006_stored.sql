-- Messages by their ids, one row for each id, empty where there is none: for who knows what is due and has some of it at
-- hand already. A function, and each looked up by itself, for the reason given at hub.due.
CREATE FUNCTION hub.stored(ids uuid[])
RETURNS TABLE (
    id uuid, type text, source text, subject uuid, correlation_id uuid, "time" timestamptz, body bytea
)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT u.id, m.type, m.source, m.subject, m.correlation_id, m.time, m.body
    FROM unnest(ids) AS u (id)
    LEFT JOIN LATERAL (SELECT * FROM hub.message WHERE message.id = u.id LIMIT 1) AS m ON true;
END $$;
REVOKE ALL ON FUNCTION hub.stored FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hub.stored TO mykey_component;
