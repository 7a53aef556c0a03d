"""From `tx.emit` to the message store: one COPY of messages and one INSERT of deliveries, all in the transaction."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from hub import failpoints
from hub.routes import DELIVERED_TO
from hub.sealing import body_of
from schemas.values import lane_of

if TYPE_CHECKING:
    from hub.transaction import Transaction

DELIVERY_LIMIT: Final = 500
"""The most messages one delivery carries."""

MESSAGE_COLUMNS: Final = ("id", "type", "source", "subject", "business_key", "correlation_id", "time", "body")

DELIVER: Final = """
INSERT INTO hub.delivery (receiver, lane, state, message_ids)
SELECT receiver, lane, 'due', ($5::uuid[])[first:last]
FROM unnest($1::text[], $2::smallint[], $3::int[], $4::int[]) AS u (receiver, lane, first, last)
"""
"""Arrays of arrays would have to be of one length, so all ids come as one, and each delivery takes its slice."""


async def flush(tx: "Transaction") -> set[tuple[str, int]]:
    """Write what was said in `tx`; returns the (receiver, lane) pairs that have something to do after the commit."""
    if not tx.said:
        return set()
    by_lane: dict[tuple[str, int], list[UUID]] = defaultdict(list)
    rows: list[tuple[Any, ...]] = []
    for said_id, message, correlation_id in tx.said:
        key = message.key()
        for receiver in DELIVERED_TO[type(message)]:
            by_lane[receiver, lane_of(key)].append(said_id)
        body = body_of(message, said_id, tx.sealer)
        rows.append((said_id, message.TYPE, tx.source, key, message.business_key(), correlation_id, tx.now, body))
    await tx.copy("hub", "message", MESSAGE_COLUMNS, rows)
    failpoints.reach("outbox.mid_flush")
    if by_lane:
        await tx.execute(DELIVER, *_deliveries(by_lane))
    return set(by_lane)


def _deliveries(by_lane: dict[tuple[str, int], list[UUID]]) -> tuple[list[Any], ...]:
    """By column: receiver, lane, first and last of its ids, counted from 1; and all ids."""
    rows: list[tuple[str, int, int, int]] = []
    all_ids: list[UUID] = []
    for (receiver, lane), ids in by_lane.items():
        for start in range(0, len(ids), DELIVERY_LIMIT):
            part = ids[start : start + DELIVERY_LIMIT]
            rows.append((receiver, lane, len(all_ids) + 1, len(all_ids) + len(part)))
            all_ids += part
    receivers, lanes, firsts, lasts = zip(*rows, strict=True)
    return list(receivers), list(lanes), list(firsts), list(lasts), all_ids
