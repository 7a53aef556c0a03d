CREATE FUNCTION hub.first_id_of(day date) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT rpad(lpad(to_hex((extract(epoch FROM day::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;
COMMENT ON FUNCTION hub.first_id_of IS 'No message of this day or later has a smaller id: it begins with the milliseconds.';
REVOKE ALL ON FUNCTION hub.first_id_of FROM PUBLIC;

-- Dropping a day shuts out everybody who writes messages until it is committed. So it is one day a transaction, and all that
-- takes time comes before: whether something of a day still waits is looked up once, for all days, while writers write on.
CREATE FUNCTION hub.drop_day(before date) RETURNS date
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, hub SET lock_timeout = '2s' AS $$
DECLARE
    first_kept date := least(before, current_date - 30);
    first_kept_id uuid;
    waited_for bigint[]; -- days since 1970, as an id's first 48 bits are milliseconds
    oldest record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('hub.make_days'));
    first_kept_id := hub.first_id_of(first_kept);
    waited_for := ARRAY(
        SELECT DISTINCT ('x' || translate(left(u.message_id::text, 13), '-', ''))::bit(48)::bigint / 86400000
        FROM hub.delivery AS d CROSS JOIN LATERAL unnest(d.message_ids) AS u (message_id)
        WHERE u.message_id < first_kept_id);
    SELECT c.relname AS name, day, days.from_id, days.until_id INTO oldest
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relname ~ '^message_[0-9]{8}$'
    CROSS JOIN LATERAL (SELECT to_date(substr(c.relname, 9), 'YYYYMMDD') AS day) AS named
    CROSS JOIN LATERAL (SELECT hub.first_id_of(day) AS from_id, hub.first_id_of(day + 1) AS until_id) AS days
    WHERE i.inhparent = 'hub.message'::regclass AND day < first_kept AND (day - date '1970-01-01') <> ALL (waited_for)
    ORDER BY day LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    DELETE FROM hub.outside_done WHERE message_id >= oldest.from_id AND message_id < oldest.until_id;
    EXECUTE format('DROP TABLE hub.%I', oldest.name);
    RETURN oldest.day;
END $$;
COMMENT ON FUNCTION hub.drop_day IS 'Drops the oldest day of hub.message before a day, but for the last 30 days and what is still waited for, and says which; null: none.';
REVOKE ALL ON FUNCTION hub.drop_day FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hub.drop_day TO mykey_component;

-- Processes of the release before ask for this one until they are replaced.
CREATE OR REPLACE FUNCTION hub.drop_days(before date) RETURNS int
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, hub AS $$
    SELECT (hub.drop_day(before) IS NOT NULL)::int
$$;
COMMENT ON FUNCTION hub.drop_days IS 'Superseded by hub.drop_day: drops one day, if there is one.';
