"""The SQL of the schema `checkout`.

Nonces and orders are not flushed to disk by themselves (`synchronous_commit`): what is done because of them is the
ledger's commit, which comes later in the same log and is flushed, them included. Where that never comes, a power cut
that forgets them forgets nothing that was done. A refusal of our own is flushed: nothing comes after it.
"""

from typing import Final

FIRST_USE: Final = """
INSERT INTO checkout.nonce (key_id, nonce, expires_at)
SELECT $1::text, $2::text, $3::timestamptz WHERE set_config('synchronous_commit', 'off', true) = 'off'
ON CONFLICT DO NOTHING RETURNING true
"""
LAST_NONCE: Final = "SELECT max(expires_at) FROM checkout.nonce WHERE key_id = ANY ($1::text[])"
FORGET_NONCES: Final = "DELETE FROM checkout.nonce WHERE expires_at < $1"

TAKE: Final = """
WITH taken AS (
  INSERT INTO checkout.shop_order AS o (
    party_id, order_id, request_hash, citizen_id, hold_id, pool, points, expires_at, day, counted, code, taken_at,
    ask_after)
  SELECT $1::uuid, $2::text, $3::bytea, $4::uuid, $5::uuid, $6::text, $7::bigint, $8::timestamptz, $9::date,
    $10::integer, $11::text, $12::timestamptz, $8 + $16::interval
  WHERE set_config('synchronous_commit', $13, true) = $13
  ON CONFLICT (party_id, order_id) DO UPDATE SET
    request_hash = excluded.request_hash, citizen_id = excluded.citizen_id, pool = excluded.pool,
    points = excluded.points, expires_at = excluded.expires_at, day = excluded.day, counted = excluded.counted,
    code = excluded.code, taken_at = excluded.taken_at, ask_after = excluded.ask_after, attempt = o.attempt + 1
  WHERE $15::boolean AND o.code IS NOT NULL AND o.attempt < 99
  RETURNING order_id, request_hash, citizen_id, hold_id, pool, points, expires_at, code, attempt
), counted AS (
  INSERT INTO checkout.day_use AS u (party_id, citizen_id, day, points)
  SELECT $1, $4, $9, $7 FROM taken WHERE $11 IS NULL AND $7 <= $14::bigint
  ON CONFLICT (party_id, citizen_id, day) DO UPDATE SET points = u.points + $7 WHERE u.points + $7 <= $14
  RETURNING true
)
SELECT taken.*, EXISTS (SELECT FROM counted) AS is_counted FROM taken
"""
"""No row: the id is taken. What was refused under it gives way where $15 says so. What has no code is counted, where it
fits into the day's limit."""
ORDER: Final = """
SELECT order_id, request_hash, citizen_id, hold_id, pool, points, expires_at, code, attempt
FROM checkout.shop_order WHERE party_id = $1 AND order_id = $2
"""
REFUSE: Final = """
UPDATE checkout.shop_order SET code = $4, ask_after = NULL
WHERE party_id = $1 AND order_id = $2 AND attempt = $3 AND code IS NULL
  AND set_config('synchronous_commit', 'on', true) = 'on'
RETURNING true
"""
"""No row: what comes late is about an attempt that another one has replaced meanwhile, or that is refused already."""
REFUSE_UNCOUNTED: Final = """
UPDATE checkout.shop_order SET code = $3, counted = 0
WHERE party_id = $1 AND order_id = $2 AND set_config('synchronous_commit', 'on', true) = 'on'
"""
GIVE_BACK: Final = """
WITH ended AS (
  SELECT hold_id, min(kept) AS kept FROM unnest($1::uuid[], $2::integer[]) AS said (hold_id, kept) GROUP BY hold_id
), before AS (
  SELECT o.hold_id, o.counted, least(o.counted, ended.kept) AS kept
  FROM ended JOIN checkout.shop_order AS o USING (hold_id)
  WHERE o.counted > ended.kept OR o.ask_after IS NOT NULL FOR UPDATE OF o
), changed AS (
  UPDATE checkout.shop_order AS o SET counted = before.kept, ask_after = NULL
  FROM before WHERE o.hold_id = before.hold_id
  RETURNING o.party_id, o.citizen_id, o.day, before.counted - before.kept AS points
)
UPDATE checkout.day_use AS u SET points = u.points - back.points
FROM (SELECT party_id, citizen_id, day, sum(points) AS points FROM changed GROUP BY 1, 2, 3) AS back
WHERE back.points > 0 AND (u.party_id, u.citizen_id, u.day) = (back.party_id, back.citizen_id, back.day)
"""
LEFT: Final = """
UPDATE checkout.shop_order SET ask_after = $1::timestamptz + $2::interval WHERE (party_id, order_id) IN (
  SELECT party_id, order_id FROM checkout.shop_order
  WHERE ask_after <= $1 AND ask_after IS NOT NULL AND code IS NULL ORDER BY ask_after LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING party_id, order_id, request_hash, citizen_id, hold_id, pool, points, expires_at, code, attempt
"""
"""Orders whose end nobody has told in time; each has its turn again after $2."""
KNOWN: Final = "UPDATE checkout.shop_order SET ask_after = NULL WHERE hold_id = ANY ($1::uuid[])"
"""The ledger has had them: what becomes of them, its events tell."""
ORDERS_OF_HOLDS: Final = """
SELECT hold_id, party_id, order_id, expires_at FROM checkout.shop_order WHERE hold_id = ANY ($1::uuid[])
"""
FORGET_DAYS: Final = "DELETE FROM checkout.day_use WHERE day < $1"

OPEN_CHECKOUT: Final = """
INSERT INTO checkout.checkout (
  checkout_id, party_id, order_id, request_hash, title, at_most, item_ids, return_url, hold_for, open_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (party_id, order_id) DO NOTHING
"""
CHECKOUT_OF_ORDER: Final = """
SELECT checkout_id, party_id, order_id, request_hash, title, at_most, item_ids, return_url, hold_for, open_until
FROM checkout.checkout WHERE party_id = $1 AND order_id = $2
"""
CHECKOUT: Final = """
SELECT checkout_id, party_id, order_id, request_hash, title, at_most, item_ids, return_url, hold_for, open_until
FROM checkout.checkout WHERE checkout_id = $1
"""
UNDECIDED_CHECKOUT: Final = """
SELECT checkout_id, party_id, order_id, request_hash, title, at_most, item_ids, return_url, hold_for, open_until
FROM checkout.checkout AS c
WHERE checkout_id = $1 AND open_until > $2 AND NOT EXISTS (
  SELECT FROM checkout.shop_order AS o WHERE o.party_id = c.party_id AND o.order_id = c.order_id AND o.code IS NULL)
"""
FORGET_CHECKOUTS: Final = "DELETE FROM checkout.checkout WHERE open_until < $1"
