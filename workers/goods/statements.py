"""The SQL of the schema `goods`."""

from typing import Final

WRITE_PARTIES: Final = """
INSERT INTO goods.party (party_id, kind, name) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
ON CONFLICT (party_id) DO UPDATE SET name = excluded.name
"""
WRITE_EVENT_POOLS: Final = """
INSERT INTO goods.event_pool (pool, lg_code) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING
"""
PARTY: Final = "SELECT kind, name FROM goods.party WHERE party_id = $1"

APPLY: Final = """
INSERT INTO goods.application (lg_code, party_id, mode, mail_sealed, applied_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (party_id, lg_code) DO UPDATE SET mode = excluded.mode, mail_sealed = excluded.mail_sealed
"""
APPLICATIONS: Final = """
SELECT lg_code, mail_sealed FROM goods.application WHERE party_id = $1 AND lg_code = ANY ($2::text[])
"""
POST: Final = """
INSERT INTO goods.offer (
  party_id, offer_id, revision, title, merchant, price, region, industry, page_url, posted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (party_id, offer_id) DO NOTHING RETURNING revision
"""
OFFER: Final = """
SELECT offer_id, revision, title, merchant, price, region, industry, page_url FROM goods.offer
WHERE party_id = $1 AND offer_id = $2 FOR UPDATE
"""
POST_ANEW: Final = """
UPDATE goods.offer SET revision = $3, title = $4, merchant = $5, price = $6, region = $7, industry = $8, page_url = $9,
  posted_at = $10
WHERE party_id = $1 AND offer_id = $2
"""
REVISION: Final = "SELECT revision FROM goods.offer WHERE party_id = $1 AND offer_id = $2 FOR UPDATE"
ASK_ANEW: Final = """
UPDATE goods.approval SET state = 'asked', asked_at = $3 WHERE party_id = $1 AND offer_id = $2 RETURNING lg_code
"""
ASK: Final = """
INSERT INTO goods.approval (party_id, offer_id, lg_code, state, comment, asked_at)
SELECT $1, $2, lg_code, 'asked', '', $4 FROM unnest($3::text[]) AS asked (lg_code)
ON CONFLICT DO NOTHING RETURNING lg_code
"""
DECIDE: Final = """
INSERT INTO goods.approval (party_id, offer_id, lg_code, state, comment, decided_by, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (party_id, offer_id, lg_code) DO UPDATE SET
  state = excluded.state, comment = excluded.comment, decided_at = excluded.decided_at, decided_by = excluded.decided_by
"""
IS_DECIDED_SO: Final = """
SELECT true FROM goods.approval
WHERE party_id = $1 AND offer_id = $2 AND lg_code = $3 AND state = $4 AND comment = $5 AND decided_by = $6
"""
DECISION: Final = """
SELECT revision, party_id, offer_id, lg_code, state, comment, decided_by FROM goods.decision WHERE decision_id = $1
"""
KEEP_DECISION: Final = """
INSERT INTO goods.decision (
  decision_id, revision, party_id, offer_id, lg_code, state, comment, decided_by, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
IS_ASKED: Final = "SELECT true FROM goods.approval WHERE party_id = $1 AND offer_id = $2 AND lg_code = $3"
IS_SENT_BACK: Final = """
SELECT true FROM goods.approval
WHERE party_id = $1 AND offer_id = $2 AND lg_code = $3 AND state <> 'approved' AND comment <> ''
"""
"""Also where a changed one was posted since: the comment stands until the municipality decides anew."""

OFFERS: Final = """
SELECT o.party_id, p.name AS party, o.offer_id, o.revision, o.title, o.merchant, o.price, o.region, o.industry,
  o.page_url, o.posted_at, a.lg_codes, a.states, a.comments,
  concat_ws('|', o.title, o.party_id, o.offer_id) COLLATE "C" AS place
