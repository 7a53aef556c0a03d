"""What is done is acknowledged with as few frames as can be, and nothing else with it."""

from collections.abc import Collection
from typing import Any, Final

import pytest

from hub.keys import Hasher
from hub.transports.rabbitmq.arrivals import BrokerArrivals
from hub.transports.rabbitmq.cloud_events import MAC_HEADER, batch_of
from hub.transports.rabbitmq.consumer import Consumer
from tests.hub.transports.rabbitmq.test_cloud_events import row_of

LANE: Final = 3
OURS: Final = Hasher(b"ours")


class Brought:
    """A message as the client gives it, which writes down what is said of it."""

    def __init__(self, tag: int, frames: list[str]) -> None:
        self.delivery_tag = tag
        self.row = row_of(b"{}")
        self.body = batch_of([self.row])
        self.headers = {MAC_HEADER: OURS.word(self.body)}
        self._frames = frames

    async def ack(self, *, multiple: bool = False) -> None:
        """As the client's."""
        self._frames.append(f"ack {self.delivery_tag}{' multiple' if multiple else ''}")

    async def nack(self, *, requeue: bool) -> None:
        """As the client's."""
        self._frames.append(f"nack {self.delivery_tag} {requeue}")


async def after(done: set[int], lost: Collection[int] = ()) -> list[str]:
    """The frames after six have come, for lanes in turn, and some of them are done, then some lanes lost."""
    frames: list[str] = []
    consumer = Consumer(OURS)
    arrivals = BrokerArrivals("mail", lambda _lane: True, consumer.changed)
    consumer.add(arrivals)
    arrivals.lanes_are(range(1, 7))
    brought = [Brought(tag, frames) for tag in range(1, 7)]
    for one in brought:
        message: Any = one
        await consumer._came(arrivals, one.delivery_tag, message)
    for one in brought:
        if one.delivery_tag in done:
            arrivals.done(one.delivery_tag, [one.row[0]])
    arrivals.lanes_are(set(range(1, 7)).difference(lost))
    await consumer._acknowledge()
    left = set(range(1, 7)).difference(done, lost)
    assert set(consumer._unacknowledged) == left
    return frames


@pytest.mark.parametrize(
    "done,frames",
    [
        (set(), []),
        ({1, 2, 3, 4, 5, 6}, ["ack 6 multiple"]),
        ({1, 2, 3}, ["ack 3 multiple"]),
        ({2}, ["ack 2"]),
        ({1, 2, 4, 6}, ["ack 2 multiple", "ack 4", "ack 6"]),
    ],
)
async def test_all_up_to_the_first_that_is_not_done_goes_at_once(done: set[int], frames: list[str]) -> None:
    assert await after(done) == frames


async def test_what_is_given_back_is_not_acknowledged_by_a_later_one() -> None:
    assert await after({1, 2, 4}, {3}) == ["nack 3 True", "ack 4 multiple"]
