"""The audit's SQL of what is used up, ended and corrected: per rule the first row against it."""

from typing import Final

COUPONS: Final = """
WITH stored AS (
    SELECT party_id, used_by AS citizen_id, count(*) AS coupons, sum(points) AS points FROM ledger.coupon
    WHERE used_by IS NOT NULL AND get_byte(uuid_send(used_by), 15) & 15 = $1 GROUP BY 1, 2
), said AS (
    SELECT party_id, citizen_id, count(*) AS coupons, sum(points) AS points FROM ledger.outcome
    WHERE partition = $1 AND kind = 11 AND code IS NULL GROUP BY 1, 2
)
SELECT 'coupon' AS "table", concat_ws('/', party_id, citizen_id) AS key,
    format('%s are used with %s points, and the outcomes say %s with %s', coalesce(c.coupons, 0),
           coalesce(c.points, 0), coalesce(s.coupons, 0), coalesce(s.points, 0)) AS what
FROM stored AS c FULL JOIN said AS s USING (party_id, citizen_id)
WHERE (c.coupons, c.points) IS DISTINCT FROM (s.coupons, s.points) ORDER BY party_id, citizen_id LIMIT 1
"""
COUPONS_USED: Final = """
SELECT 'coupon' AS "table", concat_ws('/', party_id, encode(code_hash, 'hex')) AS key,
    CASE WHEN c.points IS NULL THEN 'its outcome is there, and it is not'
         WHEN times > 1 THEN format('%s outcomes have used it up', times)
         WHEN c.used_by IS NULL THEN 'its outcome is there, and it is not used'
         ELSE format('it says %s points for %s on %s, and its outcome %s for %s on %s', c.points, c.used_by, c.used_on,
                     s.points, s.citizen_id, s.posted_on) END AS what
FROM (SELECT party_id, hold_terms AS code_hash, citizen_id, points, posted_on,
          count(*) OVER (PARTITION BY party_id, hold_terms) AS times
      FROM ledger.outcome WHERE partition = $1 AND kind = 11 AND code IS NULL AND hold_terms IS NOT NULL) AS s
LEFT JOIN ledger.coupon AS c USING (party_id, code_hash)
WHERE times > 1 OR (c.used_by, c.used_on, c.points) IS DISTINCT FROM (s.citizen_id, s.posted_on, s.points)
ORDER BY party_id, code_hash LIMIT 1
"""
"""Outcomes from before the chain kept which coupon was used are compared by COUPONS alone."""
REVOKED: Final = """
SELECT 'revoked' AS "table", citizen_id::text AS key,
    CASE WHEN o.day IS NULL THEN 'no outcome ever ended this MyKey ID'
         WHEN r.revoked_on IS NULL THEN 'its outcome is there, and it is not'
         ELSE format('it says %s, and its outcome %s', r.revoked_on, o.day) END AS what
FROM (SELECT citizen_id, revoked_on FROM ledger.revoked WHERE get_byte(uuid_send(citizen_id), 15) & 15 = $1) AS r
FULL JOIN (SELECT citizen_id, posted_on AS day FROM ledger.outcome
           WHERE partition = $1 AND kind = 50 AND code IS NULL) AS o USING (citizen_id)
WHERE r.revoked_on IS DISTINCT FROM o.day ORDER BY citizen_id LIMIT 1
"""
CORRECTIONS: Final = """
WITH stored AS (
    SELECT o.citizen_id, count(*) AS corrections, sum(o.points) AS points
    FROM ledger.correction AS c LEFT JOIN ledger.outcome AS o USING (party_id, command_id)
    WHERE coalesce(o.partition, (SELECT min(partition) FROM ledger.head WHERE elsewhere IS NULL)) = $1 GROUP BY 1
), said AS (
    SELECT citizen_id, count(*) AS corrections, sum(points) AS points FROM ledger.outcome
    WHERE partition = $1 AND kind = 51 AND code IS NULL GROUP BY 1
)
SELECT 'correction' AS "table", coalesce(citizen_id::text, 'nobody') AS key,
    format('%s are there over %s points, and the outcomes say %s over %s', coalesce(c.corrections, 0),
           coalesce(c.points, 0), coalesce(s.corrections, 0), coalesce(s.points, 0)) AS what
FROM stored AS c FULL JOIN said AS s USING (citizen_id)
WHERE (c.corrections, c.points) IS DISTINCT FROM (s.corrections, s.points) ORDER BY citizen_id LIMIT 1
"""
CORRECTED: Final = """
WITH stored AS (
    SELECT c.party_id, c.command_id, c.corrected_on, c.block, c.number, o.block AS first_block,
        o.number AS first_number
    FROM ledger.correction AS c
    LEFT JOIN ledger.outcome AS o ON o.party_id = c.party_id AND o.command_id = c.command_id
        AND o.partition = coalesce(c.partition, o.partition) AND o.code IS NULL
    WHERE coalesce(c.partition, o.partition, (SELECT min(partition) FROM ledger.head WHERE elsewhere IS NULL)) = $1
), said AS (
    SELECT o.block, o.number, o.posted_on,
        string_agg(concat_ws('/', t.debit, coalesce(e.name, t.credit::text), t.points), ' ' ORDER BY t.line) AS legs
    FROM ledger.outcome AS o
    JOIN ledger.transfer AS t ON t.partition = $1 AND t.block = o.block AND t.outcome = o.number
    LEFT JOIN ledger.contra AS e ON e.partition = $1 AND e.account = t.credit AND e.name LIKE 'expired:%'
    WHERE o.partition = $1 AND o.kind = 51 AND o.code IS NULL GROUP BY 1, 2, 3
), reversed AS (
    SELECT s.block, s.number,
        string_agg(concat_ws('/', t.credit, t.debit, t.points), ' ' ORDER BY t.line DESC) AS legs,
        string_agg(concat_ws('/', t.credit, coalesce('expired:' || l.pool, t.debit::text), t.points),
                   ' ' ORDER BY t.line DESC) AS ended
    FROM stored AS s
    JOIN ledger.transfer AS t ON t.partition = $1 AND t.block = s.first_block AND t.outcome = s.first_number
    LEFT JOIN ledger.lot AS l ON l.partition = $1 AND l.account = t.debit
    GROUP BY 1, 2
)
SELECT 'correction' AS "table",
    CASE WHEN c.party_id IS NULL THEN concat_ws('/', $1::smallint, block, number)
         ELSE concat_ws('/', c.party_id, c.command_id) END AS key,
    CASE WHEN c.party_id IS NULL THEN 'its outcome is there, and not what it reversed'
         WHEN s.legs IS NULL THEN 'no outcome there reversed it'
         WHEN c.corrected_on <> s.posted_on THEN format('it says %s, and its outcome %s', c.corrected_on, s.posted_on)
         ELSE format('its outcome %s does not reverse what was posted', concat_ws('/', $1::smallint, block, number))
    END AS what
FROM stored AS c FULL JOIN said AS s USING (block, number) LEFT JOIN reversed AS r USING (block, number)
WHERE s.legs IS NULL OR c.corrected_on IS DISTINCT FROM s.posted_on
    OR coalesce(s.legs IN (r.legs, r.ended), false) IS FALSE
ORDER BY block, number LIMIT 1
"""
"""Only what comes back to an ended MyKey ID does not go to where it was: that is for ALLOWED to say."""
