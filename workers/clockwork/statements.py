"""The clockwork's SQL."""

from typing import Final

LATEST: Final = """
SELECT DISTINCT ON (kind, partition) kind, partition, day, first, last, after_day, after,
    done_at IS NOT NULL AS is_done, left_from, came_back_since, known_until, opened_from, opened_until
FROM clockwork.day_work ORDER BY kind, partition, day DESC
"""

BEGIN: Final = """
INSERT INTO clockwork.day_work (kind, partition, day, first, last, came_back_since, known_until, opened_from)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING
"""

# A page counts once: whoever finds that the page before it is no longer the last one has lost the race.
ADVANCE: Final = """
UPDATE clockwork.day_work
SET after_day = $6, after = $7, said = said + $8, refused = refused + $9,
    done_at = CASE WHEN $7::uuid IS NULL THEN $10::timestamptz END, left_from = least(left_from, $11::date),
    opened_until = coalesce(opened_until, $12::bigint)
WHERE kind = $1 AND partition = $2 AND day = $3 AND done_at IS NULL
    AND (after_day, after) IS NOT DISTINCT FROM ($4::date, $5::uuid)
RETURNING true
"""

DONE: Final = """
SELECT count(DISTINCT (kind, partition)) FROM clockwork.day_work WHERE day >= $1 AND done_at IS NOT NULL
"""

COUNTS: Final = """
SELECT kind, sum(said)::bigint AS said, sum(refused)::bigint AS refused
FROM clockwork.day_work WHERE day = $1 GROUP BY kind
"""

OVERDUE_TOLD: Final = "SELECT partition, opened_at, hold_id FROM clockwork.overdue_merge"

# What was told before must still be the last: two at once tell nothing twice.
TELL_OVERDUE: Final = """
INSERT INTO clockwork.overdue_merge AS o (partition, opened_at, hold_id, told) VALUES ($1, $2, $3, $4)
ON CONFLICT (partition) DO UPDATE SET opened_at = excluded.opened_at, hold_id = excluded.hold_id,
    told = o.told + excluded.told
WHERE o.opened_at = $5 AND o.hold_id = $6
RETURNING true
"""
