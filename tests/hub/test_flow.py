"""What flows: counted without a write for a message, and read back as rates and percentiles."""

import pytest

from hub.flow import BOUNDS_MS, Flow, percentile_ms, since_said_ms
from hub.ids import uuid7


def test_a_percentile_lies_within_its_bucket() -> None:
    flow = Flow()
    flow.was_done([4.0] * 980 + [1_000.0] * 70, float)

    half, nearly_all = (percentile_ms(flow.critical, share) for share in (0.5, 0.99))

    assert flow.done == sum(flow.critical) == 1_050
    assert half == pytest.approx(4.0, rel=0.5)
    assert nearly_all == pytest.approx(1_000, rel=0.5)


def test_nothing_done_has_no_percentile() -> None:
    assert percentile_ms(Flow().critical, 0.5) is None


def test_what_took_longer_than_all_bounds_is_counted_and_so_is_what_a_clock_behind_says() -> None:
    flow = Flow()
    flow.was_done([1e12, -5.0], float)

    assert percentile_ms(flow.critical, 0.99) == round(BOUNDS_MS[-1], 1)
    assert flow.take().done == 2
    assert flow.take().done == 0


def test_the_time_since_a_message_was_said_is_read_off_its_id() -> None:
    flow = Flow()
    flow.was_done([uuid7(), uuid7()], since_said_ms)
    flow.was_done([], since_said_ms)

    assert (percentile_ms(flow.critical, 0.99) or 0) < 200
    assert sum(flow.critical) == 2


def test_what_fails_is_in_work_no_more() -> None:
    flow = Flow()

    def fail() -> None:
        with flow.working(3):
            assert flow.in_work == 3
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert flow.in_work == 0
