-- A day may be made after messages of it have come, when nothing ran for a fortnight: they are moved out of the
-- default partition. Attaching a table locks hub.message less than creating a partition does.
CREATE OR REPLACE FUNCTION hub.make_days(first date, last date) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, hub AS $$
DECLARE
    day date;
    made int := 0;
    partition text;
    from_id uuid;
    until_id uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('hub.make_days'));
    FOR day IN SELECT generate_series(first, last, '1 day')::date LOOP
        partition := 'message_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('hub.' || partition) IS NOT NULL;
        from_id := (rpad(lpad(to_hex((extract(epoch FROM day::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0'))::uuid;
        until_id := (rpad(lpad(to_hex((extract(epoch FROM (day + 1)::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'), 32, '0'))::uuid;
        EXECUTE format('CREATE TABLE hub.%I (LIKE hub.message INCLUDING ALL)', partition);
        IF EXISTS (SELECT FROM hub.message_default WHERE id >= from_id AND id < until_id) THEN
            LOCK TABLE hub.message_default IN ACCESS EXCLUSIVE MODE;
            EXECUTE format('WITH moved AS (DELETE FROM hub.message_default WHERE id >= $1 AND id < $2 RETURNING *) INSERT INTO hub.%I SELECT * FROM moved', partition)
            USING from_id, until_id;
        END IF;
        EXECUTE format('ALTER TABLE hub.message ATTACH PARTITION hub.%I FOR VALUES FROM (%L) TO (%L)',
                       partition, from_id, until_id);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
