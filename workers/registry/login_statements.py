"""The SQL of log-ins: failed tries, sessions, passwords, known browsers. Rows are locked in order of their hashes."""

from typing import Final

# ------------------------------------------------------------------------------------------------------ tries

OPEN_COUNTERS: Final = """
INSERT INTO registry.failed_try (what_hash, since, failures) SELECT hash, $2, 0 FROM unnest($1::bytea[]) AS hash
ON CONFLICT (what_hash) DO NOTHING
"""

LOCKED_COUNTERS: Final = """
SELECT what_hash, CASE WHEN since > $2 THEN failures ELSE 0 END AS failures
FROM registry.failed_try WHERE what_hash = ANY ($1::bytea[]) ORDER BY what_hash FOR UPDATE
"""

COUNT: Final = """
UPDATE registry.failed_try SET
  failures = CASE WHEN since > $2 THEN failures + 1 ELSE 1 END,
  since = CASE WHEN since > $2 AND failures > 0 THEN since ELSE $3 END
WHERE what_hash = ANY ($1::bytea[])
"""

UNCOUNT: Final = """
UPDATE registry.failed_try AS t SET failures = greatest(t.failures - 1, 0)
FROM (
  SELECT what_hash FROM registry.failed_try WHERE what_hash = ANY ($1::bytea[]) ORDER BY what_hash FOR UPDATE
) AS held
WHERE t.what_hash = held.what_hash
"""

FORGET_TRIES: Final = """
DELETE FROM registry.failed_try
WHERE what_hash IN (SELECT what_hash FROM registry.failed_try WHERE since < $1 ORDER BY since LIMIT $2)
"""

# -------------------------------------------------------------------------------------------------- passwords

ACCOUNT_BEHIND: Final = """
SELECT citizen_id, password_sealed FROM registry.citizen WHERE mykey_hash = $1 AND revoked_at IS NULL
"""

ACCOUNT_OF: Final = """
SELECT citizen_id, mykey_hash, mykey_sealed, password_sealed FROM registry.citizen
WHERE citizen_id = $1 AND revoked_at IS NULL
"""

LOCK_ACCOUNT: Final = """
SELECT password_sealed FROM registry.citizen WHERE citizen_id = $1 AND revoked_at IS NULL FOR UPDATE
"""

WRITE_ACCOUNT: Final = "UPDATE registry.citizen SET password_sealed = $2 WHERE citizen_id = $1 AND revoked_at IS NULL"

UPGRADE_ACCOUNT: Final = """
UPDATE registry.citizen SET password_sealed = $3 WHERE citizen_id = $1 AND password_sealed = $2
"""

MAIL_OF: Final = "SELECT mail_sealed FROM registry.citizen WHERE citizen_id = $1 AND revoked_at IS NULL FOR UPDATE"

SET_MAIL: Final = """
UPDATE registry.citizen SET mail_sealed = $2, mail_revision = mail_revision + 1 WHERE citizen_id = $1
RETURNING mail_revision
"""

# --------------------------------------------------------------------------------------------- known browsers

KNOWN_DEVICE: Final = "SELECT 1 FROM registry.known_device WHERE citizen_id = $1 AND device_hash = $2"

PUT_DEVICE: Final = """
INSERT INTO registry.known_device (citizen_id, device_hash, used_at) VALUES ($1, $2, $3)
ON CONFLICT (citizen_id, device_hash) DO UPDATE SET used_at = excluded.used_at
"""

FORGET_OLDEST_DEVICES: Final = """
DELETE FROM registry.known_device WHERE citizen_id = $1 AND device_hash IN (
  SELECT device_hash FROM registry.known_device WHERE citizen_id = $1 ORDER BY used_at DESC OFFSET $2)
"""

FORGET_DEVICES: Final = "DELETE FROM registry.known_device WHERE citizen_id = ANY ($1::uuid[])"

# --------------------------------------------------------------------------------------------------- sessions

BEGIN_SESSION: Final = """
INSERT INTO registry.session
  (id_hash, kind, subject_id, how, terminal_id, insertion, begun_at, used_at, ends_at, confirmed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)
"""

USE_SESSIONS: Final = """
UPDATE registry.session SET used_at = $2
WHERE id_hash = ANY ($1::bytea[]) AND ends_at > $2
  AND used_at > $2 - CASE kind WHEN 'citizen' THEN $3::interval WHEN 'counter' THEN $4::interval ELSE $5::interval END
RETURNING id_hash, kind, subject_id, how, terminal_id, insertion, begun_at, ends_at, confirmed_at
"""

SESSION: Final = """
SELECT id_hash, kind, subject_id, how, terminal_id, insertion, begun_at, ends_at, confirmed_at
FROM registry.session
WHERE id_hash = $1 AND ends_at > $2
  AND used_at > $2 - CASE kind WHEN 'citizen' THEN $3::interval WHEN 'counter' THEN $4::interval ELSE $5::interval END
"""

ROTATE_SESSION: Final = """
UPDATE registry.session SET id_hash = $2, used_at = $3, confirmed_at = $3 WHERE id_hash = $1
"""

END_SESSIONS: Final = """
DELETE FROM registry.session WHERE id_hash = ANY ($1::bytea[]) OR subject_id = ANY ($2::uuid[])
  OR terminal_id = ANY ($3::text[])
RETURNING 1
"""

END_SESSIONS_OF_CARD: Final = """
DELETE FROM registry.session WHERE terminal_id = $1 AND insertion = $2 RETURNING 1
"""

HOLD_INSERTION: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))"

CARD_REMOVED: Final = """
INSERT INTO registry.removed_card (insertion, removed_at) VALUES ($1, $2) ON CONFLICT (insertion) DO NOTHING
"""

IS_CARD_REMOVED: Final = "SELECT 1 FROM registry.removed_card WHERE insertion = $1"

FORGET_SESSIONS: Final = """
DELETE FROM registry.session
WHERE id_hash IN (SELECT id_hash FROM registry.session WHERE ends_at < $1 ORDER BY ends_at LIMIT $2)
"""

FORGET_REMOVED_CARDS: Final = """
DELETE FROM registry.removed_card
WHERE insertion IN (SELECT insertion FROM registry.removed_card WHERE removed_at < $1 ORDER BY removed_at LIMIT $2)
"""
