"""SQL of what only some commands need: holds, coupons, revocations, corrections."""

from typing import Final

STATE: Final = """
SELECT hold_id, kind, state, citizen_id, counterparty_id, lg_code, pool, points, remaining, taken, refunded, expires_at,
    number, sealed_code, part_expires_on, part_origins, part_points, false AS is_over
FROM ledger.hold WHERE hold_id = ANY ($3::uuid[])
UNION ALL
SELECT hold_id, kind, state, citizen_id, counterparty_id, lg_code, pool, points, remaining, taken, refunded, expires_at,
    number, sealed_code, part_expires_on, part_origins, part_points, true
FROM ledger.hold
WHERE citizen_id = ANY ($1::uuid[]) AND state = 'open' AND kind = 'checkout' AND expires_at <= $2
UNION ALL
SELECT NULL, NULL, NULL, citizen_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL
FROM ledger.revoked WHERE citizen_id = ANY ($1::uuid[])
"""
"""The holds that are asked for, and of these citizens those whose time is over; without a hold: who is revoked."""
HOLDS: Final = """
SELECT hold_id, kind, state, citizen_id, counterparty_id, lg_code, pool, points, remaining, taken, refunded, expires_at,
    number, sealed_code, part_expires_on, part_origins, part_points
FROM ledger.hold WHERE hold_id = ANY ($1::uuid[])
"""
PAST_LOTS: Final = """
SELECT l.ctid AS place, l.account, l.citizen_id, l.pool, l.expires_on, l.origin, l.balance
FROM unnest($1::uuid[], $2::text[], $3::date[], $4::uuid[]) AS asked (citizen_id, pool, expires_on, origin)
JOIN ledger.lot AS l ON l.citizen_id = asked.citizen_id AND l.pool = asked.pool
    AND l.expires_on = asked.expires_on AND l.origin = asked.origin
"""
NUMBERS_TAKEN: Final = "SELECT number FROM ledger.hold WHERE number = ANY ($1::text[]) AND state = 'open'"
COUPONS: Final = """
SELECT c.party_id, c.code_hash, c.points, c.pool, c.last, c.used_by
FROM ledger.coupon AS c
JOIN unnest($1::uuid[], $2::bytea[]) AS asked (party_id, code_hash)
    ON asked.party_id = c.party_id AND asked.code_hash = c.code_hash
WHERE c.voided_on IS NULL
ORDER BY c.party_id, c.code_hash FOR UPDATE OF c
"""
COUPON_OF: Final = """
SELECT points, pool, online FROM ledger.coupon
WHERE party_id = $1 AND code_hash = $2 AND used_by IS NULL AND voided_on IS NULL AND last >= $3
"""
ORIGINALS: Final = """
SELECT o.party_id, o.command_id, o.citizen_id, o.kind, o.points AS total, t.points,
    d.pool AS debit_pool, d.expires_on AS debit_expires_on, d.origin AS debit_origin, dc.name AS debit_name,
    c.pool AS credit_pool, c.expires_on AS credit_expires_on, c.origin AS credit_origin, cc.name AS credit_name,
    EXISTS (SELECT FROM ledger.correction AS r
            WHERE r.party_id = o.party_id AND r.command_id = o.command_id) AS corrected
FROM unnest($1::uuid[], $2::text[]) AS asked (party_id, command_id)
JOIN ledger.outcome AS o ON o.party_id = asked.party_id AND o.command_id = asked.command_id AND o.code IS NULL
JOIN ledger.transfer AS t ON t.partition = o.partition AND t.block = o.block AND t.outcome = o.number
LEFT JOIN ledger.lot AS d ON d.partition = t.partition AND d.account = t.debit
LEFT JOIN ledger.lot AS c ON c.partition = t.partition AND c.account = t.credit
LEFT JOIN ledger.contra AS dc ON dc.partition = t.partition AND dc.account = t.debit
LEFT JOIN ledger.contra AS cc ON cc.partition = t.partition AND cc.account = t.credit
WHERE o.partition = $3 ORDER BY t.block, t.line
"""

