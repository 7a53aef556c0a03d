"""The ledger's SQL: set-based, one statement per table and batch."""

from typing import Final

LOCK: Final = """
SELECT block, hash, next_account, closed_to, volume, volume_outcomes,
    (SELECT max(revision) FROM ledger.pool) AS revision,
    (SELECT hash FROM ledger.block WHERE partition = $1 AND block = $2) AS earlier_hash
FROM ledger.head WHERE partition = $1 AND elsewhere IS NULL FOR UPDATE
"""
"""With the hash of an earlier block: whoever remembers another one remembers another history."""
POOLS: Final = """
SELECT pool, lg_code, expiry_rule, first, last, usable_in FROM ledger.pool
WHERE $1::text[] IS NULL OR pool = ANY ($1)
"""
OUTCOMES: Final = """
SELECT o.* FROM unnest($1::uuid[], $2::text[]) AS asked (party_id, command_id)
CROSS JOIN LATERAL (
    SELECT party_id, command_id, request_hash, citizen_id, code, points, balances, posted_on FROM ledger.outcome
    WHERE party_id = asked.party_id AND command_id = asked.command_id LIMIT 1
) AS o
"""
"""LIMIT and OFFSET, here and below: so that each is looked up by its key. A plan that was made while the table had few
rows might otherwise read it from end to end, or a whole partition."""
LOTS: Final = """
SELECT asked.n, l.* FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS asked (citizen_id, pool, n)
CROSS JOIN LATERAL (
    SELECT ctid AS place, account, expires_on, origin, balance FROM ledger.lot
    WHERE citizen_id = asked.citizen_id AND pool = asked.pool AND (balance > 0 OR expires_on >= $3) OFFSET 0
) AS l
"""
ALL_LOTS: Final = """
SELECT l.* FROM unnest($1::uuid[]) AS asked (citizen_id)
CROSS JOIN LATERAL (
    SELECT citizen_id, ctid AS place, account, pool, expires_on, origin, balance FROM ledger.lot
    WHERE citizen_id = asked.citizen_id AND (balance > 0 OR expires_on >= $2) OFFSET 0
) AS l
"""
CONTRAS: Final = """
SELECT c.name, c.account FROM unnest($2::text[]) AS asked (name)
CROSS JOIN LATERAL (
    SELECT name, account FROM ledger.contra
    WHERE name = asked.name AND partition IS NOT DISTINCT FROM $1 LIMIT 1
) AS c
"""
"""What else must be true is not said by `=`, here and below: a plan might take it for a way to the rows."""

TRANSFER_COLUMNS: Final = (
    "partition", "block", "line", "outcome", "kind", "debit", "credit", "points", "business_date",
)  # fmt: skip
OUTCOME_COLUMNS: Final = (
    "party_id", "command_id", "request_hash", "partition", "block", "number",
    "citizen_id", "kind", "code", "points", "balances", "posted_on", "hold_id", "hold_terms", "volume",
)  # fmt: skip
"""Those of the chain's `OutcomeRow`, then the volume that it is kept in."""
LOT_COLUMNS: Final = ("partition", "account", "citizen_id", "pool", "expires_on", "origin", "balance")