FROM goods.offer AS o
JOIN goods.party AS p USING (party_id)
CROSS JOIN LATERAL (
  SELECT array_agg(lg_code ORDER BY lg_code) AS lg_codes, array_agg(state ORDER BY lg_code) AS states,
    array_agg(comment ORDER BY lg_code) AS comments
  FROM goods.approval AS a
  WHERE (a.party_id, a.offer_id) = (o.party_id, o.offer_id) AND ($3::text IS NULL OR a.lg_code = $3)
) AS a
WHERE ($1::uuid IS NULL OR o.party_id = $1)
  AND ($2::text IS NULL OR o.offer_id = $2)
  AND ($3::text IS NULL OR EXISTS (
    SELECT FROM goods.application AS u WHERE u.party_id = o.party_id AND u.lg_code = $3))
  AND ($3::text IS NULL OR p.kind = 'fund' OR a.lg_codes IS NOT NULL)
  AND ($4::text IS NULL OR $4 = ANY (a.states))
  AND ($5::text IS NULL OR o.region = $5)
  AND ($6::text IS NULL OR o.industry = $6)
  AND ($7::text IS NULL OR concat_ws('|', o.title, o.party_id, o.offer_id) COLLATE "C" > $7)
ORDER BY place LIMIT $8
"""
ONE_OFFER: Final = """
SELECT o.party_id, p.name AS party, o.offer_id, o.revision, o.title, o.merchant, o.price, o.region, o.industry,
  o.page_url, o.posted_at, a.lg_codes, a.states, a.comments
FROM goods.offer AS o
JOIN goods.party AS p USING (party_id)
CROSS JOIN LATERAL (
  SELECT array_agg(lg_code ORDER BY lg_code) AS lg_codes, array_agg(state ORDER BY lg_code) AS states,
    array_agg(comment ORDER BY lg_code) AS comments
  FROM goods.approval AS a WHERE (a.party_id, a.offer_id) = (o.party_id, o.offer_id)
) AS a
WHERE o.party_id = $1 AND o.offer_id = $2
"""
"""Shops ask after each of theirs: not by reading all of everybody's, as a statement does that fits any question."""
USABLE_POOLS: Final = """
SELECT asked.pool
FROM unnest($3::text[]) AS asked (pool)
LEFT JOIN goods.event_pool AS e USING (pool)
WHERE NOT EXISTS (
  SELECT FROM unnest($2::text[]) AS bought (offer_id)
  WHERE NOT EXISTS (
    SELECT FROM goods.approval AS a
    WHERE a.party_id = $1 AND a.offer_id = bought.offer_id AND a.state = 'approved'
      AND a.lg_code = CASE WHEN asked.pool LIKE 'scheme:%' THEN substr(asked.pool, 8) ELSE e.lg_code END))
"""
POOLS_USABLE_FOR_ANYTHING: Final = """
SELECT asked.pool
FROM unnest($2::text[]) AS asked (pool)
LEFT JOIN goods.event_pool AS e USING (pool)
WHERE EXISTS (
  SELECT FROM goods.approval AS a
  WHERE a.party_id = $1 AND a.state = 'approved'
    AND a.lg_code = CASE WHEN asked.pool LIKE 'scheme:%' THEN substr(asked.pool, 8) ELSE e.lg_code END)
"""

REFER: Final = """
INSERT INTO goods.referral (referral_id, party_id, lg_code, business, state, referred_at)
VALUES ($1, $2, $3, $4, 'referred', $5) ON CONFLICT DO NOTHING
"""
REFERRAL: Final = """
SELECT party_id, lg_code, business, state, offer_id, consented_by FROM goods.referral WHERE referral_id = $1 FOR UPDATE
"""
SET_REFERRAL: Final = """
UPDATE goods.referral SET state = $2, offer_id = coalesce($3, offer_id), consented_by = coalesce($4, consented_by)
WHERE referral_id = $1
"""
REFERRALS: Final = """
SELECT referral_id, party_id, lg_code, business, state, offer_id, referred_at FROM goods.referral
WHERE ($1::uuid IS NULL OR party_id = $1) AND ($2::text IS NULL OR lg_code = $2)
ORDER BY referred_at DESC, referral_id LIMIT 500
"""
