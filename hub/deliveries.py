"""The rows of hub.delivery: fetching what is due, marking what is done, putting off or parking what failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hub.database import Database
from hub.errors import OwnershipLostError
from hub.metrics import PARKED
from hub.retry import RetryPolicy, delay, fingerprint, reason
from hub.transaction import Transaction

FETCH_LIMIT: Final = 16
"""The most deliveries one transaction takes."""

LANES_WITH_WORK: Final = """
SELECT lane, min(id) AS first_id FROM hub.delivery
WHERE receiver = $1 AND state = 'due' AND lane = ANY ($2::smallint[]) GROUP BY lane
"""
FETCH: Final = """
SELECT d.id AS delivery_id, d.attempts, u.message_id, m.type, m.correlation_id, m.body, m.time, m.source, m.subject
FROM (
    SELECT id, attempts, message_ids FROM hub.delivery
    WHERE receiver = $1 AND lane = $2 AND state = 'due' AND id > $3 ORDER BY id LIMIT $4
) AS d
CROSS JOIN LATERAL unnest(d.message_ids) WITH ORDINALITY AS u (message_id, n)
LEFT JOIN hub.message AS m ON m.id = u.message_id
ORDER BY d.id, u.n
"""
DONE: Final = """
WITH fence AS (SELECT FROM hub.lane WHERE receiver = $1 AND lane = $2 AND epoch = $3 FOR SHARE)
DELETE FROM hub.delivery AS d USING fence WHERE d.id = ANY ($4::bigint[]) RETURNING d.id
"""
DONE_PART: Final = """
WITH fence AS (SELECT FROM hub.lane WHERE receiver = $1 AND lane = $2 AND epoch = $3 FOR SHARE)
UPDATE hub.delivery AS d SET message_ids = ARRAY(
    SELECT id FROM unnest(d.message_ids) WITH ORDINALITY AS u (id, n) WHERE id <> ALL ($5::uuid[]) ORDER BY n)
FROM fence WHERE d.id = $4 AND d.message_ids @> $5::uuid[] RETURNING d.id
"""
PUT_OFF: Final = """
INSERT INTO hub.delivery (receiver, lane, state, message_ids, attempts, due_at, reason, fingerprint)
VALUES ($1, $2, $3, ARRAY[$4::uuid], $5, now() + $6, $7, $8)
"""
RELEASE_SCHEDULED: Final = """
WITH ripe AS (
    DELETE FROM hub.delivery WHERE id IN (
        SELECT id FROM hub.delivery WHERE receiver = $1 AND state = 'scheduled' AND due_at <= now()
        ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
    RETURNING lane, message_ids, attempts, since
)
INSERT INTO hub.delivery (receiver, lane, state, message_ids, attempts, since)
SELECT $1, lane, 'due', message_ids, attempts, since FROM ripe
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A lane as it is owned: the epoch fences off an owner that lost it without noticing."""

    receiver: str
    lane: int
    epoch: int


async def mark_done(tx: Transaction, place: Place, delivery_ids: Sequence[int]) -> None:
    """The inbox mark: the deliveries go, with their effect. Raises OwnershipLostError when they are not ours to do."""
    gone = await tx.fetch(DONE, place.receiver, place.lane, place.epoch, delivery_ids)
    if len(gone) != len(delivery_ids):
        raise OwnershipLostError(f"{place.receiver} {place.lane}")


async def mark_part_done(tx: Transaction, place: Place, delivery_id: int, done: Sequence[UUID], *, last: bool) -> None:
    """The inbox mark for some messages of a delivery; with the last of them the delivery itself goes."""
    if last:
        await mark_done(tx, place, [delivery_id])
    elif not await tx.fetch(DONE_PART, place.receiver, place.lane, place.epoch, delivery_id, done):
        raise OwnershipLostError(f"{place.receiver} {place.lane}")


async def put_off(
    tx: Transaction, place: Place, message_id: UUID, attempts: int, policy: RetryPolicy, error: BaseException
) -> None:
    """Give a failed message a delivery of its own: due at once, scheduled, or parked with its reason."""
    wait = delay(policy, attempts, error)
    state = "parked" if wait is None else "scheduled"
    due_in = None if wait is None else wait
    if state == "parked":
        PARKED.labels(place.receiver).inc()
    await tx.execute(
        PUT_OFF,
        place.receiver,
        place.lane,
        state,
        message_id,
        attempts,
        due_in,
        reason(error),
        fingerprint(error),
    )


async def release_scheduled(database: Database, receiver: str) -> None:
    """Make due what was scheduled and is ripe; it queues up behind what is there."""
    async with database.connection() as connection:
        await connection.execute(RELEASE_SCHEDULED, receiver)
