"""From `tx.emit` to the message store, in the transaction: few messages by one statement, many by COPY and INSERT."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from hub import failpoints
from hub.routes import DELIVERED_TO
from hub.sealing import body_of
from schemas.values import lane_of

if TYPE_CHECKING:
    from hub.transaction import Said, Transaction

DELIVERY_LIMIT: Final = 500
"""The most messages one delivery carries."""

MESSAGE_COLUMNS: Final = (
    "id", "type", "source", "subject", "business_key", "correlation_id", "parent_span", "time", "body",
)  # fmt: skip

_SUBJECT: Final = MESSAGE_COLUMNS.index("subject")

MessageRow: TypeAlias = tuple[Any, ...]
"""A message by MESSAGE_COLUMNS."""
ToDo: TypeAlias = Mapping[tuple[str, int], Sequence[MessageRow]]
"""(receiver, lane) → the messages for it, in the order they were said; none where old ones are due again."""

FEW: Final = 32
"""So many messages are written by one statement, with their deliveries; more by COPY."""
SAY_FEW: Final = """
WITH messages AS (
    INSERT INTO hub.message (id, type, source, subject, business_key, correlation_id, parent_span, time, body)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::bigint[],
        $8::timestamptz[], $9::bytea[])
)
INSERT INTO hub.delivery (receiver, lane, state, message_ids)
SELECT receiver, lane, 'due', ($14::uuid[])[first:last]
FROM unnest($10::text[], $11::smallint[], $12::int[], $13::int[]) AS u (receiver, lane, first, last)
"""
DELIVER: Final = """
INSERT INTO hub.delivery (receiver, lane, state, message_ids)
SELECT receiver, lane, 'due', ($5::uuid[])[first:last]
FROM unnest($1::text[], $2::smallint[], $3::int[], $4::int[]) AS u (receiver, lane, first, last)
"""
"""Arrays of arrays would have to be of one length, so all ids come as one, and each delivery takes its slice."""


async def flush(tx: "Transaction") -> ToDo:
    """Write what was said in `tx`; returns what there is to do for whom after the commit."""
    if not tx.said:
        return {}
    by_lane: dict[tuple[str, int], list[MessageRow]] = defaultdict(list)
    rows: list[MessageRow] = []
    for said in tx.said:
        row = message_row(tx, said)
        rows.append(row)
        key: UUID = row[_SUBJECT]
        for receiver in DELIVERED_TO[type(said.message)]:
            by_lane[receiver, lane_of(key)].append(row)
    await _write(tx, rows, by_lane)
    return by_lane


async def _write(tx: "Transaction", rows: Sequence[MessageRow], by_lane: ToDo) -> None:
    """Messages, and what there is to do with them."""
    if len(rows) <= FEW:
        await tx.execute(SAY_FEW, *zip(*rows, strict=True), *_deliveries(by_lane))
        failpoints.reach("outbox.mid_flush")
        return
    await tx.copy("hub", "message", MESSAGE_COLUMNS, rows)
    failpoints.reach("outbox.mid_flush")
    if by_lane:
        await tx.execute(DELIVER, *_deliveries(by_lane))


def message_row(tx: "Transaction", said: "Said") -> MessageRow:
    """The row of hub.message."""
    said_id, message, correlation_id, span = said
    body = body_of(message, said_id, tx.sealer)
    business_key = message.business_key()
    return said_id, message.TYPE, tx.source, message.key(), business_key, correlation_id, span, tx.now, body


def _deliveries(by_lane: ToDo) -> tuple[list[Any], ...]:
    """By column: receiver, lane, first and last of its ids, counted from 1; and all ids."""
    rows: list[tuple[str, int, int, int]] = []
    all_ids: list[UUID] = []
    for (receiver, lane), messages in by_lane.items():
        for start in range(0, len(messages), DELIVERY_LIMIT):
            part = [row[0] for row in messages[start : start + DELIVERY_LIMIT]]
            rows.append((receiver, lane, len(all_ids) + 1, len(all_ids) + len(part)))
            all_ids += part
    receivers, lanes, firsts, lasts = zip(*rows, strict=True) if rows else ([], [], [], [])
    return list(receivers), list(lanes), list(firsts), list(lasts), all_ids
