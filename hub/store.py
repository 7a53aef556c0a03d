"""The message store as an operator sees it: search, one message's whole way, what is parked and why, redrive.

Bodies of message types that carry personal data are never shown.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from hub.database import Connection, Database, Row
from hub.errors import PermanentError
from hub.ids import uuid7_lower_bound
from schemas.catalog import CATALOG

LIST_LIMIT: Final = 1_000
"""The most messages, groups or deliveries in one answer."""
REDRIVE_BATCH_LIMIT: Final = 500
NOTE_LIMIT_CHARS: Final = 500

CUSTOM_PLANS: Final = "SET LOCAL plan_cache_mode = force_custom_plan"
"""Each search is planned for what it asks: with a plan for all of them no index would fit."""
SEARCH: Final = """
SELECT * FROM hub.message
WHERE ($1::text IS NULL OR type = $1) AND ($2::uuid IS NULL OR subject = $2)
    AND ($3::uuid IS NULL OR correlation_id = $3) AND ($4::text IS NULL OR business_key = $4)
    AND ($5::uuid IS NULL OR id >= $5) AND ($6::uuid IS NULL OR id < $6)
ORDER BY id DESC LIMIT $7
"""
BY_ID: Final = "SELECT * FROM hub.message WHERE id = $1"
CAUSED: Final = "SELECT * FROM hub.message WHERE correlation_id = $1 ORDER BY id LIMIT $2"
OPEN: Final = "SELECT * FROM hub.delivery WHERE message_ids && $1::uuid[] ORDER BY id LIMIT $2"
BY_STATE: Final = """
SELECT * FROM hub.delivery WHERE state = $1 AND ($2::text IS NULL OR fingerprint = $2)
ORDER BY due_at NULLS FIRST, id LIMIT $3
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
SELECT receiver, min(since) AS oldest,
    coalesce(sum(cardinality(message_ids)) FILTER (WHERE state = 'due'), 0) AS due,
    coalesce(sum(cardinality(message_ids)) FILTER (WHERE state = 'scheduled'), 0) AS scheduled,
    coalesce(sum(cardinality(message_ids)) FILTER (WHERE state = 'parked'), 0) AS parked
FROM hub.delivery GROUP BY receiver ORDER BY receiver
"""
TO_REDRIVE: Final = """
SELECT count(*) AS total, max(id) AS last FROM hub.delivery
WHERE ($1::bigint IS NULL AND state = 'parked' OR id = $1 AND state IN ('parked', 'scheduled'))
    AND ($2::text IS NULL OR fingerprint = $2)
"""
REDRIVE: Final = """
WITH freed AS (
    DELETE FROM hub.delivery WHERE id IN (
        SELECT id FROM hub.delivery
        WHERE ($1::bigint IS NULL AND state = 'parked' OR id = $1 AND state IN ('parked', 'scheduled'))
            AND ($2::text IS NULL OR fingerprint = $2) AND id <= $3
        ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED)
    RETURNING *
)
INSERT INTO hub.delivery (receiver, lane, state, message_ids, attempts, since, reason, fingerprint, note)
SELECT receiver, lane, 'due', message_ids, 0, since, reason, fingerprint, note FROM freed ORDER BY id
RETURNING id
"""
NOTE: Final = "UPDATE hub.delivery SET note = $2 WHERE id = $1 RETURNING id"

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""


class NoSuchMessageError(PermanentError):
    """The message store has no message of that id; `mykey-hub messages list` finds those that are there."""


class NoSuchDeliveryError(PermanentError):
    """No delivery of that id is waiting: it may be done by now. `mykey-hub messages show` tells a message's way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for; None is anything. `since` ≤ when it was said < `until`, by the sender's machine."""

    type: str | None = None
    subject: UUID | None = None
    correlation_id: UUID | None = None
    business_key: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50


class StoredMessage(BaseModel, frozen=True):
    """A message as stored. `data` is None where it may not be shown: it is personal, or of an unknown type."""

    id: UUID
    type: str
    source: str
    subject: UUID
    business_key: str | None
    correlation_id: UUID
    time: datetime
    data: dict[str, Any] | None


class WaitingDelivery(BaseModel, frozen=True):
    """A delivery that is not done yet; `due_at` only where it is scheduled."""

    id: int
    receiver: str
    lane: int
    state: str
    message_ids: list[UUID]
    attempts: int
    due_at: datetime | None
    since: datetime
    reason: str | None
    fingerprint: str | None
    note: str | None


class Way(BaseModel, frozen=True):
    """A message, everything with the same beginning in the order it was said, and what of that is not done yet."""

    message: StoredMessage
    chain: list[StoredMessage]
    waiting: list[WaitingDelivery]


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
    """How many messages wait for a receiver, and since when the oldest does."""

    receiver: str
    due: int
    scheduled: int
    parked: int
    oldest: datetime


async def search(database: Database, wanted: Search) -> list[StoredMessage]:
    """The latest messages that fit, latest first."""
    first = uuid7_lower_bound(wanted.since) if wanted.since else None
    end = uuid7_lower_bound(wanted.until) if wanted.until else None
    limit = min(wanted.limit, LIST_LIMIT)
    async with database.connection() as connection, connection.transaction(readonly=True):
        await connection.execute(CUSTOM_PLANS)
        rows = await connection.fetch(
            SEARCH, wanted.type, wanted.subject, wanted.correlation_id, wanted.business_key, first, end, limit
        )
    return [_message(row) for row in rows]


async def way_of(database: Database, message_id: UUID) -> Way:
    """One message's whole way through the system. Raises NoSuchMessageError."""
    async with database.connection() as connection:
        row = await connection.fetchrow(BY_ID, message_id)
        if row is None:
            raise NoSuchMessageError(str(message_id))
        chain = await connection.fetch(CAUSED, row["correlation_id"], LIST_LIMIT)
        ids = [one["id"] for one in chain]
        waiting = await connection.fetch(OPEN, ids, LIST_LIMIT)
    return Way(
        message=_message(row), chain=[_message(one) for one in chain], waiting=[_delivery(one) for one in waiting]
    )


