"""The SQL of plans and terminals. Sets go in and out as arrays."""

from typing import Final

MUNICIPALITIES: Final = "SELECT lg_code FROM registry.municipality WHERE lg_code = ANY($1::text[])"

# ------------------------------------------------------------------------------------------------------- plans

LOCK_PLANS: Final = """
SELECT lg_code FROM registry.terminal_plan WHERE lg_code = ANY($1::text[]) ORDER BY lg_code FOR UPDATE
"""

WRITE_PLANS: Final = """
INSERT INTO registry.terminal_plan (lg_code, filed_at) SELECT lg_code, $2 FROM unnest($1::text[]) AS lg_code
ON CONFLICT (lg_code) DO UPDATE SET filed_at = excluded.filed_at
"""

DROP_PLAN_ROWS: Final = "DELETE FROM registry.terminal_plan_row WHERE lg_code = ANY($1::text[])"

PLAN_ROW_COLUMNS: Final = ("lg_code", "number", "kind", "place", "issuer_id", "point_use_too", "mobile", "count")

PLAN_ROWS: Final = """
SELECT lg_code, kind, place, issuer_id, point_use_too, mobile, count
FROM registry.terminal_plan_row WHERE lg_code = ANY($1::text[]) ORDER BY lg_code, number
"""

# ----------------------------------------------------------------------------------------------------- issuing

ISSUED: Final = """
SELECT lg_code, kind, place, issuer_id, point_use_too, mobile, count(*)::integer AS count
FROM registry.terminal WHERE lg_code = ANY($1::text[])
GROUP BY lg_code, kind, place, issuer_id, point_use_too, mobile
"""

TERMINAL_IDS: Final = "SELECT terminal_id FROM registry.terminal WHERE terminal_id = ANY($1::text[])"

TERMINAL_COLUMNS: Final = (
    "terminal_id",
    "lg_code",
    "kind",
    "place",
    "issuer_id",
    "point_use_too",
    "mobile",
    "issued_at",
    "password_hash",
    "password_open",
)

RENEW_PASSWORDS: Final = """
UPDATE registry.terminal AS t SET password_hash = new.password_hash, password_open = true
FROM unnest($1::text[], $2::text[]) AS new (terminal_id, password_hash)
WHERE t.terminal_id = new.terminal_id
"""

# --------------------------------------------------------------------------------------------------- terminals

LOCK_TERMINALS: Final = """
SELECT terminal_id, lg_code, kind, place, issuer_id, password_hash, password_open, public_key,
  suspended_at IS NOT NULL AS suspended
FROM registry.terminal WHERE terminal_id = ANY($1::text[]) ORDER BY terminal_id FOR UPDATE
"""

ENROL: Final = """
UPDATE registry.terminal AS t
SET public_key = new.public_key, fingerprint = new.fingerprint, recipe = new.recipe,
  contact_sealed = new.contact_sealed, enrolled_at = $6, password_open = false,
  suspended_at = NULL, suspended_for = NULL, changed = '{}'
FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[], $5::bytea[])
  AS new (terminal_id, public_key, fingerprint, recipe, contact_sealed)
WHERE t.terminal_id = new.terminal_id
"""

DROP_VALUES: Final = "DELETE FROM registry.terminal_value WHERE terminal_id = ANY($1::text[])"

VALUE_COLUMNS: Final = ("terminal_id", "name", "digest")

SUSPEND: Final = """
UPDATE registry.terminal
SET suspended_at = $2, suspended_for = $3, changed = $4::text[], password_open = false
WHERE terminal_id = $1
"""

RESUME: Final = """
UPDATE registry.terminal SET suspended_at = NULL, suspended_for = NULL, changed = '{}'
WHERE terminal_id = ANY($1::text[])
"""

KEPT: Final = "SELECT password_hash FROM registry.terminal WHERE terminal_id = $1"

AGENT_KEY: Final = """
SELECT public_key, fingerprint, suspended_at IS NOT NULL AS suspended, kind, lg_code, issuer_id, place, point_use_too
FROM registry.terminal WHERE terminal_id = $1
"""

VALUES: Final = "SELECT name, digest FROM registry.terminal_value WHERE terminal_id = $1"

TERMINALS_OF: Final = """
SELECT terminal_id, kind, place, issuer_id, point_use_too, mobile, password_open,
  CASE WHEN suspended_at IS NOT NULL THEN 'suspended' WHEN public_key IS NOT NULL THEN 'enrolled' ELSE 'issued' END
    AS state,
  suspended_for AS reason, changed, contact_sealed
FROM registry.terminal WHERE lg_code = $1 ORDER BY terminal_id
"""

# ------------------------------------------------------------------------------------------------------ places

PLACED: Final = """
WITH told AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS told (place_id, lg_code, name)
), parties AS (
  INSERT INTO registry.party (party_id, kind, name) SELECT place_id, 'store', name FROM told
  ON CONFLICT (party_id) DO NOTHING
)
INSERT INTO registry.place (place_id, lg_code, name) SELECT place_id, lg_code, name FROM told
ON CONFLICT (place_id) DO NOTHING
"""

PLACES_OF: Final = """
SELECT place_id, name, count(t.terminal_id)::integer AS terminals
FROM registry.place AS p LEFT JOIN registry.terminal AS t
  ON t.lg_code = p.lg_code AND btrim(regexp_replace(normalize(t.place, NFKC), '[[:space:]]+', ' ', 'g')) = p.name
WHERE p.lg_code = $1 GROUP BY place_id ORDER BY name
"""
