"""The SQL of closing days, and of the proof that what they were added up to is right."""

from typing import Final

NEXT_DAY: Final = """
SELECT o.day, date_trunc('month', o.day + 1) = o.day + 1 AS ends_month
FROM (SELECT coalesce((SELECT max(day) + 1 FROM ledger.closed_day), (SELECT min(day) FROM ledger.rollup)) AS day) AS o
WHERE o.day < least($1::date, ((now() - $2::interval) AT TIME ZONE 'Asia/Tokyo')::date)
"""
"""The first day that is not closed, where it is over by this process's clock, and has been for a while by PostgreSQL's:
one wrong clock does not close a day that others are still posting on."""
SHUT: Final = "UPDATE ledger.head SET closed_to = $1 WHERE closed_to < $1"
"""Waits for whoever is posting; whoever comes after it sees it under the head's lock."""
SUM_DAY: Final = """
WITH closed AS (
    INSERT INTO ledger.closed_day (day, closed_at) VALUES ($1, now()) ON CONFLICT DO NOTHING RETURNING day
)
INSERT INTO ledger.day_rollup (day, lg_code, counterparty_id, pool, kind, transfers, points, transactions)
SELECT r.day, r.lg_code, r.counterparty_id, r.pool, r.kind, sum(r.transfers), sum(r.points), sum(r.transactions)
FROM ledger.rollup AS r WHERE r.day = $1 AND EXISTS (SELECT FROM closed)
GROUP BY r.day, r.lg_code, r.counterparty_id, r.pool, r.kind
ORDER BY r.counterparty_id, r.pool, r.kind, r.lg_code
"""
SUM_MONTH: Final = """
WITH closed AS (
    INSERT INTO ledger.closed_month (month, closed_at) VALUES (date_trunc('month', $1::date), now())
    ON CONFLICT DO NOTHING RETURNING month
)
INSERT INTO ledger.month_rollup (month, lg_code, counterparty_id, pool, kind, transfers, points, transactions)
SELECT closed.month, r.lg_code, r.counterparty_id, r.pool, r.kind, sum(r.transfers), sum(r.points), sum(r.transactions)
FROM closed JOIN ledger.day_rollup AS r ON r.day BETWEEN closed.month AND $1
GROUP BY closed.month, r.lg_code, r.counterparty_id, r.pool, r.kind
ORDER BY r.counterparty_id, r.pool, r.kind, r.lg_code
"""
"""$1 is the month's last day."""

DAYS_CLOSED: Final = """
WITH days AS (
    SELECT day, lead(day) OVER (ORDER BY day) AS next FROM ledger.closed_day
), last AS (
    SELECT max(day) AS day FROM ledger.closed_day
), journal AS (
    SELECT r.day, r.lg_code, r.counterparty_id, r.pool, r.kind, sum(r.transfers) AS transfers, sum(r.points) AS points,
        sum(r.transactions) AS transactions
    FROM ledger.rollup AS r JOIN last ON r.day <= last.day GROUP BY 1, 2, 3, 4, 5
), faults AS (
    SELECT 'closed_day' AS "table", (day + 1)::text AS key, 'it is not closed, and a later day is' AS what
    FROM days WHERE next > day + 1
    UNION ALL
    SELECT 'day_rollup', concat_ws('/', day, lg_code, counterparty_id, pool, kind),
        format('it says %s transfers, %s points and %s transactions, the partitions %s, %s and %s',
            coalesce(d.transfers, 0), coalesce(d.points, 0), coalesce(d.transactions, 0),
            coalesce(j.transfers, 0), coalesce(j.points, 0), coalesce(j.transactions, 0))
    FROM ledger.day_rollup AS d FULL JOIN journal AS j USING (day, lg_code, counterparty_id, pool, kind)
    WHERE (d.transfers, d.points, d.transactions) IS DISTINCT FROM (j.transfers, j.points, j.transactions)
    UNION ALL
    SELECT 'head', h.partition::text, format('it takes postings on days that are closed: it says %s', h.closed_to)
    FROM ledger.head AS h JOIN last ON h.closed_to < last.day
)
SELECT * FROM faults WHERE $1::smallint = (SELECT min(partition) FROM ledger.head WHERE elsewhere IS NULL)
ORDER BY "table", key LIMIT 1
"""
"""Over all partitions of a database, so it is asked with the first one only."""
MONTHS_CLOSED: Final = """
WITH days AS (
    SELECT c.month, r.lg_code, r.counterparty_id, r.pool, r.kind, sum(r.transfers) AS transfers,
        sum(r.points) AS points, sum(r.transactions) AS transactions
    FROM ledger.closed_month AS c
    JOIN ledger.day_rollup AS r ON r.day >= c.month AND r.day < c.month + interval '1 month'
    GROUP BY 1, 2, 3, 4, 5
), faults AS (
    SELECT 'closed_month' AS "table", month::text AS key, 'not all of its days are closed' AS what
    FROM ledger.closed_month
    WHERE month + interval '1 month' > (SELECT coalesce(max(day), '-infinity') + 1 FROM ledger.closed_day)
    UNION ALL
    SELECT 'month_rollup', concat_ws('/', month, lg_code, counterparty_id, pool, kind),
        format('it says %s transfers, %s points and %s transactions, its days %s, %s and %s',
            coalesce(m.transfers, 0), coalesce(m.points, 0), coalesce(m.transactions, 0),
            coalesce(d.transfers, 0), coalesce(d.points, 0), coalesce(d.transactions, 0))
    FROM ledger.month_rollup AS m FULL JOIN days AS d USING (month, lg_code, counterparty_id, pool, kind)
    WHERE (m.transfers, m.points, m.transactions) IS DISTINCT FROM (d.transfers, d.points, d.transactions)
)
SELECT * FROM faults WHERE $1::smallint = (SELECT min(partition) FROM ledger.head WHERE elsewhere IS NULL)
ORDER BY "table", key LIMIT 1
"""
