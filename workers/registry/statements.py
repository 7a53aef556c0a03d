"""The registry's SQL. Sets go in and out as arrays: a run of 500 messages costs as many statements as one."""

from typing import Final

# --------------------------------------------------------------------------------------------- municipalities

BODIES: Final = "SELECT lg_code, kind, name, prefecture FROM registry.municipality WHERE lg_code = ANY($1::text[])"

SCHEMES: Final = "SELECT lg_code, point_name, expiry_rule FROM registry.scheme WHERE lg_code = ANY($1::text[])"

WRITE_SCHEMES: Final = """
INSERT INTO registry.scheme (lg_code, point_name, expiry_rule)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (lg_code) DO UPDATE SET point_name = excluded.point_name, expiry_rule = excluded.expiry_rule,
  revision = scheme.revision + 1
RETURNING lg_code, revision
"""

SCHEMES_BY_PREFECTURE: Final = """
SELECT lg_code, m.name AS municipality, s.point_name, s.expiry_rule
FROM registry.scheme AS s JOIN registry.municipality AS m USING (lg_code)
WHERE $1::text IS NULL OR m.prefecture = $1
ORDER BY lg_code
"""

SUPPORT_EVENTS_BY_PREFECTURE: Final = """
SELECT e.event_id, e.lg_code, m.name AS holder, e.point_name, e.first, e.last, e.usable_in
FROM registry.support_event AS e JOIN registry.municipality AS m USING (lg_code)
WHERE ($1::text IS NULL OR m.prefecture = $1) AND ($2::date IS NULL OR e.last >= $2)
ORDER BY e.lg_code, e.first, e.last, e.event_id
"""

POOL_NAMES: Final = """
SELECT 'scheme:' || lg_code AS pool, s.point_name AS name, m.name AS holder
FROM registry.scheme AS s JOIN registry.municipality AS m USING (lg_code) WHERE lg_code = ANY($1::text[])
UNION ALL
SELECT 'event:' || e.event_id, e.point_name, m.name
FROM registry.support_event AS e JOIN registry.municipality AS m USING (lg_code) WHERE e.event_id = ANY($2::uuid[])
"""

PREFECTURES: Final = """
SELECT p.lg_code, p.name, count(DISTINCT s.lg_code) AS schemes, count(e.event_id) AS support_events
FROM registry.municipality AS p JOIN registry.municipality AS m ON m.prefecture = p.lg_code
LEFT JOIN registry.scheme AS s ON s.lg_code = m.lg_code
LEFT JOIN registry.support_event AS e ON e.lg_code = m.lg_code AND e.last >= $1
WHERE p.kind = 'prefecture'
GROUP BY p.lg_code, p.name ORDER BY p.lg_code
"""

SUPPORT_EVENTS: Final = """
SELECT event_id, lg_code, point_name, first, last, usable_in
FROM registry.support_event WHERE event_id = ANY($1::uuid[])
"""

SUPPORT_EVENT_COLUMNS: Final = ("event_id", "lg_code", "point_name", "first", "last", "usable_in")

LOCK_OFFICES: Final = """
SELECT pool, office_sealed, account_sealed FROM registry.office WHERE pool = ANY($1::text[]) ORDER BY pool FOR UPDATE
"""

WRITE_OFFICES: Final = """
INSERT INTO registry.office (pool, lg_code, office_sealed, account_sealed, changed_at)
SELECT told.*, $5::timestamptz FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[]) AS told
ON CONFLICT (pool) DO UPDATE SET office_sealed = excluded.office_sealed, account_sealed = excluded.account_sealed,
  changed_at = excluded.changed_at
"""

OFFICES_OF: Final = """
SELECT o.pool, coalesce(e.point_name, s.point_name) AS point_name, o.office_sealed, o.account_sealed, o.changed_at
FROM registry.office AS o
LEFT JOIN registry.scheme AS s ON o.pool = 'scheme:' || s.lg_code AND s.lg_code = o.lg_code
LEFT JOIN registry.support_event AS e ON o.pool = 'event:' || e.event_id AND e.lg_code = o.lg_code
WHERE o.lg_code = $1
ORDER BY e.first NULLS FIRST, e.last, o.pool
"""

