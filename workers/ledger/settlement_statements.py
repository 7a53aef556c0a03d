"""The settlement's SQL: sums over the rollups, and the transactions behind them."""

from typing import Final

SUMMARY_OF_COUNTERPARTY: Final = """
SELECT kind, lg_code, counterparty_id, pool, sum(transfers)::bigint AS transfers, sum(points)::bigint AS points,
    sum(transactions)::bigint AS transactions
FROM ledger.summed($2, $3) WHERE counterparty_id = $1
GROUP BY kind, lg_code, counterparty_id, pool ORDER BY kind, lg_code, pool
"""
SUMMARY_OF_MUNICIPALITY: Final = """
SELECT kind, lg_code, counterparty_id, pool, sum(transfers)::bigint AS transfers, sum(points)::bigint AS points,
    sum(transactions)::bigint AS transactions
FROM ledger.summed($2, $3) WHERE lg_code = $1
GROUP BY kind, lg_code, counterparty_id, pool ORDER BY kind, counterparty_id, pool
"""
SUMMARY_BY_PLACE: Final = """
SELECT counterparty_id AS place_id,
    coalesce(sum(transactions) FILTER (WHERE kind = ANY ($4::smallint[])), 0)::bigint AS transactions,
    coalesce(sum(points) FILTER (WHERE kind = ANY ($4::smallint[])), 0)::bigint AS used,
    coalesce(sum(transactions) FILTER (WHERE kind = ANY ($5::smallint[])), 0)::bigint AS returns,
    coalesce(sum(points) FILTER (WHERE kind = ANY ($5::smallint[])), 0)::bigint AS returned
FROM ledger.summed($2, $3)
WHERE lg_code = $1 AND kind = ANY ($4::smallint[] || $5::smallint[])
    AND ($6::uuid IS NULL OR counterparty_id = $6) AND counterparty_id <> $7
GROUP BY counterparty_id ORDER BY counterparty_id
"""

# Details are found through the rollups: which day and partition have some, in which blocks. Whole days of a partition.
ROLLUPS_OF_COUNTERPARTY: Final = """
SELECT day, partition, lg_code, counterparty_id, pool, kind, first_block, last_block, blocks FROM ledger.rollup
WHERE counterparty_id = $1 AND (day, partition) > ($2, $3) AND day <= $4 AND kind = ANY ($5::smallint[])
    AND ($6::text IS NULL OR lg_code = $6)
ORDER BY day, partition FETCH FIRST ($7) ROWS WITH TIES
"""
ROLLUPS_OF_MUNICIPALITY: Final = """
SELECT day, partition, lg_code, counterparty_id, pool, kind, first_block, last_block, blocks FROM ledger.rollup
WHERE lg_code = $1 AND (day, partition) > ($2, $3) AND day <= $4 AND kind = ANY ($5::smallint[])
    AND counterparty_id <> $6
ORDER BY day, partition FETCH FIRST ($7) ROWS WITH TIES
"""
ACCOUNTS: Final = """
SELECT c.partition, c.account FROM unnest($1::smallint[], $2::text[]) AS asked (partition, name)
JOIN ledger.contra AS c ON c.partition = asked.partition AND c.name = asked.name
"""
LINES: Final = """
WITH found AS MATERIALIZED (
    SELECT s.business_date AS day, s.partition, s.block, s.outcome AS number, s.kind, s.counterparty_id, s.pool,
        s.points
    FROM unnest($1::smallint[], $2::date[], $3::bigint[]) AS span (partition, day, block)
    JOIN ledger.settled AS s ON s.partition = span.partition AND s.block = span.block AND s.business_date = span.day
    WHERE (s.partition::bigint << 48) + s.debit = ANY ($4::bigint[])
        OR (s.partition::bigint << 48) + s.credit = ANY ($4::bigint[]) OR s.posted_kind IN (2, 3, 51)
), lines AS MATERIALIZED (
    SELECT day, partition, block, number, kind, counterparty_id, pool, lg_code, sum(points)::bigint AS points
    FROM found
    JOIN unnest($5::date[], $6::smallint[], $7::uuid[], $8::text[], $9::smallint[], $10::text[])
        AS wanted (day, partition, counterparty_id, pool, kind, lg_code)
        USING (day, partition, counterparty_id, pool, kind)
    GROUP BY day, partition, block, number, kind, counterparty_id, pool, lg_code
)
SELECT l.day, l.partition, l.block, l.number, l.kind, l.counterparty_id, l.pool, l.lg_code, l.points,
    CASE WHEN o.party_id <> o.citizen_id THEN o.command_id END AS command_id
FROM lines AS l JOIN ledger.outcome AS o ON o.partition = l.partition AND o.block = l.block AND o.number = l.number
ORDER BY l.day, l.partition, l.block, l.number, l.counterparty_id, l.pool
"""
"""Lines of some blocks. By their accounts ($4) most transfers of others are passed over at once; moves and corrections
between lots have no account of their own. Step by step, so that only what is left is looked up further."""
