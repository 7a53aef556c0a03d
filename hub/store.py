"""The message store as an operator sees it: search, one message's whole way, what waits, what is parked and why.

Bodies of message types that carry personal data are shown to nobody who does not bring the sealer.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from hub.database import Database, Row
from hub.errors import PermanentError
from hub.ids import uuid7_lower_bound, uuid7_time
from hub.keys import SealBrokenError, Sealer
from hub.routes import DELIVERED_TO
from hub.sealing import plain_of
from hub.versions import current_type, is_personal, version_named

LIST_LIMIT: Final = 1_000
"""The most messages, groups or deliveries in one answer."""

CUSTOM_PLANS: Final = "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = off"
"""Each search is planned for what it asks: with a plan for all of them no index would fit. The filters of the columns
look dearer to the planner than they are."""
SEARCH: Final = """
SELECT * FROM hub.message
WHERE ($1::text IS NULL OR type = $1) AND ($2::uuid IS NULL OR subject = $2)
    AND ($3::uuid IS NULL OR correlation_id = $3) AND ($4::text IS NULL OR business_key = $4)
    AND ($5::uuid IS NULL OR id >= $5) AND ($6::uuid IS NULL OR id < $6) AND ($7::uuid IS NULL OR id < $7)
ORDER BY id DESC LIMIT $8
"""
BY_ID: Final = "SELECT * FROM hub.message WHERE id = $1"
CAUSED: Final = """
SELECT * FROM hub.message WHERE correlation_id = $1 AND ($2::uuid IS NULL OR subject = $2) ORDER BY id LIMIT $3
"""
OPEN: Final = "SELECT * FROM hub.delivery WHERE message_ids && $1::uuid[] ORDER BY id LIMIT $2"
BY_STATE: Final = """
SELECT * FROM hub.delivery WHERE state = $1 AND ($2::text IS NULL OR fingerprint = $2) AND id > $3
ORDER BY id LIMIT $4
"""
PARKED: Final = """
SELECT d.fingerprint, d.receiver, count(*) AS messages, min(d.since) AS first, max(d.since) AS last,
    (array_agg(d.reason ORDER BY d.id DESC))[1] AS reason,
    array_agg(DISTINCT coalesce(m.type, '?')) AS types, max(d.note) AS note
FROM hub.delivery AS d CROSS JOIN LATERAL unnest(d.message_ids) AS u (message_id)
LEFT JOIN hub.message AS m ON m.id = u.message_id
WHERE d.state = 'parked' GROUP BY d.fingerprint, d.receiver ORDER BY messages DESC, d.fingerprint, d.receiver LIMIT $1
"""
COUNTS: Final = """
SELECT receiver, min(since) FILTER (WHERE state = 'due') AS oldest,
    coalesce(sum(cardinality(message_ids)) FILTER (WHERE state = 'due'), 0) AS due,
    coalesce(sum(cardinality(message_ids)) FILTER (WHERE state = 'scheduled'), 0) AS scheduled,
    coalesce(sum(cardinality(message_ids)) FILTER (WHERE state = 'held'), 0) AS held,
    coalesce(sum(cardinality(message_ids)) FILTER (WHERE state = 'parked'), 0) AS parked
FROM hub.delivery GROUP BY receiver ORDER BY receiver
"""
COPIES: Final = (
    "SELECT copy_id, original_id, receivers FROM hub.copy WHERE original_id = ANY ($1) OR copy_id = ANY ($1)"
)


class NoSuchMessageError(PermanentError):
    """The message store has no message of that id; `mykey-hub console messages` finds those that are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for; None is anything. `since` ≤ when it was said < `until`, by the sender's machine."""

    type: str | None = None
    subject: UUID | None = None
    correlation_id: UUID | None = None
    business_key: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: UUID | None = None
    """Only messages said before this one: where the last page ended."""
    limit: int = 50