# ---------------------------------------------------------------------------------------------------- parties

PARTIES: Final = "SELECT party_id, kind, name FROM registry.party WHERE party_id = ANY($1::uuid[])"

PARTY_COLUMNS: Final = ("party_id", "kind", "name")

PARTY_KEYS: Final = """
SELECT key_id, party_id, p.kind, k.algorithm, k.public_key, k.secret_sealed
FROM registry.party_key AS k JOIN registry.party AS p USING (party_id)
WHERE key_id = ANY($1::text[])
"""

PARTY_KEY: Final = """
SELECT key_id, party_id, p.kind, k.algorithm, k.public_key, k.secret_sealed,
  l.requests_per_s, l.requests_at_once, l.rows_at_once, l.files_at_once, l.pools
FROM registry.party_key AS k JOIN registry.party AS p USING (party_id)
LEFT JOIN registry.party_limit AS l USING (party_id)
WHERE key_id = $1 AND (ended_at IS NULL OR ended_at > $2)
"""

END_PARTY_KEY: Final = """
UPDATE registry.party_key SET ended_at = least(ended_at, $3) WHERE party_id = $1 AND key_id = $2 RETURNING true
"""

PARTY_LIMITS: Final = """
SELECT requests_per_s, requests_at_once, rows_at_once, files_at_once, pools FROM registry.party_limit
WHERE party_id = $1
"""

WRITE_PARTY_LIMITS: Final = """
INSERT INTO registry.party_limit (party_id, requests_per_s, requests_at_once, rows_at_once, files_at_once, pools)
SELECT party_id, $2, $3, $4, $5, $6 FROM registry.party WHERE party_id = $1
ON CONFLICT (party_id) DO UPDATE SET
  requests_per_s = excluded.requests_per_s, requests_at_once = excluded.requests_at_once,
  rows_at_once = excluded.rows_at_once, files_at_once = excluded.files_at_once, pools = excluded.pools
RETURNING true
"""

PARTY_KEY_NAMES: Final = """
SELECT p.kind, p.name, k.key_id, k.algorithm, k.ended_at
FROM registry.party AS p LEFT JOIN registry.party_key AS k USING (party_id)
WHERE party_id = $1 ORDER BY k.key_id
"""

PARTY_KEY_COLUMNS: Final = ("key_id", "party_id", "algorithm", "public_key", "secret_sealed")

# ------------------------------------------------------------------------------------------------- enrolments

FORGET_ENROLMENTS: Final = "DELETE FROM registry.enrolment WHERE kept_until <= $1"

OPEN_ENROLMENTS: Final = """
INSERT INTO registry.enrolment (enrolment_id, offers, failed_checks, kept_until)
SELECT enrolment_id, 0, 0, $2 FROM unnest($1::uuid[]) AS enrolment_id
ON CONFLICT (enrolment_id) DO NOTHING
"""

LOCKED_ENROLMENTS: Final = """
SELECT enrolment_id, offers, failed_checks, candidate_sealed
FROM registry.enrolment WHERE enrolment_id = ANY($1::uuid[]) ORDER BY enrolment_id FOR UPDATE
"""

TAKEN: Final = """
SELECT mykey_hash, NULL::uuid AS enrolment_id FROM registry.used_mykey_id WHERE mykey_hash = ANY($1::bytea[])
UNION ALL
SELECT candidate_hash, enrolment_id FROM registry.enrolment
WHERE candidate_hash = ANY($1::bytea[])
"""

