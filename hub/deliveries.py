"""The rows of hub.delivery: fetching what is due, marking what is done, putting off or parking what failed."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import structlog

from hub.database import Database, Row
from hub.errors import OwnershipLostError
from hub.metrics import FROM_STORE, PARKED
from hub.outbox import DELIVERY_LIMIT
from hub.retry import PROMPT, RetryPolicy, delay, fingerprint, reason
from hub.routes import ROUTES
from hub.tracing import Trace, span_of
from hub.transaction import Transaction
from hub.versions import current_type

log = structlog.get_logger()

FETCH_LIMIT: Final = 16
"""The most deliveries one transaction takes."""
MESSAGES_LIMIT: Final = 512
"""The most messages one transaction takes, a single delivery apart."""

LANES_WITH_WORK: Final = """
SELECT lane, min(id) AS first_id FROM hub.delivery
WHERE receiver = $1 AND state = 'due' AND lane = ANY ($2::smallint[]) GROUP BY lane
UNION ALL SELECT NULL, NULL
WHERE EXISTS (SELECT FROM hub.delivery WHERE receiver = $1 AND state = 'scheduled' AND due_at <= now())
"""
"""A row without a lane: something scheduled is ripe. So whoever looks and finds nothing has asked one question."""
FETCH: Final = "SELECT * FROM hub.due($1, $2, $3, $4, $5)"
HEADS: Final = """
SELECT id AS delivery_id, attempts, since, message_ids
FROM (
    SELECT next.*, cardinality(message_ids) AS size, sum(cardinality(message_ids)) OVER (ORDER BY id) AS total
    FROM (
        SELECT id, attempts, since, message_ids FROM hub.delivery
        WHERE receiver = $1 AND lane = $2 AND state = 'due' AND id > $3 ORDER BY id LIMIT $4
    ) AS next
) AS d
WHERE total <= $5 OR total = size ORDER BY id
"""
"""What hub.due gives, a row a delivery and without the messages."""
STORED: Final = "SELECT * FROM hub.stored($1)"
# FOR KEY SHARE holds off whoever would win the lane, not its owner's renewals of the lease.
DONE: Final = """
WITH fence AS (SELECT FROM hub.lane WHERE receiver = $1 AND lane = $2 AND epoch = $3 FOR KEY SHARE)
DELETE FROM hub.delivery AS d USING fence WHERE d.id = ANY ($4::bigint[]) RETURNING d.id
"""
DONE_PART: Final = """
WITH fence AS (SELECT FROM hub.lane WHERE receiver = $1 AND lane = $2 AND epoch = $3 FOR KEY SHARE)
UPDATE hub.delivery AS d SET message_ids = ARRAY(
    SELECT id FROM unnest(d.message_ids) WITH ORDINALITY AS u (id, n) WHERE id <> ALL ($5::uuid[]) ORDER BY n)