ADD_FEW: Final = """
WITH outcomes AS (
    INSERT INTO ledger.outcome (party_id, command_id, request_hash, partition, block, number, citizen_id, kind, code,
        points, balances, posted_on, hold_id, hold_terms, volume)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::smallint[], $5::bigint[], $6::int[], $7::uuid[],
        $8::smallint[], $9::text[], $10::bigint[], $11::json[], $12::date[], $13::uuid[], $14::bytea[], $15::smallint[])
), transfers AS (
    INSERT INTO ledger.transfer (partition, block, line, outcome, kind, debit, credit, points, business_date)
    SELECT * FROM unnest($16::smallint[], $17::bigint[], $18::int[], $19::int[], $20::smallint[], $21::bigint[],
        $22::bigint[], $23::bigint[], $24::date[])
)
INSERT INTO ledger.lot (partition, account, citizen_id, pool, expires_on, origin, balance)
SELECT * FROM unnest($25::smallint[], $26::bigint[], $27::uuid[], $28::text[], $29::date[], $30::uuid[], $31::bigint[])
"""
"""What else is three COPYs: in one statement while there are few rows, cheaper by the row where there are many."""
CHANGE: Final = """
WITH lots AS (
    UPDATE ledger.lot AS l SET balance = u.balance
    FROM unnest($11::tid[], $12::bigint[], $13::bigint[]) AS u (place, account, balance)
    WHERE l.ctid = u.place AND (l.partition, l.account) IS NOT DISTINCT FROM ($1::smallint, u.account)
    RETURNING true
), contras AS (
    UPDATE ledger.contra SET balance = balance + ($15::bigint[])[width_bucket(account, $14::bigint[])]
    WHERE account = ANY ($14) AND partition IS NOT DISTINCT FROM $1
    RETURNING true
), lines AS (
    UPDATE ledger.rollup SET transfers = transfers + ($17::bigint[])[width_bucket(line, $16::bigint[])],
        points = points + ($18::bigint[])[width_bucket(line, $16)],
        transactions = transactions + ($19::bigint[])[width_bucket(line, $16)], last_block = $2,
        blocks = CASE WHEN cardinality(blocks) < 16 THEN blocks || $2::bigint END
    WHERE line = ANY ($16)
    RETURNING true
), sealed AS (
    INSERT INTO ledger.block (partition, block, previous, hash, outcomes, transfers, posted_at, first_account,
        until_account, accounts_hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $20::bigint,
        CASE WHEN $20 IS NOT NULL THEN $8::bigint END, $21)
), ended AS (
    UPDATE ledger.head SET block = $2, hash = $4, next_account = $8, volume = $9, volume_outcomes = $10
    WHERE partition = $1
)
SELECT (SELECT count(*) FROM lots) AS lots, (SELECT count(*) FROM contras) AS contras,
    (SELECT count(*) FROM lines) AS lines
"""
"""All that was there already, and the end of the block; tells how much of it was there. Lots by the places where they
were read: only the partition's writer changes its accounts, so they are there still. Contra accounts and lines by one
walk through an index each; `width_bucket` tells where in the array, which is in order, a number stands."""
OPEN_CONTRAS: Final = """
INSERT INTO ledger.contra (partition, account, name, party_id, balance)
SELECT $1, u.account, u.name, u.party_id, u.points
FROM unnest($2::bigint[], $3::text[], $4::uuid[], $5::bigint[]) AS u (account, name, party_id, points)
ON CONFLICT (partition, name) DO NOTHING
"""
ROLL_UP: Final = """
INSERT INTO ledger.rollup AS r (partition, day, lg_code, counterparty_id, pool, kind, transfers, points, transactions,
    first_block, last_block, blocks)
SELECT $1::smallint, $2::date, u.lg_code, u.counterparty_id, u.pool, u.kind, u.transfers, u.points, u.transactions,
    $3::bigint, $3, ARRAY[$3]
FROM unnest($4::text[], $5::uuid[], $6::text[], $7::smallint[], $8::bigint[], $9::bigint[], $10::bigint[])
    AS u (lg_code, counterparty_id, pool, kind, transfers, points, transactions)
ON CONFLICT (counterparty_id, day, partition, pool, kind, lg_code) DO UPDATE SET
    transfers = r.transfers + excluded.transfers, points = r.points + excluded.points,
    transactions = r.transactions + excluded.transactions, last_block = $3,
    blocks = CASE WHEN cardinality(r.blocks) < 16 THEN r.blocks || $3 END
RETURNING lg_code, counterparty_id, pool, kind, line, first_block < $3 AS was_there
"""
"""`blocks` lets the details of whoever has few transactions a day be found without reading the day; then it is null."""

REGISTER_ONE_AT_A_TIME: Final = "LOCK TABLE ledger.pool IN SHARE ROW EXCLUSIVE MODE"
"""Revisions are drawn before they commit; under this lock they come to light in their order, so that none is missed."""
REGISTER_POOL: Final = """
INSERT INTO ledger.pool AS p (pool, lg_code, expiry_rule, first, last, usable_in, scheme_revision)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (pool) DO UPDATE SET expiry_rule = excluded.expiry_rule, first = excluded.first, last = excluded.last,
    usable_in = excluded.usable_in, revision = DEFAULT,
    scheme_revision = greatest(p.scheme_revision, excluded.scheme_revision)
WHERE excluded.scheme_revision = 0 OR excluded.scheme_revision >= p.scheme_revision
"""