WRITE_ENROLMENTS: Final = """
INSERT INTO registry.enrolment
  (enrolment_id, offers, failed_checks, candidate_hash, candidate_sealed, kept_until)
SELECT enrolment_id, offers, failed_checks, candidate_hash, candidate_sealed, $6
FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::bytea[], $5::bytea[])
  AS new (enrolment_id, offers, failed_checks, candidate_hash, candidate_sealed)
ON CONFLICT (enrolment_id) DO UPDATE SET
  offers = excluded.offers, failed_checks = excluded.failed_checks, candidate_hash = excluded.candidate_hash,
  candidate_sealed = excluded.candidate_sealed, kept_until = excluded.kept_until
"""

END_ENROLMENTS: Final = "DELETE FROM registry.enrolment WHERE enrolment_id = ANY($1::uuid[])"

# --------------------------------------------------------------------------------------------------- citizens

REGISTERED_AS: Final = "SELECT citizen_id, registered_as FROM registry.citizen WHERE citizen_id = ANY($1::uuid[])"

WITH_SCHEME: Final = "SELECT lg_code FROM registry.scheme WHERE lg_code = ANY($1::text[])"

CITIZEN_COLUMNS: Final = (
    "citizen_id",
    "mykey_hash",
    "mykey_sealed",
    "name_sealed",
    "mail_sealed",
    "base_lg_code",
    "on_grant",
    "on_expiry",
    "on_password_change",
    "on_mykey_id_change",
    "registered_as",
    "registered_at",
)

MAIL_CHOICES: Final = """
SELECT citizen_id, on_grant, on_expiry, on_password_change, on_mykey_id_change
FROM registry.citizen WHERE citizen_id = ANY($1::uuid[]) AND revoked_at IS NULL
"""

WRITE_MAIL_CHOICES: Final = """
UPDATE registry.citizen AS c
SET on_grant = new.on_grant, on_expiry = new.on_expiry, on_password_change = new.on_password_change,
  on_mykey_id_change = new.on_mykey_id_change, mail_revision = c.mail_revision + 1
FROM unnest($1::uuid[], $2::boolean[], $3::boolean[], $4::boolean[], $5::boolean[])
  AS new (citizen_id, on_grant, on_expiry, on_password_change, on_mykey_id_change)
WHERE c.citizen_id = new.citizen_id
RETURNING c.citizen_id, c.mail_revision
"""

END_MAIL_CHOICES: Final = """
UPDATE registry.citizen AS c
SET on_grant = c.on_grant AND NOT ended.on_grant, on_expiry = c.on_expiry AND NOT ended.on_expiry,
  on_password_change = c.on_password_change AND NOT ended.on_password_change,
  on_mykey_id_change = c.on_mykey_id_change AND NOT ended.on_mykey_id_change, mail_revision = c.mail_revision + 1
FROM unnest($1::uuid[], $2::boolean[], $3::boolean[], $4::boolean[], $5::boolean[])
  AS ended (citizen_id, on_grant, on_expiry, on_password_change, on_mykey_id_change)
WHERE c.citizen_id = ended.citizen_id AND c.revoked_at IS NULL
  AND (c.on_grant AND ended.on_grant OR c.on_expiry AND ended.on_expiry
    OR c.on_password_change AND ended.on_password_change OR c.on_mykey_id_change AND ended.on_mykey_id_change)
RETURNING c.citizen_id, c.mail_revision, c.on_grant, c.on_expiry, c.on_password_change, c.on_mykey_id_change
"""
"""Of the row as it is when its turn comes: a choice that another process changes meanwhile stays as that leaves it."""

BASES: Final = """
SELECT citizen_id, base_lg_code FROM registry.citizen WHERE citizen_id = ANY($1::uuid[]) AND revoked_at IS NULL
"""

WRITE_BASES: Final = """
UPDATE registry.citizen AS c SET base_lg_code = new.base_lg_code
FROM unnest($1::uuid[], $2::text[]) AS new (citizen_id, base_lg_code)
WHERE c.citizen_id = new.citizen_id
"""

CITIZEN_BEHIND: Final = "SELECT citizen_id FROM registry.citizen WHERE mykey_hash = $1 AND revoked_at IS NULL"