class StoredMessage(BaseModel, frozen=True):
    """A message as stored. `data` is None where it may not be shown: it is personal, or of an unknown type."""

    id: UUID
    type: str
    source: str
    subject: UUID
    business_key: str | None
    correlation_id: UUID
    said_at: datetime
    """By the machine that said it; `time` is by the hub's clock, which a story or a test may have moved."""
    time: datetime
    personal: bool
    data: dict[str, Any] | None


class WaitingDelivery(BaseModel, frozen=True):
    """A delivery that is not done yet; `due_at` only where it is scheduled, `destination` where it is held."""

    id: int
    receiver: str
    lane: int
    state: str
    message_ids: list[UUID]
    attempts: int
    due_at: datetime | None
    destination: str | None
    since: datetime
    reason: str | None
    fingerprint: str | None
    note: str | None


class DeliveryState(StrEnum):
    """How far a message has come with one receiver; `replaced`: an edited copy went there instead."""

    done = "done"
    due = "due"
    scheduled = "scheduled"
    held = "held"
    parked = "parked"
    replaced = "replaced"


class Delivered(BaseModel, frozen=True):
    """A message and one of its receivers.

    When it was done is not written for each message. What the receiver said next about the same subject tells it,
    where it said something: `effect_at`, and `critical_ms` from saying to effect.
    """

    message_id: UUID
    receiver: str
    state: DeliveryState
    effect_at: datetime | None = None
    critical_ms: float | None = None


class Copy(BaseModel, frozen=True):
    """An edited copy that was delivered instead of the original, to these receivers."""

    copy_id: UUID
    original_id: UUID
    receivers: list[str]


class Way(BaseModel, frozen=True):
    """A message, everything with the same beginning in the order it was said, where each went, and what still waits."""

    message: StoredMessage
    chain: list[StoredMessage]
    deliveries: list[Delivered]
    waiting: list[WaitingDelivery]
    copies: list[Copy]


class ParkedGroup(BaseModel, frozen=True):
    """Messages parked by the same kind of failure at the same place; `reason` and `note` are the latest ones."""

    fingerprint: str
    receiver: str
    messages: int
    types: list[str]
    reason: str
    first: datetime
    last: datetime
    note: str | None


class ReceiverCounts(BaseModel, frozen=True):
    """How many messages wait for a receiver, and since when the oldest of those that are due does."""

    receiver: str
    due: int
    scheduled: int
    held: int
    parked: int
    oldest: datetime | None


async def search(database: Database, wanted: Search) -> list[StoredMessage]:
    """The latest messages that fit, latest first."""
    first = uuid7_lower_bound(wanted.since) if wanted.since else None
    end = uuid7_lower_bound(wanted.until) if wanted.until else None
    limit = min(wanted.limit, LIST_LIMIT)
    async with database.connection() as connection, connection.transaction(readonly=True):
        await connection.execute(CUSTOM_PLANS)
        rows = await connection.fetch(
            SEARCH,
            wanted.type,
            wanted.subject,
            wanted.correlation_id,
            wanted.business_key,
            first,
            end,
            wanted.before,
            limit,
        )
    return [_message(row) for row in rows]


async def way_of(database: Database, message_id: UUID, unmask: Sealer | None = None) -> Way:
    """One message's whole way through the system; with a sealer also what is personal. Raises NoSuchMessageError."""
    async with database.connection() as connection, connection.transaction(readonly=True):
        await connection.execute(CUSTOM_PLANS)
        row = await connection.fetchrow(BY_ID, message_id)
        if row is None:
            raise NoSuchMessageError(str(message_id))
        rows = await connection.fetch(CAUSED, row["correlation_id"], None, LIST_LIMIT + 1)
        if len(rows) > LIST_LIMIT:  # the rows of a file are one chain: then what is about the same
            rows = await connection.fetch(CAUSED, row["correlation_id"], row["subject"], LIST_LIMIT)
        ids = [one["id"] for one in rows]
        waiting = [_delivery(one) for one in await connection.fetch(OPEN, ids, LIST_LIMIT)]
        copies = [Copy.model_validate(dict(one)) for one in await connection.fetch(COPIES, ids)]
    chain = [_message(one, unmask) for one in rows]
    return Way(
        message=_message(row, unmask),
        chain=chain,
        deliveries=list(_delivered(chain, waiting, copies)),
        waiting=waiting,
        copies=copies,
    )


