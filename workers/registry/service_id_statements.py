"""The SQL of issuers and service IDs. Sets go in and out as arrays."""

from typing import Final

# ---------------------------------------------------------------------------------------------------- issuers

ISSUERS: Final = """
SELECT issuer_id, name, kind, lg_code, pattern, start_stop, check_digit, notification, sip2
FROM registry.issuer WHERE issuer_id = ANY($1::text[])
"""

ISSUERS_OF: Final = """
SELECT issuer_id, name, kind, lg_code, pattern, start_stop, check_digit, notification, sip2
FROM registry.issuer
WHERE ($1::text IS NULL OR lg_code = $1) AND ($2::text IS NULL OR kind = $2)
  AND ($3::text[] IS NULL OR issuer_id = ANY($3))
ORDER BY issuer_id
"""

MUNICIPALITIES: Final = "SELECT lg_code FROM registry.municipality WHERE lg_code = ANY($1::text[])"

WRITE_ISSUERS: Final = """
INSERT INTO registry.issuer
  (issuer_id, name, kind, lg_code, pattern, start_stop, check_digit, notification, sip2)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
  $8::jsonb[], $9::boolean[])
ON CONFLICT (issuer_id) DO UPDATE SET
  name = excluded.name, pattern = excluded.pattern, check_digit = excluded.check_digit,
  notification = excluded.notification, sip2 = excluded.sip2
WHERE (issuer.kind, issuer.lg_code, issuer.start_stop) = (excluded.kind, excluded.lg_code, excluded.start_stop)
RETURNING issuer_id
"""

# ------------------------------------------------------------------------------------------------ service IDs

PRESENT: Final = """
SELECT entry_id, citizen_id, issuer_id, number_hash, number_sealed, state
FROM unnest($1::uuid[], $2::text[]) AS asked (citizen_id, issuer_id)
JOIN registry.service_id USING (citizen_id, issuer_id) WHERE ended_at IS NULL
"""

OWNERS: Final = """
SELECT issuer_id, number_hash, citizen_id
FROM unnest($1::text[], $2::bytea[]) AS asked (issuer_id, number_hash)
JOIN registry.service_id USING (issuer_id, number_hash) WHERE ended_at IS NULL
"""

ENTRY_COLUMNS: Final = (
    "entry_id",
    "citizen_id",
    "issuer_id",
    "number_hash",
    "number_sealed",
    "serial_sealed",
    "state",
    "terminal_id",
    "operation_id",
    "registered_at",
    "ending",
    "ended_terminal_id",
    "ended_operation_id",
    "ended_at",
)

END: Final = """
UPDATE registry.service_id AS s
SET ending = new.ending, ended_terminal_id = new.terminal_id, ended_operation_id = new.operation_id, ended_at = $5,
  serial_sealed = NULL
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS new (entry_id, ending, terminal_id, operation_id)
WHERE s.entry_id = new.entry_id
"""

REGISTERED_AGAIN: Final = """
UPDATE registry.service_id AS s SET serial_sealed = coalesce(new.serial_sealed, s.serial_sealed), state = new.state
FROM unnest($1::uuid[], $2::bytea[], $3::text[]) AS new (entry_id, serial_sealed, state)
WHERE s.entry_id = new.entry_id
"""

WITH_SERIALS: Final = """
SELECT entry_id FROM registry.service_id WHERE citizen_id = $1 AND serial_sealed IS NOT NULL AND ended_at IS NULL
ORDER BY entry_id FOR UPDATE
"""

RENEW_SERIALS: Final = """
UPDATE registry.service_id AS s SET serial_sealed = new.serial_sealed
FROM unnest($1::uuid[], $2::bytea[]) AS new (entry_id, serial_sealed)
WHERE s.entry_id = new.entry_id
"""

FORGET_SERIALS: Final = """
UPDATE registry.service_id SET serial_sealed = NULL WHERE citizen_id = $1 AND serial_sealed IS NOT NULL
"""

ENDED_BY: Final = """
SELECT citizen_id, issuer_id, ended_operation_id FROM registry.service_id
WHERE ended_operation_id = ANY($1::uuid[]) AND ending = 'removed'
"""

REVOKE: Final = """
UPDATE registry.service_id SET ending = 'revoked', ended_at = $2, serial_sealed = NULL
WHERE citizen_id = $1 AND ended_at IS NULL RETURNING entry_id, citizen_id, issuer_id
"""

CHECKED: Final = """
UPDATE registry.service_id AS s SET state = new.state
FROM unnest($1::uuid[], $2::text[]) AS new (entry_id, state)
WHERE s.entry_id = new.entry_id AND s.ended_at IS NULL
"""

OF_CITIZEN: Final = """
SELECT entry_id, issuer_id, i.name AS issuer_name, i.kind, number_sealed, state,
  serial_sealed IS NOT NULL AS address_change, registered_at
FROM registry.service_id JOIN registry.issuer AS i USING (issuer_id)
WHERE citizen_id = $1 AND ($2::text IS NULL OR issuer_id = $2) AND ended_at IS NULL
ORDER BY issuer_id
"""

CITIZEN_BEHIND: Final = """
SELECT citizen_id FROM registry.service_id WHERE issuer_id = $1 AND number_hash = $2 AND ended_at IS NULL
"""

LINKED_CLOSE: Final = """
WITH linked AS (
  SELECT terminal_id, citizen_id, issuer_id, operation_id, registered_at,
    lag(citizen_id) OVER before AS citizen_before, lag(issuer_id) OVER before AS issuer_before,
    lag(operation_id) OVER before AS operation_before, lag(registered_at) OVER before AS time_before
  FROM registry.service_id
  WHERE registered_at >= $2::timestamptz - $4::interval AND registered_at < $3::timestamptz
    AND ($1::text IS NULL OR substr(terminal_id, 2, 6) = $1)
  WINDOW before AS (PARTITION BY terminal_id ORDER BY registered_at, entry_id)
)
SELECT * FROM linked
WHERE citizen_before <> citizen_id AND registered_at - time_before <= $4::interval AND registered_at >= $2::timestamptz
ORDER BY registered_at, terminal_id LIMIT $5
"""
