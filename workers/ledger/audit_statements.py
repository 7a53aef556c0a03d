"""The audit's SQL: the streams that the chain is followed by, and per rule the first row against it."""

from typing import Final

from workers.ledger.audit_state_statements import CORRECTED, CORRECTIONS, COUPONS, COUPONS_USED, REVOKED
from workers.ledger.closing_statements import DAYS_CLOSED, MONTHS_CLOSED

JOIN_WHOLE_TABLES: Final = """
SELECT set_config('enable_nestloop', 'off', true), set_config('work_mem', '64MB', true)
"""
"""For a transaction. Generic plans know nothing of a partition's size, and would look up each transfer's accounts."""

HEAD: Final = """
SELECT h.block, h.hash, h.next_account,
    coalesce((SELECT max(b.block) FROM ledger.block AS b WHERE b.partition = $1), 0) AS last_block
FROM ledger.head AS h WHERE h.partition = $1
"""
NEXT_BLOCK: Final = "SELECT min(block) FROM ledger.block WHERE partition = $1 AND block > $2"
BLOCK_HASH: Final = "SELECT hash FROM ledger.block WHERE partition = $1 AND block = $2"
BLOCKS: Final = """
SELECT partition, block, previous, hash, outcomes, transfers, first_account, until_account, accounts_hash
FROM ledger.block WHERE partition = $1 AND block BETWEEN $2 AND $3 ORDER BY block
"""
OUTCOMES: Final = """
SELECT party_id, command_id, request_hash, partition, block, number, citizen_id, kind, code, points, balances,
    posted_on, hold_id, hold_terms
FROM ledger.outcome WHERE partition = $1 AND block BETWEEN $2 AND $3 ORDER BY block, number
"""
TRANSFERS: Final = """
SELECT partition, block, line, outcome, kind, debit, credit, points, business_date
FROM ledger.transfer WHERE partition = $1 AND block BETWEEN $2 AND $3 ORDER BY block, outcome, line
"""
"""In the order of the primary key, so that nothing is sorted: in sound books the lines run like this."""
ACCOUNTS: Final = """
WITH slice AS MATERIALIZED (
    SELECT min(first_account) AS first, max(until_account) AS until FROM ledger.block
    WHERE partition = $1 AND block BETWEEN $2 AND $3
)
SELECT account, NULL AS name, citizen_id, pool, expires_on, origin FROM ledger.lot
WHERE partition = $1 AND account >= (SELECT first FROM slice) AND account < (SELECT until FROM slice)
UNION ALL
SELECT account, name, NULL, '', 'infinity', NULL FROM ledger.contra
WHERE partition = $1 AND account >= (SELECT first FROM slice) AND account < (SELECT until FROM slice)
ORDER BY account
"""
"""Those that the blocks opened; numbers are given in the order of the blocks."""
COUNTS: Final = """
SELECT (SELECT count(*) FROM ledger.lot WHERE partition = $1)
    + (SELECT count(*) FROM ledger.contra WHERE partition = $1) AS accounts,
    (SELECT count(*) FROM ledger.rollup WHERE partition = $1) AS rollups
"""