async def parked(database: Database) -> list[ParkedGroup]:
    """What is parked, by failure, the most frequent first."""
    async with database.connection() as connection:
        return [ParkedGroup.model_validate(dict(row)) for row in await connection.fetch(PARKED, LIST_LIMIT)]


async def waiting(database: Database, state: str, fingerprint: str | None = None) -> list[WaitingDelivery]:
    """Deliveries in this state (`due`, `scheduled`, `parked`), by when they are due and their age."""
    async with database.connection() as connection:
        return [_delivery(row) for row in await connection.fetch(BY_STATE, state, fingerprint, LIST_LIMIT)]


async def counts(database: Database) -> list[ReceiverCounts]:
    """What waits, for each receiver that anything waits for."""
    async with database.connection() as connection:
        return [ReceiverCounts.model_validate(dict(row)) for row in await connection.fetch(COUNTS)]


async def redrive_one(database: Database, delivery_id: int) -> None:
    """Let a parked or scheduled delivery be tried afresh, now. Raises NoSuchDeliveryError."""
    if not await _redrive(database, delivery_id, None, None):
        raise NoSuchDeliveryError(str(delivery_id))


async def redrive_group(database: Database, fingerprint: str, progress: Progress | None = None) -> int:
    """Let everything parked by this failure be tried afresh; returns how many deliveries that were."""
    return await _redrive(database, None, fingerprint, progress)


async def redrive_all(database: Database, progress: Progress | None = None) -> int:
    """Let everything parked be tried afresh; returns how many deliveries that were."""
    return await _redrive(database, None, None, progress)


async def add_note(database: Database, delivery_id: int, note: str) -> None:
    """Leave a note for colleagues at a delivery; no personal data, please. Raises NoSuchDeliveryError, ValueError."""
    if len(note) > NOTE_LIMIT_CHARS or not note.isprintable():
        raise ValueError(f"a note has at most {NOTE_LIMIT_CHARS} characters, in one line")
    async with database.connection() as connection:
        if not await connection.fetch(NOTE, delivery_id, note):
            raise NoSuchDeliveryError(str(delivery_id))


async def _redrive(
    database: Database, delivery_id: int | None, fingerprint: str | None, progress: Progress | None
) -> int:
    """In batches, up to the last one there was at the start: what fails again meanwhile stays parked."""
    async with database.connection() as connection:
        (found,) = await connection.fetch(TO_REDRIVE, delivery_id, fingerprint)
        done = 0
        while moved := await _redrive_batch(connection, delivery_id, fingerprint, found["last"]):
            done += moved
            if progress is not None:
                progress(done, max(done, found["total"]))
    return done


async def _redrive_batch(connection: Connection, delivery_id: int | None, fingerprint: str | None, last: int) -> int:
    return len(await connection.fetch(REDRIVE, delivery_id, fingerprint, last, REDRIVE_BATCH_LIMIT))


def _message(row: Row) -> StoredMessage:
    message_type = CATALOG.get(row["type"])
    may_be_shown = message_type is not None and not message_type.PERSONAL
    return StoredMessage.model_validate({**row, "data": _data(row["body"]) if may_be_shown else None})


def _data(body: bytes) -> dict[str, Any] | None:
    """What the body says; None where it is no JSON object, as of a message that could not be read."""
    try:
        data = json.loads(body)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _delivery(row: Row) -> WaitingDelivery:
    return WaitingDelivery.model_validate(dict(row))


def as_json(answer: BaseModel | Sequence[BaseModel]) -> str:
    """An answer for machines."""
    if isinstance(answer, BaseModel):
        return answer.model_dump_json()
    return f"[{','.join(one.model_dump_json() for one in answer)}]"
