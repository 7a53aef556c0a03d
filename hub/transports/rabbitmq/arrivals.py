"""The far end: the batches that the broker has brought, until what is in them is done; acknowledged after that."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from hub.deliveries import Stored
from hub.metrics import ARRIVED
from hub.transports.rabbitmq.cloud_events import UnreadableBatchError, messages_in

log = structlog.get_logger()

PREFETCH: Final = 16
"""Batches at hand for one lane: up to 256 for a receiver whose lanes are all ours."""
NOTHING: Final[Mapping[UUID, Stored]] = {}


@dataclass(slots=True)
class _Batch:
    tag: int
    left: set[UUID]


class _Lane:
    """What has come for one lane."""

    def __init__(self) -> None:
        self.batches: dict[int, _Batch] = {}
        """By number, in the order they came: those with something left."""
        self.messages: dict[UUID, Stored] = {}
        self.batch_of: dict[UUID, int] = {}

    def add(self, number: int, tag: int, messages: Mapping[UUID, Stored]) -> list[int]:
        """One more batch; the tags of those of which nothing is left, because it has brought the same again."""
        finished = self.drop(messages)
        self.batches[number] = _Batch(tag, set(messages))
        self.messages |= messages
        self.batch_of |= dict.fromkeys(messages, number)
        return finished

    def drop(self, message_ids: Collection[UUID]) -> list[int]:
        """Forget these; the tags of the batches of which nothing is left."""
        finished: list[int] = []
        for message_id in message_ids:
            number = self.batch_of.pop(message_id, None)
            if number is not None:
                del self.messages[message_id]
                batch = self.batches[number]
                batch.left.discard(message_id)
                if not batch.left:
                    finished.append(batch.tag)
                    del self.batches[number]
        return finished

    def settle(self, count: int) -> list[int]:
        """Forget what is left of the batches up to this number; their tags."""
        settled = [batch for number, batch in self.batches.items() if number <= count]
        return [tag for batch in settled for tag in self.drop(list(batch.left))]


class BrokerArrivals:
    """See hub.transports.port.Arrivals. How much is at hand is limited by the consumers' prefetch."""

    def __init__(self, receiver: str, wake: Callable[[int], bool], changed: Callable[[], None]) -> None:
        self.receiver = receiver
        self.wanted: frozenset[int] = frozenset()
        """The lanes to be brought."""
        self.finished: list[int] = []
        """Delivery tags to be acknowledged."""
        self.unwanted: list[int] = []
        """Delivery tags to be given back to their queues."""
        self._wake = wake
        self._changed = changed
        self._lanes: dict[int, _Lane] = {}
        self._count = 0
        """Of all lanes and connections, so that a count taken before one was lost fits what comes after it."""

    def lanes_are(self, lanes: Collection[int]) -> None:
        """See Arrivals."""
        wanted = frozenset(lanes)
        if wanted == self.wanted:
            return
        self.wanted = wanted
        for lane in self._lanes.keys() - wanted:
            self.unwanted += (batch.tag for batch in self._lanes.pop(lane).batches.values())
        self._changed()

    def held(self, lane: int) -> Mapping[UUID, Stored]:
        """See Arrivals."""
        here = self._lanes.get(lane)
        return NOTHING if here is None else here.messages

    def count(self, _lane: int) -> int:
        """See Arrivals: of all lanes together, which counts those of this one too."""
        return self._count

    def came(self, lane: int, tag: int, batch: bytes) -> None:
        """The broker has brought a batch."""
        try:
            messages = messages_in(batch)
        except UnreadableBatchError as error:
            log.warning("broker_batch_unreadable", receiver=self.receiver, lane=lane, error=repr(error.__cause__))
            messages = {}
        if lane not in self.wanted or not messages:
            (self.finished if lane in self.wanted else self.unwanted).append(tag)
            self._changed()
            return
        self._count += 1
        again = self._lanes.setdefault(lane, _Lane()).add(self._count, tag, messages)
        ARRIVED.labels(self.receiver).inc(len(messages))
        self._wake(lane)
        if again:
            self._finish(again)

    def done(self, lane: int, message_ids: Sequence[UUID]) -> None:
        """See Arrivals.

        While the work is ahead of what the broker brings, or far behind, what is at hand is of no use: as soon as
        there is no room for more it is let go. It is in the store.
        """
        here = self._lanes.get(lane)
        if here is None:
            return
        was_of_use = not here.batch_of.keys().isdisjoint(message_ids)
        finished = here.drop(message_ids)
        if not was_of_use and len(here.batches) >= PREFETCH:
            finished = here.settle(self._count)
        self._finish(finished)

    def settled(self, lane: int, count: int) -> None:
        """See Arrivals."""
        here = self._lanes.get(lane)
        if here is not None:
            self._finish(here.settle(count))

    def forget(self) -> None:
        """The connection is lost, and with it every tag; the broker brings again what it still has."""
        self._lanes.clear()
        self.finished.clear()
        self.unwanted.clear()

    def _finish(self, tags: Sequence[int]) -> None:
        self.finished += tags
        self._changed()
