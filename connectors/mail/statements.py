"""The SQL of the mail connector: every statement takes arrays, so that a run costs one round trip."""

from typing import Final

WHO_CHOSE: Final = """
SELECT citizen_id, on_grant, on_expiry FROM mail.recipient
WHERE citizen_id = ANY ($1) AND state = 'ok' AND (on_grant OR on_expiry)
"""

PUT_RECIPIENTS: Final = """
INSERT INTO mail.recipient (citizen_id, name_sealed, address_sealed, state,
                            on_grant, on_expiry, on_password_change, on_mykey_id_change)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[],
                     $5::bool[], $6::bool[], $7::bool[], $8::bool[]) AS new (citizen_id)
WHERE NOT EXISTS (SELECT FROM mail.revoked WHERE revoked.citizen_id = new.citizen_id)
ON CONFLICT (citizen_id) DO NOTHING
"""

CHANGE_CHOICES: Final = """
UPDATE mail.recipient SET
    on_grant = changed.on_grant, on_expiry = changed.on_expiry,
    on_password_change = changed.on_password_change, on_mykey_id_change = changed.on_mykey_id_change,
    choices_revision = greatest(recipient.choices_revision, changed.revision)
FROM unnest($1::uuid[], $2::int[], $3::bool[], $4::bool[], $5::bool[], $6::bool[])
    AS changed (citizen_id, revision, on_grant, on_expiry, on_password_change, on_mykey_id_change)
WHERE recipient.citizen_id = changed.citizen_id
    AND (changed.revision = 0 OR changed.revision >= recipient.choices_revision)
"""

RECIPIENTS: Final = """
SELECT citizen_id, name_sealed, address_sealed, state, on_password_change, on_mykey_id_change
FROM mail.recipient WHERE citizen_id = ANY ($1)
"""

ADDRESS_STATE: Final = "SELECT state FROM mail.recipient WHERE citizen_id = $1"

CHANGE_ADDRESSES: Final = """
UPDATE mail.recipient
SET address_sealed = changed.address_sealed, state = changed.state, bounced_at = NULL,
    address_revision = greatest(recipient.address_revision, changed.revision)
FROM unnest($1::uuid[], $2::int[], $3::bytea[], $4::text[]) AS changed (citizen_id, revision, address_sealed, state)
WHERE recipient.citizen_id = changed.citizen_id
    AND (changed.revision = 0 OR changed.revision >= recipient.address_revision)
"""

UNKNOWN: Final = """
SELECT citizen_id FROM unnest($1::uuid[]) AS asked (citizen_id)
WHERE NOT EXISTS (SELECT FROM mail.recipient WHERE recipient.citizen_id = asked.citizen_id)
  AND NOT EXISTS (SELECT FROM mail.revoked WHERE revoked.citizen_id = asked.citizen_id)
LIMIT 1
"""

REVOKE: Final = "INSERT INTO mail.revoked SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING"

FORGET_RECIPIENTS: Final = "DELETE FROM mail.recipient WHERE citizen_id = ANY ($1)"

PUT_SCHEMES: Final = """
INSERT INTO mail.pool_name AS known (pool, lg_code, point_name, municipality, revision)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[])
ON CONFLICT (pool) DO UPDATE SET
    point_name = EXCLUDED.point_name, municipality = EXCLUDED.municipality,
    revision = greatest(known.revision, EXCLUDED.revision)
WHERE EXCLUDED.revision = 0 OR EXCLUDED.revision >= known.revision
"""

PUT_SUPPORT_EVENTS: Final = """
INSERT INTO mail.pool_name (pool, lg_code, point_name)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (pool) DO UPDATE SET point_name = EXCLUDED.point_name
"""

ADDRESSED: Final = """
SELECT asked.notice_id, recipient.name_sealed, recipient.address_sealed, recipient.state, recipient.on_grant,
       recipient.on_expiry,
       pool_name.point_name, coalesce(pool_name.municipality, home.municipality) AS municipality,
       notice.notice_id IS NOT NULL AS is_done
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS asked (notice_id, citizen_id, pool)
LEFT JOIN mail.recipient USING (citizen_id)
LEFT JOIN mail.pool_name USING (pool)
LEFT JOIN mail.pool_name AS home ON home.pool = 'scheme:' || pool_name.lg_code
LEFT JOIN mail.notice USING (notice_id)
"""

RECORD_NOTICES: Final = """
INSERT INTO mail.notice (notice_id, citizen_id, kind, state, smtp_code, at)
SELECT notice_id, citizen_id, kind, state, smtp_code, $6
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[])
    AS done (notice_id, citizen_id, kind, state, smtp_code)
ORDER BY notice_id
ON CONFLICT (notice_id) DO NOTHING
"""

MARK_BOUNCED: Final = """
UPDATE mail.recipient AS r SET state = 'bounced', bounced_at = $3
FROM unnest($1::uuid[], $2::bytea[]) AS bounced (citizen_id, address_sealed)
WHERE r.citizen_id = bounced.citizen_id AND r.address_sealed = bounced.address_sealed AND r.state = 'ok'
"""
"""Only where it is still the address that was tried: what comes late says nothing of one that was registered since."""

FORGET_NOTICES: Final = """
DELETE FROM mail.notice
WHERE notice_id IN (SELECT notice_id FROM mail.notice WHERE notice_id < $1 ORDER BY notice_id LIMIT $2)
"""
