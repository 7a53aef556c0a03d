"""The SQL of endpoints and events."""

from typing import Final

SET_UP: Final = """
WITH old AS (DELETE FROM partner.webhook_old_secret WHERE party_id = $1)
INSERT INTO partner.webhook (party_id, url, secret_sealed) VALUES ($1, $2, $3)
ON CONFLICT (party_id) DO UPDATE SET url = excluded.url, secret_sealed = excluded.secret_sealed, disabled_at = NULL,
  old_secret_sealed = NULL, old_until = NULL
"""
ROTATE: Final = """
WITH before AS (
  SELECT party_id, secret_sealed FROM partner.webhook WHERE party_id = $1 FOR UPDATE
), over AS (
  DELETE FROM partner.webhook_old_secret WHERE party_id = $1 AND secret_sealed NOT IN (
    SELECT secret_sealed FROM partner.webhook_old_secret WHERE party_id = $1 AND until > $4
    ORDER BY until DESC LIMIT $5)
), old AS (
  INSERT INTO partner.webhook_old_secret (party_id, secret_sealed, until)
  SELECT party_id, secret_sealed, $3::timestamptz FROM before
)
UPDATE partner.webhook AS w SET secret_sealed = $2 FROM before WHERE w.party_id = before.party_id RETURNING 1
"""
END: Final = "DELETE FROM partner.webhook WHERE party_id = $1"
ENDPOINT: Final = """
SELECT url, secret_sealed, disabled_at FROM partner.webhook WHERE party_id = $1
"""
OLD_SECRETS: Final = """
SELECT secret_sealed, until FROM partner.webhook_old_secret WHERE party_id = $1 AND until > $2
UNION
SELECT old_secret_sealed, old_until FROM partner.webhook WHERE party_id = $1 AND old_until > $2
ORDER BY until DESC
"""
"""With what a process of the release before has changed meanwhile."""
LISTENING: Final = """
SELECT party_id, disabled_at FROM partner.webhook WHERE party_id = ANY ($1::uuid[])
"""
EVENT_COLUMNS: Final = ("event_id", "party_id", "type", "body_sealed", "happened_at")
EVENT: Final = """
SELECT body_sealed, tries, delivered_at FROM partner.webhook_event WHERE event_id = $1 AND party_id = $2
"""
TRIED: Final = """
UPDATE partner.webhook_event SET tries = tries + 1, last_status = $2,
  delivered_at = CASE WHEN $3 THEN $4 ELSE delivered_at END
WHERE event_id = $1
"""
DISABLE: Final = """
UPDATE partner.webhook SET disabled_at = $3 WHERE party_id = $1 AND url = $2 AND disabled_at IS NULL RETURNING true
"""
EVENTS: Final = """
SELECT event_id, type, happened_at, tries, last_status, delivered_at FROM partner.webhook_event
WHERE party_id = $1 AND ($2::uuid IS NULL OR event_id < $2) ORDER BY event_id DESC LIMIT $3
"""
UNDELIVERED: Final = """
SELECT event_id, type, happened_at, tries, last_status, delivered_at FROM partner.webhook_event
WHERE party_id = $1 AND delivered_at IS NULL AND ($2::uuid IS NULL OR event_id < $2) ORDER BY event_id DESC LIMIT $3
"""
COUNT_UNDELIVERED: Final = """
SELECT count(*) FROM (
  SELECT FROM partner.webhook_event WHERE party_id = $1 AND delivered_at IS NULL LIMIT $2) AS found
"""
UNDELIVERED_FROM: Final = """
SELECT event_id FROM partner.webhook_event
WHERE party_id = $1 AND delivered_at IS NULL AND event_id <= $2 AND ($3::uuid IS NULL OR event_id > $3)
ORDER BY event_id LIMIT $4
"""
OWN: Final = "SELECT event_id FROM partner.webhook_event WHERE party_id = $1 AND event_id = ANY ($2::uuid[])"
FORGET: Final = """
DELETE FROM partner.webhook_event WHERE event_id IN (
  SELECT event_id FROM partner.webhook_event WHERE happened_at < $1 ORDER BY happened_at LIMIT $2)
"""
FINISHED_FILES: Final = """
SELECT f.file_id, f.party_id, f.rows, f.posted, f.points, f.replayed, f.refused::text AS refused,
  first.rows AS refused_rows
FROM partner.transfer_file AS f JOIN partner.webhook USING (party_id) CROSS JOIN LATERAL (
  SELECT coalesce(json_agg(r ORDER BY r.line), '[]')::text AS rows FROM (
    SELECT line, transfer_id, code FROM partner.file_result
    WHERE file_id = f.file_id AND code IS NOT NULL ORDER BY line LIMIT $2) AS r) AS first
WHERE f.file_id = ANY ($1::uuid[])
"""
