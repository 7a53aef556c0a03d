"""What operators do to what waits: try it afresh, leave a note, deliver an edited copy instead.

Each function works in the caller's transaction, so that whoever keeps a record of the act commits it with the act.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from hub.errors import PermanentError
from hub.ids import uuid7
from hub.outbox import MESSAGE_COLUMNS, message_row
from hub.store import BY_ID, NoSuchMessageError
from hub.transaction import Said, Transaction
from schemas.message import Message
from schemas.values import lane_of

BATCH_LIMIT: Final = 500
"""The most deliveries that one transaction lets be tried afresh."""

EXTENT: Final = """
SELECT count(*) AS total, coalesce(max(id), 0) AS last FROM hub.delivery
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
), due AS (
    INSERT INTO hub.delivery (receiver, lane, state, message_ids, attempts, since, reason, fingerprint, note)
    SELECT receiver, lane, 'due', message_ids, 0, since, reason, fingerprint, note FROM freed ORDER BY id
)
SELECT id FROM freed ORDER BY id
"""
NOTE: Final = "UPDATE hub.delivery SET note = $2 WHERE id = $1 RETURNING id"
REPLACE: Final = """
WITH closed AS (
    DELETE FROM hub.delivery WHERE state = 'parked' AND message_ids = ARRAY[$1::uuid] RETURNING receiver
)
INSERT INTO hub.delivery (receiver, lane, state, message_ids) SELECT receiver, $3, 'due', ARRAY[$2::uuid] FROM closed
RETURNING receiver
"""
COPY: Final = "INSERT INTO hub.copy (copy_id, original_id, receivers) VALUES ($1, $2, $3)"


class NoSuchDeliveryError(PermanentError):
    """No delivery of that id is waiting: it may be done by now. `mykey-hub console show` tells a message's way."""


class NotParkedError(PermanentError):
    """The message is not parked: only what is parked can be replaced by an edited copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """One delivery, which may be scheduled too; or all parked by one kind of failure; or, with neither, all parked."""

    delivery_id: int | None = None
    fingerprint: str | None = None


class Extent(NamedTuple):
    """How many deliveries, and the last of them: what fails again later is above it, and stays parked."""

    total: int
    last: int


class Replaced(NamedTuple):
    """An edited copy, and who gets it instead of the original."""

    copy_id: UUID
    receivers: list[str]


async def extent(tx: Transaction, what: Parked) -> Extent:
    """How much there is to redrive now."""
    (row,) = await tx.fetch(EXTENT, what.delivery_id, what.fingerprint)
    return Extent(row["total"], row["last"])


async def redrive(tx: Transaction, what: Parked, last: int) -> list[int]:
    """Let at most `BATCH_LIMIT` of it, up to the delivery `last`, be tried afresh; their ids as they were until now."""
    rows = await tx.fetch(REDRIVE, what.delivery_id, what.fingerprint, last, BATCH_LIMIT)
    return [row["id"] for row in rows]


async def add_note(tx: Transaction, delivery_id: int, note: str) -> None:
    """Leave a note for colleagues at a delivery; no personal data, please. Raises NoSuchDeliveryError."""
    if not await tx.fetch(NOTE, delivery_id, note):
        raise NoSuchDeliveryError(str(delivery_id))


async def replace(tx: Transaction, original: UUID, copy: Message) -> Replaced:
    """Deliver `copy` instead of `original`, to whoever has that one parked, and close it there.

    The copy belongs to the same beginning, and is caused by the same. Raises NoSuchMessageError, NotParkedError.
    """
    row = await tx.fetch_row(BY_ID, original)
    if row is None:
        raise NoSuchMessageError(str(original))
    said = Said(uuid7(), copy, row["correlation_id"], row["parent_span"])
    closed = await tx.fetch(REPLACE, original, said.id, lane_of(copy.key()))
    if not closed:
        raise NotParkedError(str(original))
    receivers = sorted(one["receiver"] for one in closed)
    await tx.copy("hub", "message", MESSAGE_COLUMNS, [message_row(tx, said)])
    await tx.execute(COPY, said.id, original, receivers)
    return Replaced(said.id, receivers)
