"""One trace as the message store has it: what was said, by whom, because of what, and how far each receiver is.

Measured: when a message was said (its id tells, to the millisecond, by the clock of the machine that said it), what
caused it, what is not done yet and why, and when something outside was done and how long its last try took. Inferred:
that whoever the route table names received it; that what is not waiting is done; and that a receiver was at a message
when it said the next one because of it, a little before its commit. When a receiver that said nothing more was done is
not kept.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel

from hub.database import Connection, Database, Row
from hub.errors import PermanentError
from hub.ids import uuid7_lower_bound, uuid7_time
from hub.routes import DELIVERED_TO
from hub.store import COPIES, CUSTOM_PLANS, OPEN
from hub.tracing import parse, span_of
from hub.versions import current_type

STEPS_LIMIT: Final = 2_000
"""The most messages of a trace; a file of a million rows is one trace."""
KEYS_LIMIT: Final = 100
"""The most messages of one business key that are looked at."""
CLOCKS_APART_S: Final = 60.0
"""By how much the clocks of two machines may differ."""
REQUEST_LIMIT_S: Final = 120.0
"""How long after its begin a request may still say something."""

_VERSION_7: Final = 7
BY_ID: Final = "SELECT correlation_id, subject FROM hub.message WHERE id = $1"
BY_KEY: Final = "SELECT correlation_id, subject FROM hub.message WHERE business_key = $1 ORDER BY id DESC LIMIT $2"
BY_REQUEST: Final = """
SELECT correlation_id, subject FROM hub.message WHERE parent_span = $1 AND id >= $2 AND id < $3 LIMIT 1
"""
CHAIN: Final = """
SELECT id, type, source, subject, business_key, correlation_id, parent_span FROM hub.message
WHERE correlation_id = $1 AND id >= $2 AND ($3::uuid IS NULL OR subject = $3) ORDER BY id LIMIT $4
"""
DONE: Final = "SELECT message_id, done_at, took_s FROM hub.outside_done WHERE message_id = ANY ($1::uuid[])"

State = Literal["done", "due", "scheduled", "held", "parked", "replaced"]


class NoSuchTraceError(PermanentError):
    """The message store knows no such trace, message, request or business key; what only asked is in the log alone."""


class Hop(BaseModel, frozen=True):
    """How far one receiver of a message is.

    `done_at` is recorded where `is_measured`; else it is when the receiver said the next message because of this one.
    None, and done: when is not kept. `took_s` is how long it was in work, where that is known.
    """

    receiver: str
    state: State = "done"
    done_at: datetime | None = None
    is_measured: bool = False
    took_s: float | None = None
    delivery_id: int | None = None
    attempts: int = 0
    due_at: datetime | None = None
    destination: str | None = None
    reason: str | None = None
    fingerprint: str | None = None
    note: str | None = None


class Step(BaseModel, frozen=True):
    """A message: `cause` is the message because of which it was said, `depth` how many of them are above it."""

    id: UUID
    type: str
    source: str
    subject: UUID
    business_key: str | None
    said_at: datetime
    cause: UUID | None
    depth: int
    hops: list[Hop]


class Waterfall(BaseModel, frozen=True):
    """A trace.

    `begun_by` is `message` where a message of ours began it, `request` where a request or a call did, whose id is the
    trace's; `caller` where the trace is a caller's own, so that its beginning is not ours to know.
    `subject` is set where only the messages about it are told, because there are too many; `is_cut`: there are more.
    `others` are further traces with the business key that was asked for.
    """

    trace_id: str
    correlation_id: UUID
    begun_by: Literal["message", "request", "caller"]
    began_at: datetime
    steps: list[Step]
    subject: UUID | None
    is_cut: bool
    others: list[UUID]


async def waterfall(database: Database, asked: str) -> Waterfall:
    """The trace of a trace id, traceparent, correlation id, message id, request id or business key.

    Raises NoSuchTraceError.
    """
    async with database.connection() as connection, connection.transaction(readonly=True):
        await connection.execute(CUSTOM_PLANS)
        correlation_id, subject, others = await _find(connection, asked)
        rows, is_cut = await _chain(connection, correlation_id, None)
        narrowed = subject if is_cut else None
        if narrowed is not None:
            rows, is_cut = await _chain(connection, correlation_id, narrowed)
        ids = [row["id"] for row in rows]
        waiting = await connection.fetch(OPEN, ids, STEPS_LIMIT)
        done = await connection.fetch(DONE, ids)
        copies = await connection.fetch(COPIES, ids)
    begun_by, began_at = _beginning(correlation_id, rows)
    return Waterfall(
        trace_id=correlation_id.hex,
        correlation_id=correlation_id,
        begun_by=begun_by,
        began_at=began_at,
        steps=list(_steps(rows, waiting, done, copies)),
        subject=narrowed,
        is_cut=is_cut,
        others=others,
    )


async def _find(connection: Connection, asked: str) -> tuple[UUID, UUID | None, list[UUID]]:
    """The correlation id, what the message that was asked for is about, and other traces that may be meant."""
    found = await connection.fetch(BY_KEY, asked, KEYS_LIMIT)
    if found:
        traces = list(dict.fromkeys(row["correlation_id"] for row in reversed(found)))
        return traces[0], found[-1]["subject"], traces[1:]
    asked_id = _id(asked)
    if asked_id is None:
        raise NoSuchTraceError(asked)
    row = await connection.fetchrow(BY_ID, asked_id)
    if row is None and (await _chain(connection, asked_id, None))[0]:
        return asked_id, None, []
    if row is None and asked_id.version == _VERSION_7:
        row = await connection.fetchrow(BY_REQUEST, span_of(asked_id), *_window(asked_id))
    if row is None:
        raise NoSuchTraceError(asked)
    return row["correlation_id"], row["subject"], []


def _id(asked: str) -> UUID | None:
    trace = parse(asked)
    if trace is not None:
        return trace.trace_id
    try:
        return UUID(asked)
    except ValueError:
        return None


def _window(made: UUID) -> tuple[UUID, UUID]:
    """The ids of what a request of this id may have said itself."""
    began_at = uuid7_time(made)
    return _before(began_at), uuid7_lower_bound(began_at + timedelta(seconds=REQUEST_LIMIT_S + CLOCKS_APART_S))


def _before(instant: datetime) -> UUID:
    return uuid7_lower_bound(instant - timedelta(seconds=CLOCKS_APART_S))


async def _chain(connection: Connection, correlation_id: UUID, subject: UUID | None) -> tuple[list[Row], bool]:
    """The messages of a trace in the order they were said, and whether there are more."""
    # Ours tell when they began, so that earlier days need not be looked at; a caller's may be of any form.
    first = UUID(int=0)
    if correlation_id.version == _VERSION_7 and uuid7_time(correlation_id) < datetime.now(UTC):
        first = _before(uuid7_time(correlation_id))
    rows = await connection.fetch(CHAIN, correlation_id, first, subject, STEPS_LIMIT + 1)
    return rows[:STEPS_LIMIT], len(rows) > STEPS_LIMIT


def _beginning(correlation_id: UUID, rows: Sequence[Row]) -> tuple[Literal["message", "request", "caller"], datetime]:
    if any(row["id"] == correlation_id for row in rows):
        return "message", uuid7_time(correlation_id)
    if correlation_id.version == _VERSION_7 and any(row["parent_span"] == span_of(correlation_id) for row in rows):
        return "request", uuid7_time(correlation_id)
    return "caller", uuid7_time(rows[0]["id"])


def _steps(rows: Sequence[Row], waiting: Sequence[Row], done: Sequence[Row], copies: Sequence[Row]) -> Iterator[Step]:
    """As a tree, each message before what was said because of it, otherwise in the order it was said."""
    by_span = {span_of(row["id"]): row["id"] for row in rows}
    caused: dict[UUID | None, list[Row]] = {}
    for row in rows:
        caused.setdefault(by_span.get(row["parent_span"]), []).append(row)
    open_of: dict[UUID, dict[str, Row]] = {}
    for delivery in waiting:
        for message_id in delivery["message_ids"]:
            open_of.setdefault(message_id, {})[delivery["receiver"]] = delivery
    done_of = {row["message_id"]: row for row in done}
    replaced = {(copy["original_id"], receiver) for copy in copies for receiver in copy["receivers"]}
    copied_to = {copy["copy_id"]: copy["receivers"] for copy in copies}
    left = [(row, 0) for row in reversed(caused.get(None, ()))]
    while left:
        row, depth = left.pop()
        children = caused.get(row["id"], [])
        still_open = open_of.get(row["id"], {})
        yield Step(
            id=row["id"],
            type=row["type"],
            source=row["source"],
            subject=row["subject"],
            business_key=row["business_key"],
            said_at=uuid7_time(row["id"]),
            cause=by_span.get(row["parent_span"]),
            depth=depth,
            hops=[
                Hop(receiver=name, state="replaced")
                if (row["id"], name) in replaced and name not in still_open
                else _hop(name, still_open.get(name), done_of.get(row["id"]), children)
                for name in copied_to.get(row["id"]) or _receivers(row["type"], still_open)
            ],
        )
        left += ((child, depth + 1) for child in reversed(children))


def _receivers(name: str, still_open: Iterable[str]) -> list[str]:
    """Whoever hears such a message, and whoever one still waits for: the route table may have been another then."""
    message_type = current_type(name)
    routed = DELIVERED_TO[message_type] if message_type is not None else ()
    return list(dict.fromkeys((*routed, *still_open)))


def _hop(receiver: str, waiting: Row | None, done: Row | None, children: Sequence[Row]) -> Hop:
    if waiting is not None:
        names = ("state", "attempts", "due_at", "destination", "reason", "fingerprint", "note")
        return Hop(receiver=receiver, delivery_id=waiting["id"], **{name: waiting[name] for name in names})
    component, _, way = receiver.partition(".")
    if way:
        if done is None:
            return Hop(receiver=receiver)
        return Hop(receiver=receiver, done_at=done["done_at"], is_measured=True, took_s=done["took_s"])
    said = [uuid7_time(child["id"]) for child in children if child["source"] == component]
    return Hop(receiver=receiver, done_at=min(said, default=None))
