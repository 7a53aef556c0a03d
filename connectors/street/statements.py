"""The SQL of the street connector."""

from typing import Final

# ------------------------------------------------------------------------------------------------------ streets

STREET: Final = "SELECT settings FROM street.street WHERE street_id = $1 FOR UPDATE"
WRITE_STREET: Final = """
INSERT INTO street.street (street_id, issuer_id, code, settings) VALUES ($1, $2, $3, $4)
ON CONFLICT (street_id) DO UPDATE SET settings = excluded.settings
"""
TAKEN: Final = "SELECT true FROM street.street WHERE street_id <> $1 AND (issuer_id = $2 OR code = $3) LIMIT 1"
STREET_OF_ISSUER: Final = "SELECT settings FROM street.street WHERE issuer_id = $1"
STREETS: Final = "SELECT settings FROM street.street ORDER BY code"
STREET_OF_ID: Final = "SELECT settings FROM street.street WHERE street_id = $1"

KEY: Final = "SELECT key_sealed FROM street.merge_key WHERE street_id = $1 AND key_id = $2 FOR UPDATE"
WRITE_KEY: Final = """
INSERT INTO street.merge_key (street_id, key_id, valid_from, valid_to, key_sealed) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (street_id, key_id) DO UPDATE SET valid_to = excluded.valid_to, key_sealed = excluded.key_sealed
"""
VALID_KEYS: Final = """
SELECT key_id, key_sealed FROM street.merge_key
WHERE street_id = $1 AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2) ORDER BY valid_from DESC, key_id
"""

