"""SQL of what is told of the past: a citizen's postings, their transfers, balances as of a day."""

from typing import Final

POSTINGS: Final = """
WITH page AS MATERIALIZED (
    SELECT o.* FROM generate_series((SELECT volume FROM ledger.head WHERE partition = $5), 0, -1) AS v (volume)
    CROSS JOIN LATERAL (
        SELECT block, number, party_id, command_id, kind, points, balances, posted_on, hold_id FROM ledger.outcome
        WHERE volume = v.volume AND citizen_id = $1 AND code IS NULL AND (block, number) < ($2, $3)
        ORDER BY block DESC, number DESC LIMIT $4
    ) AS o
    LIMIT $4
)
SELECT p.block, p.number, p.party_id, CASE WHEN p.party_id = $1 THEN p.command_id END AS command_id, p.kind, p.points,
    p.balances, p.posted_on, p.hold_id, h.pool AS hold_pool, h.counterparty_id AS hold_counterparty_id
FROM page AS p LEFT JOIN ledger.hold AS h ON h.hold_id = p.hold_id
ORDER BY p.block DESC, p.number DESC
"""
"""A volume is looked into after the one that follows it, and none once the page is full: a join with what is LATERAL
goes row by row. So below, the other way round."""
LEGS: Final = """
SELECT t.block, t.outcome AS number, dl.pool AS out_of, cl.pool AS into, coalesce(dc.party_id, cc.party_id) AS party_id,
    CASE WHEN dl.origin <> cl.origin THEN greatest(dl.origin, cl.origin) END AS origin, sum(t.points)::bigint AS points
FROM unnest($2::bigint[], $3::int[]) AS asked (block, number)
JOIN ledger.transfer AS t ON t.partition = $1 AND t.block = asked.block AND t.outcome = asked.number
LEFT JOIN ledger.lot AS dl ON dl.partition = $1 AND dl.account = t.debit
LEFT JOIN ledger.lot AS cl ON cl.partition = $1 AND cl.account = t.credit
LEFT JOIN ledger.contra AS dc ON dc.partition = $1 AND dc.account = t.debit
LEFT JOIN ledger.contra AS cc ON cc.partition = $1 AND cc.account = t.credit
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY t.block, t.outcome, min(t.line)
"""
"""What these postings moved between pools; with whom, or which partner's reserve points they were (`origin`)."""

BALANCE_AS_OF: Final = """
WITH legs AS MATERIALIZED (
    SELECT t.kind, t.debit, t.credit, t.points, o.hold_id
    FROM generate_series(0, (SELECT volume FROM ledger.head WHERE partition = $2)) AS v (volume)
    CROSS JOIN LATERAL (
        SELECT block, number, hold_id FROM ledger.outcome
        WHERE volume = v.volume AND citizen_id = $1 AND code IS NULL AND posted_on <= $3 OFFSET 0
    ) AS o
    JOIN ledger.transfer AS t ON t.partition = $2 AND t.block = o.block AND t.outcome = o.number
), changes AS (
    SELECT credit AS account, points FROM legs
    UNION ALL
    SELECT debit, -points FROM legs
    UNION ALL
    SELECT l.debit, l.points FROM legs AS l JOIN ledger.hold AS h ON h.hold_id = l.hold_id
    WHERE l.kind = 30 AND h.expires_at <= $4
        AND NOT EXISTS (SELECT FROM legs AS r WHERE r.hold_id = l.hold_id AND r.kind IN (31, 32, 33))
        AND NOT EXISTS (SELECT FROM ledger.revoked AS r WHERE r.citizen_id = $1 AND r.revoked_on <= $3)
)
SELECT l.pool, l.expires_on, sum(c.points)::bigint AS points
FROM changes AS c JOIN ledger.lot AS l ON l.partition = $2 AND l.account = c.account
WHERE l.expires_on >= $3 OR l.pool = 'reserve'
GROUP BY l.pool, l.expires_on HAVING sum(c.points) > 0 ORDER BY l.expires_on, l.pool
"""
"""From the journal alone; with what was set aside at a checkout whose time was over: that was free, posted or not."""

POSTING: Final = """
SELECT partition, block, number, citizen_id, kind, points FROM ledger.outcome
WHERE party_id = $1 AND command_id = $2 AND code IS NULL
"""
ORIGINAL: Final = """
SELECT o.citizen_id, o.kind, o.points,
    EXISTS (SELECT FROM ledger.correction AS r
            WHERE r.party_id = o.party_id AND r.command_id = o.command_id) AS corrected
FROM ledger.outcome AS o WHERE o.party_id = $1 AND o.command_id = $2 AND o.code IS NULL
"""
JOURNAL: Final = """
WITH page AS MATERIALIZED (
    SELECT o.* FROM generate_series(0, (SELECT volume FROM ledger.head WHERE partition = $7)) AS v (volume)
    CROSS JOIN LATERAL (
        SELECT partition, block, number, kind, party_id, command_id, posted_on, hold_id FROM ledger.outcome
        WHERE volume = v.volume AND citizen_id = $1 AND code IS NULL
            AND (block, number) > ($2, $3) AND (block, number) <= ($4, $5)
        ORDER BY block, number LIMIT $6
    ) AS o
    LIMIT $6
)
SELECT p.block, p.number, p.kind, p.party_id, p.command_id, p.posted_on, p.hold_id, k.corrected_on,
    t.points, t.debit, t.credit, dc.name AS debit_name, cc.name AS credit_name
FROM page AS p
JOIN ledger.transfer AS t ON t.partition = p.partition AND t.block = p.block AND t.outcome = p.number
LEFT JOIN ledger.contra AS dc ON dc.partition = t.partition AND dc.account = t.debit
LEFT JOIN ledger.contra AS cc ON cc.partition = t.partition AND cc.account = t.credit
LEFT JOIN ledger.correction AS k ON k.party_id = p.party_id AND k.command_id = p.command_id
ORDER BY p.block, p.number, t.line
"""
"""A citizen's transfers in the order in which they were posted, and whether a correction reversed them later."""