HOLD_COLUMNS: Final = (
    "partition", "hold_id", "kind", "state", "citizen_id", "counterparty_id", "lg_code", "pool", "points", "remaining",
    "taken", "refunded", "expires_at", "number", "sealed_code", "part_expires_on", "part_origins", "part_points",
    "opened_at",
)  # fmt: skip
CHANGE_HOLDS: Final = """
UPDATE ledger.hold AS h SET state = u.state, remaining = u.remaining, taken = u.taken, refunded = u.refunded
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS u (hold_id, state, remaining, taken, refunded)
WHERE h.hold_id = u.hold_id
"""
USE_COUPONS: Final = """
UPDATE ledger.coupon AS c SET used_by = u.citizen_id, used_on = $4
FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) AS u (party_id, code_hash, citizen_id)
WHERE c.party_id = u.party_id AND c.code_hash = u.code_hash
"""
REVOKE: Final = "INSERT INTO ledger.revoked (citizen_id, revoked_on) SELECT unnest($1::uuid[]), $2"
CORRECTED: Final = """
INSERT INTO ledger.correction (party_id, command_id, corrected_on, partition, block, number)
SELECT u.party_id, u.command_id, $4, $5, $6, u.number
FROM unnest($1::uuid[], $2::text[], $3::int[]) AS u (party_id, command_id, number)
"""
REGISTER_COUPONS: Final = """
INSERT INTO ledger.coupon (party_id, code_hash, points, pool, last, online)
SELECT $1, u.code_hash, u.points, u.pool, u.last, u.online
FROM unnest($2::bytea[], $3::bigint[], $4::text[], $5::date[], $6::boolean[])
  AS u (code_hash, points, pool, last, online)
ON CONFLICT DO NOTHING RETURNING code_hash
"""
KNOWN_COUPONS: Final = """
SELECT code_hash, points, pool, last, used_by IS NOT NULL AS used, voided_on IS NOT NULL AS voided FROM ledger.coupon
WHERE party_id = $1 AND code_hash = ANY ($2::bytea[])
"""
VOID_COUPONS: Final = """
UPDATE ledger.coupon AS c SET voided_on = $3
FROM (
  SELECT code_hash FROM ledger.coupon WHERE party_id = $1 AND code_hash = ANY ($2::bytea[])
  ORDER BY code_hash FOR UPDATE
) AS held
WHERE c.party_id = $1 AND c.code_hash = held.code_hash AND c.used_by IS NULL AND c.voided_on IS NULL
"""
COUPON_REPORT: Final = """
SELECT pool,
  count(*) FILTER (WHERE used_on BETWEEN $2 AND $3) AS used,
  coalesce(sum(points) FILTER (WHERE used_on BETWEEN $2 AND $3), 0)::bigint AS used_points,
  count(*) FILTER (WHERE used_by IS NULL AND voided_on IS NULL AND last >= $4) AS open,
  coalesce(sum(points) FILTER (WHERE used_by IS NULL AND voided_on IS NULL AND last >= $4), 0)::bigint AS open_points,
  count(*) FILTER (WHERE used_by IS NULL AND voided_on IS NULL AND last < $4) AS expired,
  count(*) FILTER (WHERE voided_on IS NOT NULL) AS voided
FROM ledger.coupon WHERE party_id = $1 GROUP BY pool ORDER BY pool
"""
VOUCHER_OF_NUMBER: Final = """
SELECT hold_id, kind, state, citizen_id, counterparty_id, pool, points, remaining AS left, taken, refunded, expires_at,
    number, lg_code
FROM ledger.hold WHERE number = $1 ORDER BY state = 'open' DESC, expires_at DESC LIMIT 1
"""
DUE_HOLDS: Final = """
SELECT hold_id, citizen_id, kind, expires_at FROM ledger.hold
WHERE partition = $1 AND state = 'open' AND expires_at <= $2
    AND ($3::timestamptz IS NULL OR (expires_at, hold_id) > ($3, $4))
ORDER BY expires_at, hold_id LIMIT $5
"""
"""Holds that nobody took in time, the longest due first."""
OPEN_MERGES: Final = """
SELECT hold_id, citizen_id, counterparty_id AS street_id, pool, remaining AS points, opened_at FROM ledger.hold
WHERE partition = $1 AND state = 'open' AND kind = 'merge' AND opened_at <= $2
    AND ($3::timestamptz IS NULL OR (opened_at, hold_id) > ($3, $4))
ORDER BY opened_at, hold_id LIMIT $5
"""