async def parked(database: Database) -> list[ParkedGroup]:
    """What is parked, by failure, the most frequent first."""
    async with database.connection() as connection:
        return [ParkedGroup.model_validate(dict(row)) for row in await connection.fetch(PARKED, LIST_LIMIT)]


async def waiting(
    database: Database, state: str, fingerprint: str | None = None, after: int = 0, limit: int = LIST_LIMIT
) -> list[WaitingDelivery]:
    """Deliveries in this state (`due`, `scheduled`, `held`, `parked`), in their order, behind the delivery `after`."""
    async with database.connection() as connection:
        rows = await connection.fetch(BY_STATE, state, fingerprint, after, min(limit, LIST_LIMIT))
    return [_delivery(row) for row in rows]


async def counts(database: Database) -> list[ReceiverCounts]:
    """What waits, for each receiver that anything waits for."""
    async with database.connection() as connection:
        return [ReceiverCounts.model_validate(dict(row)) for row in await connection.fetch(COUNTS)]


def _message(row: Row, unmask: Sealer | None = None) -> StoredMessage:
    personal = is_personal(row["type"])
    data = _data(row, unmask) if unmask is not None or not personal else None
    return StoredMessage.model_validate({**row, "said_at": uuid7_time(row["id"]), "personal": personal, "data": data})


def _data(row: Row, sealer: Sealer | None) -> dict[str, Any] | None:
    """What the body says; None where it is no JSON object, as of a message that could not be read."""
    version = version_named(row["type"])
    try:
        body = row["body"]
        if sealer is not None and version is not None:
            body = plain_of(version, body, row["id"], sealer)
        data = json.loads(body)
    except (ValueError, SealBrokenError):
        return None
    return data if isinstance(data, dict) else None


def _delivered(
    chain: Sequence[StoredMessage], waiting: Sequence[WaitingDelivery], copies: Sequence[Copy]
) -> Iterator[Delivered]:
    """Each message of the chain with each of its receivers, in order."""
    open_at = {(id_, one.receiver): DeliveryState(one.state) for one in waiting for id_ in one.message_ids}
    replaced = {(one.original_id, receiver) for one in copies for receiver in one.receivers}
    copied_to = {one.copy_id: one.receivers for one in copies}
    for message in chain:
        message_type = current_type(message.type)
        routed = DELIVERED_TO[message_type] if message_type is not None else ()
        for receiver in copied_to.get(message.id, routed):
            place = message.id, receiver
            if place in open_at or place in replaced:
                state = open_at.get(place, DeliveryState.replaced)
                yield Delivered(message_id=message.id, receiver=receiver, state=state)
            else:
                yield _done(message, receiver, chain)


def _done(message: StoredMessage, receiver: str, chain: Sequence[StoredMessage]) -> Delivered:
    component = receiver.partition(".")[0]
    effects = (
        one.said_at
        for one in chain
        if one.source == component and one.subject == message.subject and one.id > message.id
    )
    effect_at = next(effects, None)
    critical_ms = None if effect_at is None else (effect_at - message.said_at) / timedelta(milliseconds=1)
    return Delivered(
        message_id=message.id,
        receiver=receiver,
        state=DeliveryState.done,
        effect_at=effect_at,
        critical_ms=critical_ms,
    )


def _delivery(row: Row) -> WaitingDelivery:
    return WaitingDelivery.model_validate(dict(row))