LOTS: Final = """
SELECT 'lot' AS "table", concat_ws('/', l.partition, l.account) AS key,
    CASE WHEN l.balance < 0 THEN 'its balance is below zero'
         WHEN l.account >= h.next_account THEN 'its number was never given'
         ELSE 'its citizen belongs to another partition' END AS what
FROM ledger.lot AS l JOIN ledger.head AS h ON h.partition = l.partition
WHERE l.partition = $1 AND (l.balance < 0 OR l.account >= h.next_account
    OR get_byte(uuid_send(l.citizen_id), 15) & 15 <> l.partition)
ORDER BY l.account LIMIT 1
"""
CONTRAS: Final = """
SELECT 'contra' AS "table", concat_ws('/', c.partition, c.name) AS key,
    CASE WHEN c.account >= h.next_account THEN 'its number was never given'
         ELSE 'its name and its party do not fit' END AS what
FROM ledger.contra AS c JOIN ledger.head AS h ON h.partition = c.partition
WHERE c.partition = $1 AND (c.account >= h.next_account
    OR CASE WHEN c.party_id IS NULL THEN split_part(c.name, ':', 1) NOT IN ('expired', 'voucher', 'checkout', 'merge')
            ELSE split_part(c.name, ':', 2) <> encode(uuid_send(c.party_id), 'hex') END)
ORDER BY c.name LIMIT 1
"""
ACCOUNTS_ONCE: Final = """
SELECT min(kind) AS "table", concat_ws('/', $1::smallint, account) AS key, 'two accounts have this number' AS what
FROM (SELECT account, 'lot' AS kind FROM ledger.lot WHERE partition = $1
      UNION ALL SELECT account, 'contra' FROM ledger.contra WHERE partition = $1) AS stored
GROUP BY account HAVING count(*) > 1 ORDER BY account LIMIT 1
"""
LOTS_ONCE: Final = """
SELECT 'lot' AS "table", concat_ws('/', $1::smallint, max(account)) AS key,
    'another lot has the same citizen, pool, last day and origin' AS what
FROM ledger.lot WHERE partition = $1
GROUP BY citizen_id, pool, expires_on, origin HAVING count(*) > 1 ORDER BY max(account) LIMIT 1
"""
BALANCES: Final = """
WITH moved AS (
    SELECT account, sum(points) AS points
    FROM (SELECT debit AS account, -points AS points FROM ledger.transfer WHERE partition = $1
          UNION ALL SELECT credit, points FROM ledger.transfer WHERE partition = $1) AS legs
    GROUP BY account
), stored AS (
    SELECT account, 'lot' AS kind, account::text AS name, balance FROM ledger.lot WHERE partition = $1
    UNION ALL SELECT account, 'contra', name, balance FROM ledger.contra WHERE partition = $1
)
SELECT coalesce(kind, 'transfer') AS "table", concat_ws('/', $1::smallint, coalesce(name, account::text)) AS key,
    CASE WHEN kind IS NULL THEN 'transfers name this account, and there is none'
         WHEN points IS NULL THEN format('its balance is %s, and no transfer ever touched it', balance)
         ELSE format('its balance is %s, and its transfers add up to %s', balance, points) END AS what
FROM stored FULL JOIN moved USING (account)
WHERE balance IS DISTINCT FROM points
ORDER BY account LIMIT 1
"""
ALLOWED: Final = """
SELECT 'transfer' AS "table", concat_ws('/', t.partition, t.block, t.line) AS key,
    format('kind %s from %s to %s is nothing that the ledger does for this command', t.kind,
           coalesce(dl.pool, dc.name, 'nowhere'), coalesce(cl.pool, cc.name, 'nowhere')) AS what
FROM ledger.transfer AS t
LEFT JOIN ledger.outcome AS o ON o.partition = $1 AND o.block = t.block AND o.number = t.outcome
LEFT JOIN ledger.lot AS dl ON dl.partition = $1 AND dl.account = t.debit
LEFT JOIN ledger.lot AS cl ON cl.partition = $1 AND cl.account = t.credit
LEFT JOIN ledger.contra AS dc ON dc.partition = $1 AND dc.account = t.debit
LEFT JOIN ledger.contra AS cc ON cc.partition = $1 AND cc.account = t.credit
LEFT JOIN ledger.revoked AS r ON r.citizen_id = o.citizen_id
CROSS JOIN LATERAL (SELECT r.citizen_id,
    CASE WHEN r.citizen_id IS NOT NULL THEN substring(cc.name FROM '^expired:(.*)') END AS pool) AS gone
WHERE t.partition = $1 AND (
    coalesce(dl.citizen_id, o.citizen_id) <> o.citizen_id OR coalesce(cl.citizen_id, o.citizen_id) <> o.citizen_id
    OR coalesce(CASE t.kind
        WHEN 1 THEN dc.name = 'partner:' || encode(uuid_send(o.party_id), 'hex') AND cl.expires_on >= t.business_date
            AND (cl.origin = o.party_id) = (cl.pool = 'reserve')
        WHEN 11 THEN dc.name = 'partner:' || encode(uuid_send(o.party_id), 'hex') AND cl.expires_on >= t.business_date
            AND (cl.origin = o.party_id) = (cl.pool = 'reserve')
        WHEN 10 THEN dc.name LIKE 'programme:%' AND cl.pool <> 'reserve' AND cl.expires_on >= t.business_date
        WHEN 2 THEN dl.pool = 'reserve' AND cl.pool <> 'reserve' AND cl.expires_on >= t.business_date
        WHEN 3 THEN dl.pool = 'reserve' AND cl.pool <> 'reserve' AND cl.expires_on >= t.business_date
            AND dl.expires_on < t.business_date
        WHEN 4 THEN dl.pool <> 'reserve' AND cc.name LIKE 'store:%' AND dl.expires_on >= t.business_date
        WHEN 5 THEN dl.pool <> 'reserve' AND cc.name = 'expired:' || dl.pool AND dl.expires_on < t.business_date
        WHEN 6 THEN dl.pool <> 'reserve' AND cc.name LIKE 'store:%' AND dl.expires_on >= t.business_date
        WHEN 20 THEN dl.pool <> 'reserve' AND cc.name = 'voucher:' || dl.pool AND dl.expires_on >= t.business_date
        WHEN 21 THEN dc.name LIKE 'voucher:%' AND cc.name LIKE 'store:%'
        WHEN 22 THEN replace(dc.name, 'voucher:', 'expired:') = cc.name
        WHEN 30 THEN dl.pool <> 'reserve' AND cc.name = 'checkout:' || dl.pool AND dl.expires_on >= t.business_date
        WHEN 31 THEN dc.name LIKE 'checkout:%' AND (cc.name LIKE 'shop:%' OR dc.name = 'checkout:' || cl.pool
            OR gone.citizen_id IS NOT NULL AND cc.name = replace(dc.name, 'checkout:', 'expired:'))
        WHEN 32 THEN dc.name = 'checkout:' || coalesce(cl.pool, gone.pool)
        WHEN 33 THEN dc.name = 'checkout:' || coalesce(cl.pool, gone.pool)
        WHEN 34 THEN dc.name LIKE 'shop:%' AND (gone.pool IS NOT NULL
            OR cl.pool <> 'reserve' AND cl.expires_on >= t.business_date)
        WHEN 40 THEN dl.pool <> 'reserve' AND cc.name = 'merge:' || dl.pool AND dl.expires_on >= t.business_date
        WHEN 41 THEN dc.name LIKE 'merge:%' AND cc.name LIKE 'street:%'
        WHEN 42 THEN dc.name = 'merge:' || coalesce(cl.pool, gone.pool)
        WHEN 50 THEN cc.name = 'expired:' || dl.pool
        WHEN 51 THEN dl.account IS NOT NULL OR cl.account IS NOT NULL
            OR dc.name LIKE 'store:%' AND gone.pool IS NOT NULL
    END, false) IS FALSE)
ORDER BY t.block, t.line LIMIT 1
"""
ROLLUPS: Final = """
WITH sides AS (
    SELECT t.block, t.outcome, t.business_date AS day, t.points,
        CASE WHEN t.kind <> 51 THEN t.kind WHEN cc.name LIKE 'partner:%' THEN -1
             WHEN cc.name LIKE 'programme:%' THEN -10 WHEN dc.name LIKE 'store:%' THEN -4 ELSE -2 END AS kind,
        coalesce(dl.pool, CASE WHEN dc.party_id IS NULL THEN substring(dc.name FROM '[^:]*:(.*)') END) AS debit_pool,
        coalesce(cl.pool, CASE WHEN cc.party_id IS NULL THEN substring(cc.name FROM '[^:]*:(.*)') END) AS credit_pool,
        CASE WHEN dl.account IS NOT NULL AND cl.account IS NOT NULL
             THEN coalesce(nullif(dl.origin, '00000000-0000-0000-0000-000000000000'), cl.origin)
             ELSE coalesce(dc.party_id, cc.party_id, '00000000-0000-0000-0000-000000000000')
        END AS counterparty_id
    FROM ledger.transfer AS t
    LEFT JOIN ledger.lot AS dl ON dl.partition = $1 AND dl.account = t.debit
    LEFT JOIN ledger.lot AS cl ON cl.partition = $1 AND cl.account = t.credit
    LEFT JOIN ledger.contra AS dc ON dc.partition = $1 AND dc.account = t.debit
    LEFT JOIN ledger.contra AS cc ON cc.partition = $1 AND cc.account = t.credit
    WHERE t.partition = $1
), settled AS (
    SELECT block, outcome, day, kind, points, counterparty_id,
        CASE WHEN credit_pool = 'reserve' THEN coalesce(debit_pool, credit_pool)
             ELSE coalesce(credit_pool, debit_pool) END AS pool
    FROM sides
), transactions AS (
    SELECT day, counterparty_id, pool, kind, block, outcome, count(*) AS transfers, sum(points) AS points
    FROM settled GROUP BY 1, 2, 3, 4, 5, 6
), recomputed AS (
    SELECT t.day, coalesce(p.lg_code, '') AS lg_code, t.counterparty_id, t.pool, t.kind,
        sum(t.transfers) AS transfers, sum(t.points) AS points, count(*) AS transactions,
        min(t.block) AS first_block, max(t.block) AS last_block,
        CASE WHEN count(DISTINCT t.block) <= 16 THEN array_agg(DISTINCT t.block ORDER BY t.block) END AS blocks
    FROM transactions AS t LEFT JOIN ledger.pool AS p ON p.pool = t.pool
    GROUP BY 1, 2, 3, 4, 5
), stored AS (
    SELECT day, lg_code, counterparty_id, pool, kind, transfers, points, transactions, first_block, last_block, blocks
    FROM ledger.rollup WHERE partition = $1
)
SELECT 'rollup' AS "table", concat_ws('/', $1::smallint, day, lg_code, counterparty_id, pool, kind) AS key,
    CASE WHEN (s.transfers, s.points) IS DISTINCT FROM (r.transfers, r.points)
         THEN format('it says %s transfers and %s points, the journal %s and %s',
                     coalesce(s.transfers, 0), coalesce(s.points, 0), coalesce(r.transfers, 0), coalesce(r.points, 0))
         ELSE format('it says %s transactions in %s to %s (%s), the journal %s in %s to %s (%s)', s.transactions,
                     s.first_block, s.last_block, s.blocks, r.transactions, r.first_block, r.last_block, r.blocks)
    END AS what
FROM stored AS s FULL JOIN recomputed AS r USING (day, lg_code, counterparty_id, pool, kind)
WHERE (s.transfers, s.points, s.transactions, s.first_block, s.last_block, s.blocks)
    IS DISTINCT FROM (r.transfers, r.points, r.transactions, r.first_block, r.last_block, r.blocks)
ORDER BY day, lg_code, counterparty_id, pool, kind LIMIT 1
"""
VOLUMES: Final = """
SELECT 'outcome' AS "table", concat_ws('/', $1::smallint, o.block, o.number) AS key,
    CASE WHEN o.volume < o.before THEN format('it is in volume %s, after one in volume %s', o.volume, o.before)
         ELSE format('it is in volume %s, and the head says %s', o.volume, h.volume) END AS what
FROM (SELECT block, number, volume, lag(volume, 1, 0::smallint) OVER (ORDER BY block, number) AS before
      FROM ledger.outcome WHERE partition = $1) AS o
CROSS JOIN (SELECT volume FROM ledger.head WHERE partition = $1) AS h
WHERE o.volume < o.before OR o.volume > h.volume
ORDER BY o.block, o.number LIMIT 1
"""
"""A history is looked for volume by volume: elsewhere its citizen would not see this posting, or not in its order."""

