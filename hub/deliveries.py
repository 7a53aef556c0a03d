"""The rows of hub.delivery: fetching what is due, marking what is done, putting off or parking what failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from hub.database import Database, Row
from hub.errors import OwnershipLostError
from hub.metrics import PARKED
from hub.retry import PROMPT, RetryPolicy, delay, fingerprint, reason
from hub.routes import ROUTES
from hub.transaction import Transaction
from schemas.catalog import CATALOG

log = structlog.get_logger()

FETCH_LIMIT: Final = 16
"""The most deliveries one transaction takes."""
MESSAGES_LIMIT: Final = 512
"""The most messages one transaction takes, a single delivery apart."""

LANES_WITH_WORK: Final = """
SELECT lane, min(id) AS first_id FROM hub.delivery
WHERE receiver = $1 AND state = 'due' AND lane = ANY ($2::smallint[]) GROUP BY lane
"""
FETCH: Final = "SELECT * FROM hub.due($1, $2, $3, $4, $5)"
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
INSERT INTO hub.delivery (receiver, lane, state, message_ids, attempts, since, due_at, reason, fingerprint)
VALUES ($1, $2, $3, ARRAY[$4::uuid], $5, $6, now() + $7::interval, $8, $9)
"""
RELEASE_SCHEDULED: Final = """
WITH ripe AS (
    DELETE FROM hub.delivery WHERE id IN (
        SELECT id FROM hub.delivery WHERE receiver = $1 AND state = 'scheduled' AND due_at <= now()
        ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING *
)
INSERT INTO hub.delivery (receiver, lane, state, message_ids, attempts, since, reason, fingerprint, note)
SELECT receiver, lane, 'due', message_ids, attempts, since, reason, fingerprint, note FROM ripe ORDER BY due_at, id
"""
RELEASE_LIMIT: Final = 1000
"""The most scheduled deliveries that become due at once."""


@dataclass(frozen=True, slots=True)
class Place:
    """A lane as it is owned: the epoch fences off an owner that lost it without noticing."""

    receiver: str
    lane: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Due:
    """One message that is due, as fetched."""

    delivery_id: int
    attempts: int
    message_id: UUID
    correlation_id: UUID
    row: Row

    def policy(self) -> RetryPolicy:
        """How often it is tried; a message of an unknown type will be parked anyhow."""
        message_type = CATALOG.get(self.row["type"] or "")
        return PROMPT if message_type is None else ROUTES[message_type].retry


async def fetch(database: Database, place: Place, after: int) -> list[Due]:
    """What is due in a lane behind the delivery `after`, in order: whole deliveries, the first one at least."""
    async with database.connection() as connection:
        rows = await connection.fetch(FETCH, place.receiver, place.lane, after, FETCH_LIMIT, MESSAGES_LIMIT)
    return [Due(r["delivery_id"], r["attempts"], r["message_id"], r["correlation_id"], r) for r in rows]


async def mark_done(tx: Transaction, place: Place, delivery_ids: Sequence[int]) -> None:
    """The inbox mark: the deliveries go, with their effect. Raises OwnershipLostError when they are not ours to do."""
    gone = await tx.fetch(DONE, place.receiver, place.lane, place.epoch, delivery_ids)
    if len(gone) != len(delivery_ids):
        raise OwnershipLostError(f"{place.receiver} {place.lane}")


async def mark_part_done(tx: Transaction, place: Place, delivery_id: int, done: Sequence[UUID]) -> None:
    """The inbox mark for some messages of a delivery, of which others are left. Raises OwnershipLostError."""
    if not await tx.fetch(DONE_PART, place.receiver, place.lane, place.epoch, delivery_id, done):
        raise OwnershipLostError(f"{place.receiver} {place.lane}")


async def put_off(tx: Transaction, place: Place, due: Due, attempts: int, error: BaseException) -> None:
    """Give a failed message a delivery of its own: scheduled, or parked, with its reason."""
    wait = delay(due.policy(), attempts, error)
    state = "parked" if wait is None else "scheduled"
    await tx.execute(
        PUT_OFF,
        place.receiver,
        place.lane,
        state,
        due.message_id,
        attempts,
        due.row["since"],
        wait,
        reason(error),
        fingerprint(error),
    )
    if state == "parked":
        PARKED.labels(place.receiver).inc()
        log.error("message_parked", receiver=place.receiver, message_id=due.message_id, fingerprint=fingerprint(error))


async def release_scheduled(database: Database, receiver: str) -> None:
    """Make due what was scheduled and is ripe; it queues up behind what is there."""
    async with database.connection() as connection:
        await connection.execute(RELEASE_SCHEDULED, receiver, RELEASE_LIMIT)
