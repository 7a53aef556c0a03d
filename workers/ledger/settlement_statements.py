"""The settlement's SQL: sums over the rollups, and the transactions behind them."""

from typing import Final

SUMMARY_OF_COUNTERPARTY: Final = """
SELECT kind, lg_code, counterparty_id, pool, sum(transfers)::bigint AS transfers, sum(points)::bigint AS points,
    sum(transactions)::bigint AS transactions
FROM ledger.rollup WHERE counterparty_id = $1 AND day BETWEEN $2 AND $3
GROUP BY kind, lg_code, counterparty_id, pool ORDER BY kind, lg_code, pool
"""
SUMMARY_OF_MUNICIPALITY: Final = """
SELECT kind, lg_code, counterparty_id, pool, sum(transfers)::bigint AS transfers, sum(points)::bigint AS points,
    sum(transactions)::bigint AS transactions
FROM ledger.rollup WHERE lg_code = $1 AND day BETWEEN $2 AND $3
GROUP BY kind, lg_code, counterparty_id, pool ORDER BY kind, counterparty_id, pool
"""
SUMMARY_BY_PLACE: Final = """
SELECT counterparty_id AS place_id,
    coalesce(sum(transactions) FILTER (WHERE kind = ANY ($4::smallint[])), 0)::bigint AS transactions,
    coalesce(sum(points) FILTER (WHERE kind = ANY ($4::smallint[])), 0)::bigint AS used,
    coalesce(sum(transactions) FILTER (WHERE kind = ANY ($5::smallint[])), 0)::bigint AS returns,
    coalesce(sum(points) FILTER (WHERE kind = ANY ($5::smallint[])), 0)::bigint AS returned
FROM ledger.rollup
WHERE lg_code = $1 AND day BETWEEN $2 AND $3 AND kind = ANY ($4::smallint[] || $5::smallint[])
    AND ($6::uuid IS NULL OR counterparty_id = $6) AND counterparty_id <> $7
GROUP BY counterparty_id ORDER BY counterparty_id
"""

# Details are found through the rollups: which day and partition have some, in which blocks.
NEXT_OF_COUNTERPARTY: Final = """
SELECT day, partition FROM ledger.rollup
WHERE counterparty_id = $1 AND (day, partition) > ($2, $3) AND day <= $4 AND kind = ANY ($5::smallint[])
    AND ($6::text IS NULL OR lg_code = $6)
ORDER BY day, partition LIMIT 1
"""
NEXT_OF_MUNICIPALITY: Final = """
SELECT day, partition FROM ledger.rollup
WHERE lg_code = $1 AND (day, partition) > ($2, $3) AND day <= $4 AND kind = ANY ($5::smallint[])
    AND counterparty_id <> $6
ORDER BY day, partition LIMIT 1
"""
OF_COUNTERPARTY: Final = """
SELECT lg_code, counterparty_id, pool, kind, first_block, last_block, blocks FROM ledger.rollup
WHERE counterparty_id = $1 AND day = $2 AND partition = $3 AND kind = ANY ($4::smallint[])
    AND ($5::text IS NULL OR lg_code = $5)
"""
OF_MUNICIPALITY: Final = """
SELECT lg_code, counterparty_id, pool, kind, first_block, last_block, blocks FROM ledger.rollup
WHERE lg_code = $1 AND day = $2 AND partition = $3 AND kind = ANY ($4::smallint[]) AND counterparty_id <> $5
"""
ACCOUNTS: Final = "SELECT account FROM ledger.contra WHERE partition = $1 AND name = ANY ($2::text[])"
LINES: Final = """
SELECT s.block, s.outcome AS number, s.kind, s.counterparty_id, s.pool, sum(s.points)::bigint AS points,
    CASE WHEN o.party_id <> o.citizen_id THEN o.command_id END AS command_id
FROM ledger.settled AS s
JOIN unnest($4::uuid[], $5::text[], $6::smallint[]) AS wanted (counterparty_id, pool, kind)
    USING (counterparty_id, pool, kind)
JOIN ledger.outcome AS o ON o.partition = s.partition AND o.block = s.block AND o.number = s.outcome
WHERE s.partition = $1 AND s.business_date = $2 AND s.block = ANY ($3::bigint[])
    AND (s.debit = ANY ($7::bigint[]) OR s.credit = ANY ($7::bigint[]) OR s.posted_kind IN (2, 3, 51))
GROUP BY s.block, s.outcome, s.kind, s.counterparty_id, s.pool, o.party_id, o.citizen_id, o.command_id
ORDER BY s.block, s.outcome, s.counterparty_id, s.pool
"""
"""Lines of some blocks of a day. By their accounts ($7) most transfers of others are passed over at once; moves and
corrections between lots have no account of their own."""
