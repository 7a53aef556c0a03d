"""The SQL of our own tables, and of hub.pause."""

from typing import Final

# ------------------------------------------------------------------------------------------------------ operators

OPERATOR_BY_HASH: Final = "SELECT * FROM operations.operator WHERE token_hash = $1 AND revoked_at IS NULL"
OPERATORS: Final = "SELECT * FROM operations.operator ORDER BY name LIMIT $1"
ADD_OPERATOR: Final = """
INSERT INTO operations.operator (operator_id, name, role, token_hash, added_by_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO NOTHING RETURNING true
"""
ADDED: Final = "SELECT EXISTS (SELECT FROM operations.operator WHERE operator_id = $1 AND added_by_id = $2)"
REVOKE_OPERATOR: Final = """
UPDATE operations.operator SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL RETURNING operator_id, role
"""

# ----------------------------------------------------------------------------------------------------------- acts

RECORD_ACT: Final = """
INSERT INTO operations.act (act_id, operator, role, via, kind, targets, reason, result)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
RECORD_TOLD_ACT: Final = """
INSERT INTO operations.act (act_id, at, operator, role, via, kind, targets, reason, result)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (act_id) DO NOTHING
"""
ACTS: Final = """
SELECT * FROM operations.act WHERE ($1::uuid IS NULL OR act_id < $1) ORDER BY act_id DESC LIMIT $2
"""

# ------------------------------------------------------------------------------------------------------- redrives

BEGIN_REDRIVE: Final = """
INSERT INTO operations.redrive (redrive_id, operator, role, via, reason, delivery_id, fingerprint, last, total)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *
"""
REDRIVE: Final = "SELECT * FROM operations.redrive WHERE redrive_id = $1"
OPEN_REDRIVES: Final = (
    "SELECT redrive_id FROM operations.redrive WHERE finished_at IS NULL ORDER BY redrive_id LIMIT $1"
)
TAKE_REDRIVE: Final = "SELECT * FROM operations.redrive WHERE redrive_id = $1 AND finished_at IS NULL FOR UPDATE"
REDRIVEN: Final = """
UPDATE operations.redrive SET done = done + $2, finished_at = CASE WHEN $3 THEN now() END
WHERE redrive_id = $1 RETURNING *
"""

# ---------------------------------------------------------------------------------------------------- corrections

CORRECTIONS: Final = """
SELECT * FROM operations.correction WHERE ($1::uuid IS NULL OR correction_id < $1) ORDER BY correction_id DESC LIMIT $2
"""
OPEN_CORRECTIONS: Final = """
SELECT * FROM operations.correction WHERE closed_at IS NULL AND ($1::uuid IS NULL OR correction_id < $1)
ORDER BY correction_id DESC LIMIT $2
"""
UNANSWERED_CORRECTIONS: Final = """
SELECT * FROM operations.correction WHERE closed_at IS NULL AND state = 'approved' ORDER BY correction_id LIMIT $1
"""
ASK_CORRECTION: Final = """
INSERT INTO operations.correction
    (correction_id, party_id, command_id, citizen_id, kind, points, reason, asked_by, asked_by_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (party_id, command_id) WHERE closed_at IS NULL DO NOTHING RETURNING *
"""
TAKE_CORRECTION: Final = "SELECT * FROM operations.correction WHERE correction_id = $1 FOR UPDATE"
DECIDE_CORRECTION: Final = """
UPDATE operations.correction SET state = $2, decided_by = $3, decided_by_id = $4, remark = $5, decided_at = now(),
    closed_at = CASE WHEN $2 = 'rejected' THEN now() END
WHERE correction_id = $1 AND state = 'asked' RETURNING *
"""
CLOSE_CORRECTION: Final = """
UPDATE operations.correction SET status = $2, code = $3, closed_at = now()
WHERE correction_id = $1 AND state = 'approved' AND closed_at IS NULL RETURNING *
"""

# ---------------------------------------------------------------------------------------------------------- notes

ADD_NOTE: Final = "INSERT INTO operations.note (note_id, fingerprint, operator, note) VALUES ($1, $2, $3, $4)"
NOTES: Final = """
SELECT fingerprint, at, operator, note FROM operations.note WHERE fingerprint = ANY ($1)
ORDER BY note_id DESC LIMIT $2
"""

# --------------------------------------------------------------------------------------------------------- pauses

PAUSES: Final = "SELECT * FROM hub.pause"
PAUSE: Final = """
INSERT INTO hub.pause (component, operator, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING *
"""
RESUME: Final = "DELETE FROM hub.pause WHERE component = $1 RETURNING *"
PROCESSES: Final = """
SELECT split_part(receiver, '.', 1) AS component, count(DISTINCT process_id) AS processes
FROM hub.process CROSS JOIN LATERAL unnest(receivers) AS u (receiver)
WHERE seen_at > now() - make_interval(secs => $1) GROUP BY 1
"""
COMPLAINTS: Final = """
SELECT complaint, count(*) AS processes FROM hub.process
WHERE complaint IS NOT NULL AND receivers <> '{}' AND seen_at > now() - make_interval(secs => $1)
GROUP BY 1 ORDER BY 2 DESC, 1
"""
"""A process that has ended well receives nothing."""