HOLDS: Final = """
WITH said AS (
    SELECT hold_id, coalesce(sum(points) FILTER (WHERE kind IN (20, 30, 40)), 0) AS points,
        coalesce(sum(points) FILTER (WHERE kind IN (21, 31, 41)), 0) AS taken,
        coalesce(sum(points) FILTER (WHERE kind = 34), 0) AS refunded,
        (array_agg(hold_terms) FILTER (WHERE kind IN (20, 30, 40)))[1] AS terms,
        count(*) FILTER (WHERE kind IN (21, 22, 31, 32, 33, 41, 42)) AS ends,
        CASE min(kind) FILTER (WHERE kind IN (21, 22, 31, 32, 33, 41, 42))
            WHEN 21 THEN 'taken' WHEN 31 THEN 'taken' WHEN 41 THEN 'taken' WHEN 22 THEN 'expired'
            WHEN 32 THEN 'returned' WHEN 33 THEN 'returned' WHEN 42 THEN 'returned' ELSE 'open' END AS state
    FROM ledger.outcome WHERE partition = $1 AND kind > 10 AND hold_id IS NOT NULL AND code IS NULL GROUP BY hold_id
), stored AS (
    SELECT h.hold_id, h.points, h.taken, h.refunded, h.remaining,
        CASE WHEN h.state = 'expired' AND h.kind <> 'voucher' AND r.citizen_id IS NOT NULL THEN 'returned'
             ELSE h.state END AS state,
        sha256(convert_to(concat_ws(E'\t', replace(h.hold_id::text, '-', ''), h.kind,
            replace(h.citizen_id::text, '-', ''), replace(h.counterparty_id::text, '-', ''), h.lg_code, h.pool,
            h.points,
            coalesce(to_char(h.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ''),
            coalesce(h.number, ''),
            (SELECT string_agg(concat_ws('/', replace(p.day::text, 'infinity', '9999-12-31'),
                    replace(p.origin::text, '-', ''), p.points), E'\t' ORDER BY p.place)
             FROM unnest(h.part_expires_on, h.part_origins, h.part_points) WITH ORDINALITY
                AS p (day, origin, points, place))), 'UTF8')) AS terms
    FROM ledger.hold AS h LEFT JOIN ledger.revoked AS r ON r.citizen_id = h.citizen_id WHERE h.partition = $1
)
SELECT 'hold' AS "table", hold_id::text AS key,
    CASE WHEN s.points IS NULL THEN 'no outcome ever set it aside'
         WHEN h.points IS NULL THEN 'its outcomes are there, and it is not'
         WHEN h.terms IS DISTINCT FROM s.terms THEN 'it is not as it was made'
         WHEN s.ends > 1 THEN format('it was resolved %s times', s.ends)
         WHEN h.state <> s.state THEN format('it says %s, and its outcomes %s', h.state, s.state)
         ELSE format('it says %s set aside, %s left, %s taken, %s refunded; its outcomes say %s, %s, %s, %s',
             h.points, h.remaining, h.taken, h.refunded,
             s.points, CASE WHEN s.state = 'open' THEN s.points ELSE 0 END, s.taken, s.refunded) END AS what
FROM stored AS h FULL JOIN said AS s USING (hold_id)
WHERE (h.points, h.taken, h.refunded, h.remaining, h.state, h.terms, 1) IS DISTINCT FROM (s.points, s.taken, s.refunded,
    CASE WHEN s.state = 'open' THEN s.points ELSE 0 END, s.state, s.terms, greatest(s.ends, 1))
ORDER BY hold_id LIMIT 1
"""
SET_ASIDE: Final = """
WITH held AS (
    SELECT kind || ':' || pool AS name, sum(remaining) AS points FROM ledger.hold WHERE partition = $1 GROUP BY 1
), stored AS (
    SELECT name, balance FROM ledger.contra
    WHERE partition = $1 AND split_part(name, ':', 1) IN ('voucher', 'checkout', 'merge')
)
SELECT 'contra' AS "table", concat_ws('/', $1::smallint, name) AS key,
    format('its balance is %s, and what its holds have left is %s', balance, points) AS what
FROM stored FULL JOIN held USING (name)
WHERE balance IS DISTINCT FROM points ORDER BY name LIMIT 1
"""

RULES: Final = (
    LOTS, CONTRAS, ACCOUNTS_ONCE, LOTS_ONCE, BALANCES, COUPONS, COUPONS_USED, REVOKED, CORRECTIONS, CORRECTED, ALLOWED,
    VOLUMES, HOLDS, SET_ASIDE, ROLLUPS, DAYS_CLOSED, MONTHS_CLOSED,
)  # fmt: skip
"""Each finds at most one row (table, key, what); $1 is the partition. Their order is the order of naming."""
READ_THE_JOURNAL: Final = frozenset({BALANCES, ALLOWED, ROLLUPS})
"""Those that join every transfer of the partition."""