FROM fence WHERE d.id = $4 AND d.message_ids @> $5::uuid[] RETURNING d.id
"""
PUT_OFF: Final = """
INSERT INTO hub.delivery (receiver, lane, state, message_ids, attempts, since, due_at, reason, fingerprint)
VALUES ($1, $2, $3, ARRAY[$4::uuid], $5, $6, now() + $7::interval, $8, $9)
"""
HOLD: Final = """
WITH fence AS (SELECT FROM hub.lane WHERE receiver = $1 AND lane = $2 AND epoch = $3 FOR KEY SHARE),
down AS (SELECT FROM hub.outage WHERE receiver = $1 AND destination = $4 AND ended_at IS NULL FOR SHARE)
UPDATE hub.delivery AS d SET state = 'held', destination = $4 FROM fence, down
WHERE d.id = ANY ($5::bigint[]) AND d.state = 'due' RETURNING d.id
"""
"""Under the outage's lock: once it has ended, nothing more is held for it."""
HOLD_PART: Final = """
WITH fence AS (SELECT FROM hub.lane WHERE receiver = $1 AND lane = $2 AND epoch = $3 FOR KEY SHARE),
down AS (SELECT FROM hub.outage WHERE receiver = $1 AND destination = $4 AND ended_at IS NULL FOR SHARE),
part AS (
    UPDATE hub.delivery AS d SET message_ids = ARRAY(
        SELECT id FROM unnest(d.message_ids) WITH ORDINALITY AS u (id, n) WHERE id <> ALL ($6::uuid[]) ORDER BY n)
    FROM fence, down WHERE d.id = $5 AND d.state = 'due' AND d.message_ids @> $6::uuid[]
    RETURNING d.attempts, d.since, d.reason, d.fingerprint, d.note
)
INSERT INTO hub.delivery (receiver, lane, state, destination, message_ids, attempts, since, reason, fingerprint, note)
SELECT $1, $2, 'held', $4, $6, attempts, since, reason, fingerprint, note FROM part RETURNING id
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
DONE_OUTSIDE: Final = """
INSERT INTO hub.outside_done (message_id, took_s) SELECT * FROM unnest($1::uuid[], $2::real[]) ON CONFLICT DO NOTHING
"""
RELEASE_LIMIT: Final = 1000
"""The most scheduled deliveries that become due at once."""


Stored: TypeAlias = Row | Mapping[str, Any]
"""A message as stored: `type`, `source`, `subject`, `correlation_id`, `parent_span`, `time`, `body`; all None where it
is gone."""


@dataclass(frozen=True, slots=True)
class Place:
    """A lane as it is owned: the epoch fences off an owner that lost it without noticing."""

    receiver: str
    lane: int
    epoch: int


class Due(NamedTuple):
    """One message that is due, as fetched."""

    delivery_id: int
    attempts: int
    since: datetime
    message_id: UUID
    row: Stored

    @property
    def trace(self) -> Trace:
        """What is said because of it is of its trace, and caused by it."""
        return Trace(self.row["correlation_id"], span_of(self.message_id))

    def policy(self) -> RetryPolicy:
        """How often it is tried; a message of an unknown type will be parked anyhow."""
        message_type = current_type(self.row["type"])
        return PROMPT if message_type is None else ROUTES[message_type].retry


def were_all(due: Sequence[Due]) -> bool:
    """Whether nothing else was due when this was fetched: a further delivery would have found room."""
    has_room = len(due) <= MESSAGES_LIMIT - DELIVERY_LIMIT
    return has_room and len({one.delivery_id for one in due}) < FETCH_LIMIT


async def fetch(database: Database, place: Place, after: int) -> list[Due]:
    """What is due in a lane behind the delivery `after`, in order: whole deliveries, the first one at least."""
    async with database.connection() as connection:
        rows = await connection.fetch(FETCH, place.receiver, place.lane, after, FETCH_LIMIT, MESSAGES_LIMIT)
    return [Due(r["delivery_id"], r["attempts"], r["since"], r["message_id"], r) for r in rows]


async def fetch_but(database: Database, place: Place, after: int, held: Mapping[UUID, Stored]) -> list[Due]:
    """The same, where some messages are at hand already: only the others are read from the message store."""
    async with database.connection() as connection:
        heads = await connection.fetch(HEADS, place.receiver, place.lane, after, FETCH_LIMIT, MESSAGES_LIMIT)
        missing = [one for head in heads for one in head["message_ids"] if one not in held]
        read = {row["id"]: row for row in await connection.fetch(STORED, missing)} if missing else {}
    FROM_STORE.labels(place.receiver).inc(len(missing))
    return [
        Due(delivery_id, attempts, since, message_id, held.get(message_id) or read[message_id])
        for delivery_id, attempts, since, message_ids in heads
        for message_id in message_ids
    ]


async def mark_done(tx: Transaction, place: Place, delivery_ids: Sequence[int]) -> None:
    """The inbox mark: the deliveries go, with their effect. Raises OwnershipLostError when they are not ours to do."""
    gone = await tx.fetch(DONE, place.receiver, place.lane, place.epoch, delivery_ids)
    if len(gone) != len(delivery_ids):
        raise OwnershipLostError(f"{place.receiver} {place.lane}")


async def mark_part_done(tx: Transaction, place: Place, delivery_id: int, done: Sequence[UUID]) -> None:
    """The inbox mark for some messages of a delivery, of which others are left. Raises OwnershipLostError."""
    if not await tx.fetch(DONE_PART, place.receiver, place.lane, place.epoch, delivery_id, done):
        raise OwnershipLostError(f"{place.receiver} {place.lane}")


async def mark_done_outside(tx: Transaction, took_s: Mapping[UUID, float]) -> None:
    """Keep when these messages were done, which nothing else tells of what is done outside; message → seconds."""
    await tx.execute(DONE_OUTSIDE, list(took_s), list(took_s.values()))


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
        due.since,
        wait,
        reason(error),
        fingerprint(error),
    )
    if state == "parked":
        PARKED.labels(place.receiver).inc()
        log.error(
            "message_parked",
            receiver=place.receiver,
            message_id=due.message_id,
            trace_id=due.row["correlation_id"].hex if due.row["type"] else None,
            fingerprint=fingerprint(error),
        )


async def hold(tx: Transaction, place: Place, waiting: Mapping[int, Mapping[str, Sequence[UUID]]]) -> bool:
    """Set aside what waits for a destination that is down, burning no attempts.

    Args:
        tx: the transaction.
        place: the lane.
        waiting: delivery → destination → its messages; all that is left of the delivery.

    Returns:
        whether all of it is held: what is not, because its outage is over, is due as before.
    """
    whole: dict[str, list[int]] = defaultdict(list)
    for delivery_id, by_destination in waiting.items():
        first, *others = by_destination
        parts = [
            await tx.fetch(
                HOLD_PART, place.receiver, place.lane, place.epoch, other, delivery_id, by_destination[other]
            )
            for other in others
        ]
        if all(parts):
            whole[first].append(delivery_id)
    held = 0
    for destination, ids in sorted(whole.items()):
        held += len(await tx.fetch(HOLD, place.receiver, place.lane, place.epoch, destination, ids))
    return held == len(waiting)


async def lanes_with_work(database: Database, receiver: str, lanes: Collection[int]) -> tuple[dict[int, int], bool]:
    """Lane → the first delivery that is due there; and whether any that was scheduled is ripe."""
    async with database.connection() as connection:
        rows = await connection.fetch(LANES_WITH_WORK, receiver, list(lanes))
    first = {row["lane"]: row["first_id"] for row in rows if row["lane"] is not None}
    return first, len(first) < len(rows)


async def release_scheduled(database: Database, receiver: str) -> None:
    """Make due what was scheduled and is ripe; it queues up behind what is there."""
    async with database.connection() as connection:
        await connection.execute(RELEASE_SCHEDULED, receiver, RELEASE_LIMIT)
