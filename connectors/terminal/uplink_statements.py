"""The SQL of presence and jobs.

Who is alive, and what has expired, is by the database's own time: that is between processes. When a terminal was seen
is told to people, by the hub's clock.
"""

from typing import Final

ALIVE: Final = """
INSERT INTO terminal.process (process_id, alive_at) VALUES ($1, now())
ON CONFLICT (process_id) DO UPDATE SET alive_at = excluded.alive_at
"""
STARTED: Final = "INSERT INTO terminal.process (process_id, alive_at) VALUES ($1, now()) ON CONFLICT DO NOTHING"
"""No lock that connections wait for; a connection that came first would have nobody alive behind it."""
NOT_ALIVE: Final = "DELETE FROM terminal.process WHERE process_id = $1"

BEFORE: Final = """
SELECT connection_id FROM terminal.presence WHERE terminal_id = $1 AND connection_id IS NOT NULL FOR UPDATE
"""
ENTER: Final = """
INSERT INTO terminal.presence (terminal_id, process_id, connection_id, since, seen, has_reader)
VALUES ($1, $2, $3, $4, $4, false)
ON CONFLICT (terminal_id) DO UPDATE SET process_id = excluded.process_id, connection_id = excluded.connection_id,
    since = excluded.since, seen = excluded.seen
"""
LEAVE: Final = """
WITH gone AS (
    SELECT terminal_id, insertions FROM terminal.presence WHERE connection_id = ANY ($1)
    ORDER BY terminal_id FOR UPDATE
)
UPDATE terminal.presence AS p SET process_id = NULL, connection_id = NULL, seen = $2, has_reader = false,
    insertions = '{}', operation_id = NULL, merge_folder = NULL
FROM gone WHERE p.terminal_id = gone.terminal_id RETURNING p.terminal_id, gone.insertions
"""
SEEN: Final = "UPDATE terminal.presence SET seen = $2 WHERE process_id = $1"
CONNECTED: Final = "SELECT connection_id FROM terminal.presence WHERE process_id = $1"
CONNECTIONS_OF: Final = """
SELECT terminal_id, connection_id FROM terminal.presence WHERE terminal_id = ANY ($1) AND connection_id IS NOT NULL
"""
ORPHANS: Final = """
SELECT connection_id FROM terminal.presence AS p WHERE process_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM terminal.process AS o
    WHERE o.process_id = p.process_id AND o.alive_at > now() - make_interval(secs => $1)
)
"""
"""Connections of processes that are dead."""

READER: Final = "UPDATE terminal.presence SET has_reader = $2 WHERE connection_id = $1"
MERGE_FOLDER: Final = "UPDATE terminal.presence SET merge_folder = $2 WHERE connection_id = $1"
HELD: Final = "SELECT terminal_id, insertions FROM terminal.presence WHERE connection_id = $1 FOR UPDATE"
HOLD: Final = "UPDATE terminal.presence SET insertions = $2 WHERE connection_id = $1"
RECORD_CARD: Final = "INSERT INTO terminal.card_event (at, terminal_id, what, insertion) VALUES ($1, $2, $3, $4)"
PRESENCES: Final = """
SELECT p.terminal_id, o.process_id IS NOT NULL AS connected, since, seen, has_reader,
    insertions[cardinality(insertions)] AS insertion, merge_folder
FROM terminal.presence AS p LEFT JOIN terminal.process AS o
    ON o.process_id = p.process_id AND o.alive_at > now() - make_interval(secs => $2)
WHERE terminal_id = ANY ($1)
"""

ASK: Final = """
WITH here AS (
    UPDATE terminal.presence AS p
    SET operation_id = CASE WHEN $4 IN ('card', 'number') THEN $3 ELSE p.operation_id END
    FROM terminal.process AS o
    WHERE p.terminal_id = $2 AND o.process_id = p.process_id AND o.alive_at > now() - make_interval(secs => $10)
        AND ($4 <> 'release' OR p.operation_id = $3) AND ($4 <> 'merge_files' OR p.merge_folder IS NOT NULL)
    RETURNING p.process_id, p.connection_id
)
INSERT INTO terminal.job (job_id, terminal_id, operation_id, kind, purpose, nonce, request_sealed, asked_by, expires_at,
    connection_id, process_id, ask_id)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9), connection_id, process_id, $11 FROM here
ON CONFLICT (ask_id) DO NOTHING RETURNING process_id
"""
"""No row: nobody is there; of a release: nothing is held for this operation; of merge files: it has no folder. Or the
same ask came at the same moment."""
ASKED_AGAIN: Final = """
UPDATE terminal.job SET asked_by = $3 WHERE ask_id = $1 AND terminal_id = $2
RETURNING job_id, request_sealed, extract(epoch FROM expires_at - now())::float8 AS left_s
"""
"""The job of an ask that has come before: whoever asked it then may be dead."""
SEND: Final = """
UPDATE terminal.job SET sent_at = now()
WHERE process_id = $1 AND sent_at IS NULL AND consumed_at IS NULL AND expires_at > now()
RETURNING job_id, connection_id, request_sealed, extract(epoch FROM expires_at - now())::float8 AS left_s
"""
CONSUME: Final = """
UPDATE terminal.job SET consumed_at = now(), result_sealed = $4
WHERE job_id = $1 AND connection_id = $2 AND kind = ANY ($3) AND sent_at IS NOT NULL AND consumed_at IS NULL
    AND expires_at > now()
RETURNING asked_by
"""
BUSY: Final = """
WITH busy AS (UPDATE terminal.job SET is_busy = true WHERE job_id = $1 RETURNING connection_id, operation_id)
UPDATE terminal.presence AS p SET operation_id = (
    SELECT operation_id FROM terminal.job AS j
    WHERE j.connection_id = p.connection_id AND kind IN ('card', 'number') AND sent_at IS NOT NULL AND NOT is_busy
        AND job_id <> $1
    ORDER BY sent_at DESC, job_id DESC LIMIT 1
)
FROM busy WHERE p.connection_id = busy.connection_id AND p.operation_id = busy.operation_id
"""
"""The card belongs to the operation that keeps the agent busy."""
LOSE: Final = """
UPDATE terminal.job SET consumed_at = now() WHERE connection_id = ANY ($1) AND consumed_at IS NULL RETURNING asked_by
"""
COLLECT: Final = """
SELECT job_id, result_sealed FROM terminal.job WHERE job_id = ANY ($1) AND consumed_at IS NOT NULL
"""
"""They stay for a while: whoever has collected one may die before its answer has gone out."""
FORGET: Final = "UPDATE terminal.job SET consumed_at = now() WHERE ask_id = $1 AND consumed_at IS NULL"

SWEEP_JOBS: Final = "DELETE FROM terminal.job WHERE expires_at < now() - make_interval(secs => $1)"
SWEEP_PROCESSES: Final = "DELETE FROM terminal.process WHERE alive_at < now() - make_interval(secs => $1)"
SWEEP_CARD_EVENTS: Final = "DELETE FROM terminal.card_event WHERE at < $1"