SIGNER: Final = "SELECT street_id, algorithm, key_sealed, ends_at FROM street.signer WHERE key_id = $1"
VALID_SIGNER: Final = """
SELECT street_id, algorithm, key_sealed FROM street.signer WHERE key_id = $1 AND (ends_at IS NULL OR ends_at > $2)
"""
END_SIGNER: Final = """
UPDATE street.signer SET ends_at = least(ends_at, $3) WHERE street_id = $1 AND key_id = $2 RETURNING true
"""
WRITE_SIGNER: Final = """
INSERT INTO street.signer (key_id, street_id, algorithm, key_sealed) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
FIRST_USE: Final = """
INSERT INTO street.nonce (key_id, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true
"""
FORGET_NONCES: Final = "DELETE FROM street.nonce WHERE expires_at < $1"

# ------------------------------------------------------------------------------------------------------- merges

SERIALS: Final = "SELECT nextval('street.serial') AS serial FROM generate_series(1, $1::int)"
MERGE: Final = "SELECT * FROM street.merge WHERE merge_id = $1"
BEGIN: Final = """
INSERT INTO street.merge (merge_id, street_id, number, citizen_id, terminal_id, destination, lg_code, pool, points,
    member_sealed, state, key_id, file_name, file_sealed, started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'asked', $11, $12, $13, $14)
"""
FAILED: Final = """
UPDATE street.merge SET state = 'failed', code = $2, ended_at = $3, file_sealed = NULL, member_sealed = ''
WHERE merge_id = $1 AND state = 'asked'
"""
SENT: Final = """
UPDATE street.merge SET state = 'sent', sent_at = now() WHERE merge_id = ANY ($1) AND state = 'asked'
"""
ASKED_LONG_AGO: Final = """
UPDATE street.merge SET asked_at = now() WHERE merge_id IN (
    SELECT merge_id FROM street.merge WHERE state = 'asked' AND asked_at < now() - make_interval(secs => $1)
    ORDER BY asked_at LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING *
"""
"""Whoever asked gave up before the ledger was heard."""
LATE: Final = """
UPDATE street.merge SET deliver_asked = true WHERE merge_id IN (
    SELECT merge_id FROM street.merge WHERE state = 'sent' AND NOT deliver_asked
        AND (undelivered IS NOT NULL OR sent_at < now() - make_interval(secs => $1))
    ORDER BY sent_at LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING merge_id, citizen_id, destination
"""
"""Nobody has brought the file in time: whoever asked is gone, or could not."""
DELIVERED: Final = """
UPDATE street.merge SET state = 'delivered', delivered_at = $2, undelivered = NULL, again = false
WHERE merge_id = ANY ($1) AND state IN ('asked', 'sent')
"""
TRYING: Final = """
UPDATE street.merge SET unsure = unsure + 1
WHERE merge_id = ANY ($1) AND taken IS NULL AND state IN ('asked', 'sent') RETURNING merge_id
"""
"""Counted before it is tried: whoever gives points back at once waits for this, or comes first."""
UNDELIVERED: Final = """
UPDATE street.merge AS m SET undelivered = told.why, unsure = unsure - told.is_nowhere::int
FROM unnest($1::uuid[], $2::text[], $3::bool[]) AS told (merge_id, why, is_nowhere)
WHERE m.merge_id = told.merge_id AND state IN ('asked', 'sent')
"""
ANSWERED: Final = """
UPDATE street.merge AS m SET taken = first.taken, reason = first.reason
FROM (
    SELECT DISTINCT ON (f.merge_id) f.merge_id, told.taken, told.reason
    FROM unnest($2::text[], $3::bool[], $4::text[]) WITH ORDINALITY AS told (file_name, taken, reason, place)
    CROSS JOIN LATERAL (
        SELECT merge_id FROM street.merge WHERE destination = $1 AND file_name = told.file_name
        UNION ALL
        SELECT merge_id FROM street.former_file WHERE destination = $1 AND file_name = told.file_name
    ) AS f
    ORDER BY f.merge_id, told.place
) AS first
WHERE m.merge_id = first.merge_id AND m.taken IS NULL AND m.ended_at IS NULL
RETURNING m.merge_id, m.street_id, m.citizen_id, m.taken
"""
CONTRARY: Final = """
SELECT DISTINCT m.merge_id, m.taken
FROM unnest($2::text[], $3::bool[]) AS told (file_name, taken)
CROSS JOIN LATERAL (
    SELECT merge_id FROM street.merge WHERE destination = $1 AND file_name = told.file_name
    UNION ALL
    SELECT merge_id FROM street.former_file WHERE destination = $1 AND file_name = told.file_name
) AS f
JOIN street.merge AS m USING (merge_id)
WHERE m.taken <> told.taken
"""
ANSWERED_NUMBER: Final = """
UPDATE street.merge SET taken = $3, reason = $4
WHERE street_id = $1 AND number = $2 AND taken IS NULL AND ended_at IS NULL AND state IN ('sent', 'delivered')
RETURNING merge_id, street_id, citizen_id, taken
"""
GIVE_BACK: Final = """
UPDATE street.merge SET taken = false, reason = $2
WHERE merge_id = $1 AND taken IS NULL AND ended_at IS NULL AND state IN ('sent', 'delivered')
    AND ($3 OR (delivered_at IS NULL AND unsure = 0))
RETURNING merge_id, street_id, citizen_id, taken
"""
GIVEN_BACK: Final = """
INSERT INTO street.given_back (merge_id, operator, reason, street_confirmed, at) VALUES ($1, $2, $3, $4, $5)
"""
MERGE_OF_NUMBER: Final = "SELECT * FROM street.merge WHERE street_id = $1 AND number = $2"
ENDED: Final = """
UPDATE street.merge SET state = $2, ended_at = $3, file_sealed = NULL, member_sealed = '', undelivered = NULL
WHERE merge_id = ANY ($1) AND ended_at IS NULL
"""
OVERDUE: Final = "UPDATE street.merge SET overdue_at = $2 WHERE merge_id = ANY ($1) AND ended_at IS NULL"
KEEP_FORMER_FILE: Final = """
WITH before AS (
    SELECT merge_id, destination, file_name FROM street.merge
    WHERE merge_id = $1 AND ended_at IS NULL AND taken IS NULL AND state IN ('sent', 'delivered') FOR UPDATE
)
INSERT INTO street.former_file (merge_id, destination, file_name)
SELECT * FROM before WHERE (destination, file_name) <> ($2, $3) ON CONFLICT DO NOTHING
"""
"""It may lie there still, and be answered."""
AGAIN: Final = """
UPDATE street.merge
SET state = 'sent', again = true, deliver_asked = true, key_id = $2, file_name = $3, file_sealed = $4, destination = $5
WHERE merge_id = $1 AND ended_at IS NULL AND taken IS NULL AND state IN ('sent', 'delivered')
RETURNING citizen_id, destination
"""
MERGES: Final = """
SELECT * FROM street.merge
WHERE street_id = $1 AND (started_at, merge_id) > ($3, $4) AND ($5::text IS NULL OR number = $5)
    AND (NOT $2 OR (ended_at IS NULL AND state <> 'asked'))
ORDER BY started_at, merge_id LIMIT $6
"""
