"""From `tx.emit` to the message store: one COPY of messages and one of deliveries, inside the sender's transaction."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from hub import failpoints
from hub.routes import DELIVERED_TO
from hub.sealing import body_of
from schemas.values import lane_of

if TYPE_CHECKING:
    from hub.transaction import Said, Transaction

DELIVERY_LIMIT: Final = 500
"""The most messages one delivery carries."""

MESSAGE_COLUMNS: Final = ("id", "type", "source", "subject", "business_key", "correlation_id", "time", "body")
DELIVERY_COLUMNS: Final = ("receiver", "lane", "state", "message_ids")


async def flush(tx: "Transaction") -> set[tuple[str, int]]:
    """Write what was said in `tx`; returns the (receiver, lane) pairs that have something to do after the commit."""
    if not tx.said:
        return set()
    await tx.copy("hub", "message", MESSAGE_COLUMNS, [_message_row(tx, said) for said in tx.said])
    failpoints.reach("outbox.mid_flush")
    by_lane = _by_lane(tx.said)
    await tx.copy("hub", "delivery", DELIVERY_COLUMNS, _delivery_rows(by_lane))
    return set(by_lane)


def _message_row(tx: "Transaction", said: "Said") -> tuple[Any, ...]:
    message = said.message
    return (
        said.id,
        message.TYPE,
        tx.source,
        message.key(),
        message.business_key(),
        said.correlation_id,
        tx.now,
        body_of(message, said.id, tx.sealer),
    )


def _by_lane(said: Sequence["Said"]) -> dict[tuple[str, int], list[UUID]]:
    by_lane: dict[tuple[str, int], list[UUID]] = defaultdict(list)
    for one in said:
        lane = lane_of(one.message.key())
        for receiver in DELIVERED_TO[type(one.message)]:
            by_lane[receiver, lane].append(one.id)
    return by_lane


def _delivery_rows(by_lane: dict[tuple[str, int], list[UUID]]) -> Iterator[tuple[str, int, str, list[UUID]]]:
    for (receiver, lane), ids in by_lane.items():
        for start in range(0, len(ids), DELIVERY_LIMIT):
            yield receiver, lane, "due", ids[start : start + DELIVERY_LIMIT]