BALANCE_OF: Final = """
WITH parts AS (
    SELECT pool, expires_on, balance AS points FROM ledger.lot WHERE citizen_id = $1 AND balance > 0
    UNION ALL
    SELECT h.pool, p.expires_on, p.points FROM ledger.hold AS h
    CROSS JOIN LATERAL unnest(h.part_expires_on, h.part_points) AS p (expires_on, points)
    WHERE h.citizen_id = $1 AND h.state = 'open' AND h.kind = 'checkout' AND h.expires_at <= $3
        AND NOT EXISTS (SELECT FROM ledger.revoked WHERE revoked.citizen_id = $1)
)
SELECT pool, expires_on, sum(points)::bigint AS points FROM parts
WHERE expires_on >= $2 OR pool = 'reserve'
GROUP BY pool, expires_on ORDER BY expires_on, pool
"""
"""With what is set aside at a checkout whose time is over: that is free the moment it expires, posted or not."""
HELD_OF: Final = """
SELECT hold_id, kind, state, citizen_id, counterparty_id, pool, points, remaining AS left, refunded, expires_at, number,
    lg_code
FROM ledger.hold WHERE citizen_id = $1 AND state = 'open' AND (expires_at IS NULL OR expires_at > $2)
ORDER BY hold_id
"""
"""A voucher whose time is over is gone, one at a checkout free again: posted or not, neither is set aside."""
DUE_LOTS: Final = """
WITH page AS (
    SELECT expires_on, citizen_id, pool, balance FROM (
        SELECT account, expires_on, citizen_id, pool, balance FROM ledger.lot
        WHERE partition = $1 AND expires_on < 'infinity' AND (expires_on, citizen_id) > ($2::date, $3::uuid)
            AND expires_on <= $4
        ORDER BY expires_on, citizen_id FETCH FIRST $10 ROWS WITH TIES
    ) AS passed
    WHERE balance > 0 AND (pool = 'reserve') = $5
        AND ($7::date IS NULL OR expires_on > $7 OR account >= $8::bigint) AND account < $9
    ORDER BY expires_on, citizen_id FETCH FIRST $6 ROWS WITH TIES
)
SELECT citizen_id, pool, expires_on, sum(balance)::bigint AS points, count(*) AS lots
FROM page GROUP BY expires_on, citizen_id, pool ORDER BY expires_on, citizen_id, pool
"""
"""In the order of the index lot_expiry, which has the empty lots too: a page costs what is on it and what was emptied
among it, $10 lots in all. The index leaves out what never ends: that must be said, for PostgreSQL does not know it of
$4."""
DUE_LOTS_PASSED: Final = """
SELECT expires_on, citizen_id FROM ledger.lot
WHERE partition = $1 AND expires_on < 'infinity' AND (expires_on, citizen_id) > ($2::date, $3::uuid)
    AND expires_on <= $4
ORDER BY expires_on, citizen_id OFFSET $5::int - 1 LIMIT 1
"""
"""The last of the $5 lots that a page was looked for among; none where there are fewer."""
NEXT_ACCOUNT: Final = "SELECT next_account FROM ledger.head WHERE partition = $1"
CAME_BACK: Final = """
SELECT min(l.expires_on) FROM ledger.transfer AS t
CROSS JOIN LATERAL (
    SELECT expires_on, balance FROM ledger.lot WHERE partition = t.partition AND account = t.credit LIMIT 1
) AS l
WHERE t.partition = $1 AND t.block > coalesce((
        SELECT block FROM ledger.block WHERE partition = $1 AND posted_at < $2 ORDER BY block DESC LIMIT 1), 0)
    AND l.expires_on <= t.business_date AND l.balance > 0
"""
"""An order that came to nothing, and a correction, give points back to lots that have ended; and what is credited in
the last moment of a lot's last day may be posted when that day's lots have been looked for. Reads all posted since."""
HELD_BY_POOL: Final = "SELECT pool, sum(balance)::bigint AS points FROM ledger.lot WHERE balance > 0 GROUP BY pool"
HELD_IN: Final = """
SELECT citizen_id, sum(balance)::bigint AS points FROM ledger.lot
WHERE citizen_id = ANY ($1::uuid[]) AND pool = $2 AND balance > 0 GROUP BY citizen_id
"""
