-- Days of messages that nobody wants to search any more are dropped whole. As the owner, so that components need no such
-- right; whatever they ask for, the last 30 days stay, and so does a day of which something is still waiting.
CREATE FUNCTION hub.drop_days(before date) RETURNS int
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
        EXECUTE format('DROP TABLE hub.%I', partition.name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION hub.drop_days IS 'Drops the day partitions of hub.message before a day, but for the last 30 days and what is still waited for.';
REVOKE ALL ON FUNCTION hub.drop_days FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hub.drop_days TO mykey_component;
