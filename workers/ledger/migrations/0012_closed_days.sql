-- A day that is over is added up over all partitions, and a month over its days: a summary reads few rows at any size.

ALTER TABLE ledger.head ADD COLUMN closed_to date NOT NULL DEFAULT '-infinity';
COMMENT ON COLUMN ledger.head.closed_to IS 'Nothing is posted on this day any more, nor on one before it.';

CREATE TABLE ledger.closed_day (day date PRIMARY KEY, closed_at timestamptz NOT NULL);
CREATE TABLE ledger.closed_month (month date PRIMARY KEY, closed_at timestamptz NOT NULL);
COMMENT ON TABLE ledger.closed_day IS 'Days that were added up, all from the ledger''s first one on.';
COMMENT ON TABLE ledger.closed_month IS 'Months of which all days were added up, by their first day.';

CREATE TABLE ledger.day_rollup (
    day date NOT NULL,
    lg_code text NOT NULL,
    counterparty_id uuid NOT NULL,
    pool text NOT NULL,
    kind smallint NOT NULL,
    transfers bigint NOT NULL,
    points bigint NOT NULL,
    transactions bigint NOT NULL,
    PRIMARY KEY (counterparty_id, day, pool, kind, lg_code)
);
COMMENT ON TABLE ledger.day_rollup IS 'A closed day''s lines of ledger.rollup, added up over the partitions.';
CREATE INDEX day_rollup_municipality ON ledger.day_rollup (lg_code, day);

CREATE TABLE ledger.month_rollup (
    month date NOT NULL,
    lg_code text NOT NULL,
    counterparty_id uuid NOT NULL,
    pool text NOT NULL,
    kind smallint NOT NULL,
    transfers bigint NOT NULL,
    points bigint NOT NULL,
    transactions bigint NOT NULL,
    PRIMARY KEY (counterparty_id, month, pool, kind, lg_code)
);
COMMENT ON TABLE ledger.month_rollup IS 'A closed month''s lines of ledger.day_rollup, added up over its days.';
CREATE INDEX month_rollup_municipality ON ledger.month_rollup (lg_code, month);

-- Lines come day after day, so that a summary of block ranges finds those of one day.
CREATE INDEX rollup_day ON ledger.rollup USING brin (day) WITH (pages_per_range = 32);
CREATE INDEX day_rollup_day ON ledger.day_rollup USING brin (day) WITH (pages_per_range = 32);

CREATE FUNCTION ledger.summed(first date, last date)
RETURNS TABLE (lg_code text, counterparty_id uuid, pool text, kind smallint, transfers bigint, points bigint,
    transactions bigint)
LANGUAGE sql STABLE AS $$
    SELECT r.lg_code, r.counterparty_id, r.pool, r.kind, r.transfers, r.points, r.transactions
    FROM ledger.closed_month AS c JOIN ledger.month_rollup AS r ON r.month = c.month
    WHERE c.month >= first AND c.month + interval '1 month' <= last + 1
    UNION ALL
    SELECT r.lg_code, r.counterparty_id, r.pool, r.kind, r.transfers, r.points, r.transactions
    FROM ledger.closed_day AS c JOIN ledger.day_rollup AS r ON r.day = c.day
    WHERE c.day BETWEEN first AND last AND NOT EXISTS (
        SELECT FROM ledger.closed_month AS m
        WHERE m.month = date_trunc('month', c.day)::date AND m.month >= first AND m.month + interval '1 month' <= last + 1)
    UNION ALL
    SELECT r.lg_code, r.counterparty_id, r.pool, r.kind, r.transfers, r.points, r.transactions
    FROM ledger.rollup AS r
    WHERE r.day BETWEEN first AND last
        AND r.day > (SELECT coalesce(max(d.day), '-infinity') FROM ledger.closed_day AS d)
$$;
COMMENT ON FUNCTION ledger.summed IS 'Lines that add up to what was posted from the first day to the last: of closed months that lie between them whole, of other closed days, and of days that are open.';

DO $$
DECLARE
    closed text;
BEGIN
    FOREACH closed IN ARRAY ARRAY['closed_day', 'closed_month', 'day_rollup', 'month_rollup'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', closed);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON ledger.closed_day, ledger.closed_month, ledger.day_rollup, ledger.month_rollup TO mykey_ledger;
GRANT EXECUTE ON FUNCTION ledger.summed TO mykey_ledger;
