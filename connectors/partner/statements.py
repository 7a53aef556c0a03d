"""The SQL of the schema `partner`."""

from typing import Final

FIRST_USE: Final = """ INSERT INTO partner.nonce (key_id, nonce, expires_at) VALUES ($1, $2, $3) ON
CONFLICT DO NOTHING RETURNING true
"""
LAST_NONCE: Final = "SELECT max(expires_at) FROM partner.nonce WHERE key_id = ANY ($1::text[])"
FORGET_NONCES: Final = "DELETE FROM partner.nonce WHERE expires_at < $1"

ADD_CHUNK: Final = """
INSERT INTO partner.file_chunk (file_id, n, line_feeds_before, content, received_at) VALUES ($1, $2, $3, $4, $5)
"""
CHUNK: Final = "SELECT content FROM partner.file_chunk WHERE file_id = $1 AND n = $2"
CHUNK_OF_LINE: Final = """
SELECT n, line_feeds_before FROM partner.file_chunk
WHERE file_id = $1 AND (n = 0 OR line_feeds_before < $2) ORDER BY n DESC LIMIT 1
"""
DROP_CHUNKS: Final = "DELETE FROM partner.file_chunk WHERE file_id = $1"

TAKE: Final = """
INSERT INTO partner.transfer_file (
  file_id, party_id, idempotency_key, media_type, sha256, size_bytes, chunks, rows, taken_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (party_id, idempotency_key) DO NOTHING
RETURNING file_id
"""
UNFINISHED: Final = """
SELECT count(*) FROM (SELECT FROM partner.transfer_file WHERE party_id = $1 AND finished_at IS NULL LIMIT $2) AS found
"""
TAKEN: Final = """
SELECT file_id, rows, sha256 FROM partner.transfer_file WHERE party_id = $1 AND idempotency_key = $2
"""
FILE: Final = """
SELECT file_id, party_id, media_type, chunks, rows, taken_at, started_at, finished_at, done,
  posted, points, replayed, refused::text AS refused
FROM partner.transfer_file WHERE file_id = $1
"""
PROGRESS: Final = """
UPDATE partner.transfer_file
SET done = $3, posted = $4, points = $5, replayed = $6, refused = $7::text::jsonb,
  started_at = coalesce(started_at, $8), finished_at = CASE WHEN $3 = rows THEN $8 END
WHERE file_id = $1 AND done = $2 AND finished_at IS NULL
RETURNING finished_at IS NOT NULL AS finished
"""
ASKING: Final = """
UPDATE partner.transfer_file AS f SET asked = greatest(f.asked, $2)
FROM (SELECT file_id, asked FROM partner.transfer_file WHERE file_id = $1 FOR UPDATE) AS before
WHERE f.file_id = before.file_id
RETURNING before.asked
"""
TOLD: Final = """
SELECT DISTINCT transfer_id FROM partner.file_result
WHERE file_id = $1 AND (transfer_id IN (SELECT unnest($2::text[]))) IS TRUE
"""
"""Reads the file's results once, ROWS_LIMIT at most.

With IS TRUE the ids are looked up in a hash table, whatever is planned; a generic plan may go through all for each row.
"""
RESULTS: Final = """
SELECT line, transfer_id, code, points, posted_on, replayed FROM partner.file_result
WHERE file_id = $1 AND line > $2 ORDER BY line LIMIT $3
"""
RESULT_COLUMNS: Final = ("file_id", "line", "transfer_id", "code", "points", "posted_on", "replayed")

CHUNKS_NO_LONGER_NEEDED: Final = """
WITH marked AS (
  UPDATE partner.transfer_file SET chunks_deleted_at = $2
  WHERE file_id IN (
    SELECT file_id FROM partner.transfer_file
    WHERE chunks_deleted_at IS NULL AND finished_at < $1 ORDER BY finished_at LIMIT $3)
  RETURNING file_id
), deleted AS (
  DELETE FROM partner.file_chunk AS c USING marked WHERE c.file_id = marked.file_id
)
SELECT count(*) AS files FROM marked
"""
CHUNKS_NEVER_TAKEN: Final = """
WITH orphan AS (
  SELECT file_id FROM partner.file_chunk AS c
  WHERE n = 0 AND received_at < $1
    AND NOT EXISTS (SELECT FROM partner.transfer_file AS f WHERE f.file_id = c.file_id)
  LIMIT $2
), deleted AS (
  DELETE FROM partner.file_chunk AS c USING orphan WHERE c.file_id = orphan.file_id
)
SELECT count(*) AS files FROM orphan
"""
