"""What the broker has brought is kept until it is done, acknowledged then, and never grows."""

from itertools import count
from typing import Final
from uuid import UUID, uuid4

import pytest

from hub.transports.rabbitmq.arrivals import PREFETCH, BrokerArrivals, _Lane
from hub.transports.rabbitmq.cloud_events import batch_of
from tests.hub.transports.rabbitmq.test_cloud_events import row_of

LANE: Final = 3


class Brought:
    """Arrivals of one lane, and what happened to them."""

    def __init__(self) -> None:
        self.woken: list[int] = []
        self.arrivals = BrokerArrivals("mail", self._wake, lambda: None)
        self.arrivals.lanes_are({LANE})
        self._tags = count(1)

    def _wake(self, lane: int) -> bool:
        self.woken.append(lane)
        return True

    def batch(self, *ids: UUID, lane: int = LANE) -> list[UUID]:
        """Have a batch come: these messages, or three new ones."""
        rows = [row_of(b"{}") for _ in ids or range(3)]
        if ids:
            rows = [(one, *row[1:]) for one, row in zip(ids, rows, strict=True)]
        self.arrivals.came(lane, next(self._tags), batch_of(rows))
        return [row[0] for row in rows]

    def acknowledged(self) -> list[int]:
        """The tags to be acknowledged since the last look."""
        tags = self.arrivals.finished[:]
        self.arrivals.finished.clear()
        return tags

    def size(self) -> int:
        """How much is kept."""
        return sum(len(here.batches) + len(here.messages) + len(here.batch_of) for here in self._lanes())

    def _lanes(self) -> list[_Lane]:
        return list(self.arrivals._lanes.values())


@pytest.fixture
def brought() -> Brought:
    return Brought()


def test_a_batch_is_finished_with_its_last_message(brought: Brought) -> None:
    first, *others = brought.batch()
    brought.arrivals.done(LANE, others)
    assert brought.acknowledged() == []
    assert list(brought.arrivals.held(LANE)) == [first]

    brought.arrivals.done(LANE, [first])

    assert brought.acknowledged() == [1]
    assert brought.woken == [LANE]
    assert brought.size() == 0


def test_later_batches_are_finished_before_an_earlier_one(brought: Brought) -> None:
    brought.batch()
    brought.arrivals.done(LANE, brought.batch())

    assert brought.acknowledged() == [2]


def test_what_is_brought_twice_is_kept_once(brought: Brought) -> None:
    ids = brought.batch()
    brought.batch(*ids)
    assert brought.acknowledged() == [1]

    brought.arrivals.done(LANE, ids)

    assert brought.acknowledged() == [2]
    assert brought.size() == 0


def test_what_is_not_due_any_more_is_settled_up_to_where_it_was_counted(brought: Brought) -> None:
    brought.batch()
    counted = brought.arrivals.count(LANE)
    later = brought.batch()

    brought.arrivals.settled(LANE, counted)

    assert brought.acknowledged() == [1]
    assert list(brought.arrivals.held(LANE)) == later


def test_a_count_of_before_the_connection_was_lost_settles_nothing_of_after_it(brought: Brought) -> None:
    for _ in range(5):
        brought.batch()
    counted = brought.arrivals.count(LANE)
    brought.arrivals.forget()
    later = brought.batch()

    brought.arrivals.settled(LANE, counted)

    assert brought.acknowledged() == []
    assert list(brought.arrivals.held(LANE)) == later


def test_what_is_left_of_a_lost_lane_is_given_back(brought: Brought) -> None:
    brought.arrivals.done(LANE, brought.batch())
    brought.batch()
    brought.arrivals.lanes_are(set())

    assert brought.arrivals.unwanted == [2]
    assert brought.acknowledged() == [1]
    assert brought.arrivals.held(LANE) == {}


def test_what_is_for_another_lane_is_given_back_and_what_is_no_batch_is_finished(brought: Brought) -> None:
    brought.batch(lane=LANE + 1)
    brought.arrivals.came(LANE, 7, b'["no batch"]')
    brought.arrivals.came(LANE, 8, b"[]")

    assert brought.arrivals.unwanted == [1]
    assert brought.acknowledged() == [7, 8]
    assert brought.woken == []


def test_a_lane_that_is_never_empty_keeps_no_more_than_the_prefetch(brought: Brought) -> None:
    """Half is done out of the store before it is brought, a part is brought twice; nothing is ever settled."""
    acknowledged = 0
    for number in range(1_000):
        ids = brought.batch()
        if number % 2:
            brought.arrivals.done(LANE, ids)
        elif number % 8 == 0:
            brought.batch(*ids)
        brought.arrivals.done(LANE, [uuid4()])
        acknowledged += len(brought.acknowledged())
        assert brought.size() <= PREFETCH * (1 + 2 * 3)

    assert acknowledged >= 1_000 - PREFETCH


def test_what_is_at_hand_is_kept_while_it_is_of_use(brought: Brought) -> None:
    batches = [brought.batch() for _ in range(PREFETCH + 1)]
    brought.arrivals.done(LANE, [batches[0][0], uuid4()])
    assert brought.acknowledged() == []

    brought.arrivals.done(LANE, [uuid4()])

    assert len(brought.acknowledged()) == PREFETCH + 1
