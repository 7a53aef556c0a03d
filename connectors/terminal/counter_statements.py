"""The SQL of the counter. All times are the hub's clock's, told by whoever asks."""

from typing import Final

USE_TICKET: Final = """
INSERT INTO terminal.counter_ticket (ticket_hash, used_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true
"""
BEGIN_SESSION: Final = """
INSERT INTO terminal.counter_session (session_id, token_hash, terminal_id, kind, issuer_id, point_use_too, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
SESSION: Final = """
SELECT session_id, terminal_id, kind, issuer_id, point_use_too, used_at FROM terminal.counter_session
WHERE token_hash = $1 AND used_at > $2
"""
TOUCH_SESSION: Final = "UPDATE terminal.counter_session SET used_at = greatest(used_at, $2) WHERE session_id = $1"
END_SESSION: Final = "DELETE FROM terminal.counter_session WHERE session_id = $1"
END_SESSIONS_AT: Final = "DELETE FROM terminal.counter_session WHERE terminal_id = ANY ($1)"

END_LIVE: Final = """
WITH before AS (
    SELECT operation_id, kept_sealed FROM terminal.counter_operation
    WHERE terminal_id = ANY ($1) AND ended_at IS NULL ORDER BY operation_id FOR UPDATE
)
UPDATE terminal.counter_operation AS o SET state = 'over', code = $2, ended_at = $3, kept_sealed = NULL
FROM before WHERE o.operation_id = before.operation_id RETURNING o.operation_id, o.terminal_id, before.kept_sealed
"""
BEGIN: Final = """
INSERT INTO terminal.counter_operation
    (operation_id, session_id, terminal_id, purpose, how, address_notice, state, ends_at, good_until)
VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $8)
"""
OPERATION: Final = "SELECT * FROM terminal.counter_operation WHERE operation_id = $1 AND session_id = $2"
IS_LATEST: Final = """
SELECT NOT EXISTS (
    SELECT FROM terminal.counter_operation AS later
    WHERE later.terminal_id = o.terminal_id AND later.ends_at > o.ends_at
) FROM terminal.counter_operation AS o WHERE o.operation_id = $1 AND o.ends_at > $2
"""
WAIT_ON: Final = """
UPDATE terminal.counter_operation SET good_until = least($2, ends_at)
WHERE operation_id = $1 AND state = 'waiting' AND ends_at > $3 RETURNING true
"""
PROVEN: Final = """
UPDATE terminal.counter_operation
SET state = 'proven', insertion = $2, card_id = $3, citizen_id = $4, kept_sealed = $5, good_until = least($6, ends_at)
WHERE operation_id = $1 AND state = 'waiting' AND NOT $2 = ANY (removed) RETURNING true
"""
TAKE: Final = """
UPDATE terminal.counter_operation SET state = 'acting', good_until = least($4, ends_at)
WHERE operation_id = $1 AND session_id = $2 AND state = 'proven' AND good_until > $3 RETURNING *
"""
STILL: Final = """
SELECT true FROM terminal.counter_operation WHERE operation_id = $1 AND state = 'acting' AND good_until > $2
"""
GIVE_BACK: Final = """
UPDATE terminal.counter_operation SET state = 'proven', good_until = least($2, ends_at)
WHERE operation_id = $1 AND state = 'acting'
"""
END: Final = """
WITH before AS (
    SELECT operation_id, kept_sealed FROM terminal.counter_operation
    WHERE operation_id = $1 AND ended_at IS NULL FOR UPDATE
)
UPDATE terminal.counter_operation AS o SET state = $2, code = $3, ended_at = $4, kept_sealed = NULL
FROM before WHERE o.operation_id = before.operation_id RETURNING o.operation_id, o.terminal_id, before.kept_sealed
"""
CARD_REMOVED: Final = """
UPDATE terminal.counter_operation SET
    state = CASE WHEN insertion = $2 THEN 'over' ELSE state END,
    code = CASE WHEN insertion = $2 THEN $3 ELSE code END,
    ended_at = CASE WHEN insertion = $2 THEN $4 ELSE ended_at END,
    kept_sealed = CASE WHEN insertion = $2 THEN NULL ELSE kept_sealed END,
    removed = CASE WHEN insertion IS NULL THEN removed || $2::uuid ELSE removed END
WHERE terminal_id = $1 AND ended_at IS NULL
"""

SWEEP_TICKETS: Final = "DELETE FROM terminal.counter_ticket WHERE used_at < $1"
SWEEP_SESSIONS: Final = "DELETE FROM terminal.counter_session WHERE used_at < $1"
SWEEP_OPERATIONS: Final = "DELETE FROM terminal.counter_operation WHERE ends_at < $1"