PROFILE: Final = """
SELECT mykey_sealed, name_sealed, mail_sealed, base_lg_code,
  on_grant, on_expiry, on_password_change, on_mykey_id_change
FROM registry.citizen WHERE citizen_id = $1 AND revoked_at IS NULL
"""

# ------------------------------------------------------------------------------------------------------ links

LINKABLE_PARTIES: Final = """
SELECT party_id FROM registry.party WHERE party_id = ANY($1::uuid[]) AND kind IN ('partner', 'shop', 'fund')
"""

HELD_CITIZENS: Final = """
SELECT citizen_id FROM registry.citizen WHERE citizen_id = ANY($1::uuid[]) AND revoked_at IS NULL
ORDER BY citizen_id FOR NO KEY UPDATE
"""

LINKS_BY_LINK_ID: Final = """
SELECT party_id, link_id, l.citizen_id
FROM unnest($1::uuid[], $2::text[]) AS asked (party_id, link_id)
JOIN registry.link AS l USING (party_id, link_id)
"""

LINKS_BY_CITIZEN: Final = """
SELECT party_id, l.link_id, citizen_id
FROM unnest($1::uuid[], $2::uuid[]) AS asked (party_id, citizen_id)
JOIN registry.link AS l USING (party_id, citizen_id)
"""

LINK_COLUMNS: Final = ("party_id", "link_id", "citizen_id", "linked_at")

LINKED_CITIZENS: Final = """
SELECT link_id, citizen_id FROM registry.link WHERE party_id = $1 AND link_id = ANY($2::text[])
"""

LINKS_BEFORE: Final = """
SELECT link_id, citizen_id, account_hash FROM registry.link
WHERE party_id = $1 AND (account_hash = $2 OR citizen_id = $3) ORDER BY citizen_id = $3
"""

LINK_ACCOUNT: Final = """
INSERT INTO registry.link (party_id, link_id, citizen_id, linked_at, account_hash) VALUES ($1, $2, $3, $4, $5)
"""

LINK_IDS_OF_ACCOUNTS: Final = """
SELECT account_hash, link_id FROM registry.link WHERE party_id = $1 AND account_hash = ANY ($2::bytea[])
"""

# --------------------------------------------------------------------------------- what citizens see of parties

KNOWN_PARTIES: Final = "SELECT party_id FROM registry.party WHERE party_id = ANY($1::uuid[])"

WRITE_PARTY_PAGES: Final = """
INSERT INTO registry.party_page (party_id, linkage, page_url, about, logo, asks_coupons)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::boolean[])
ON CONFLICT (party_id) DO UPDATE SET
  linkage = excluded.linkage, page_url = excluded.page_url, about = excluded.about, logo = excluded.logo,
  asks_coupons = excluded.asks_coupons
"""

PARTIES_SHOWN: Final = """
SELECT p.party_id, p.kind, p.name, g.linkage, coalesce(g.page_url, '') AS page_url, coalesce(g.about, '') AS about,
  coalesce(length(g.logo) > 0, false) AS has_logo, coalesce(g.asks_coupons, false) AS asks_coupons
FROM registry.party AS p LEFT JOIN registry.party_page AS g USING (party_id)
WHERE ($1::text[] IS NULL OR p.kind = ANY($1)) AND ($2::uuid[] IS NULL OR p.party_id = ANY($2))
ORDER BY p.name, p.party_id
"""

LOGO: Final = "SELECT logo FROM registry.party_page WHERE party_id = $1"

LINKS_OF_CITIZEN: Final = """
SELECT party_id, p.kind, p.name, l.linked_at FROM registry.party AS p JOIN registry.link AS l USING (party_id)
WHERE l.citizen_id = $1 ORDER BY l.linked_at DESC, p.name
"""

UNLINK: Final = """
DELETE FROM registry.link AS l USING unnest($1::uuid[], $2::uuid[]) AS gone (party_id, citizen_id)
WHERE l.party_id = gone.party_id AND l.citizen_id = gone.citizen_id
RETURNING l.party_id, l.citizen_id, l.link_id
"""
