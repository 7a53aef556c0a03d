"""Ids are version 7, only grow, and tell their time."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import RFC_4122, UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.ids import uuid7, uuid7_lower_bound, uuid7_time

INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def test_ids_are_version_7_of_rfc_9562() -> None:
    made = uuid7()
    assert (made.version, made.variant) == (7, RFC_4122)


def test_ids_only_grow() -> None:
    made = [uuid7() for _ in range(50_000)]
    assert all(earlier < later for earlier, later in pairwise(made))


def test_ids_grow_when_the_machines_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    after = uuid7()
    assert after > before
    assert uuid7_time(after) >= uuid7_time(before)


def test_ids_of_many_threads_are_all_different() -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(lambda _: [uuid7() for _ in range(5_000)], range(8))
    made = [one for run in runs for one in run]
    assert len(set(made)) == len(made)


def test_a_forked_child_goes_its_own_way() -> None:
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(sender, uuid7().bytes)
        os._exit(0)
    ours = uuid7()
    theirs = UUID(bytes=os.read(receiver, 16))
    os.waitpid(child, 0)
    os.close(receiver)
    os.close(sender)
    assert ours != theirs
    assert ours.int & 0xFFFFFFFF != theirs.int & 0xFFFFFFFF


def test_an_id_tells_its_millisecond() -> None:
    before = datetime.now(UTC)
    told = uuid7_time(uuid7())
    assert before - timedelta(milliseconds=1) <= told <= datetime.now(UTC) + timedelta(seconds=1)


def test_the_example_of_the_rfc() -> None:
    example = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
    assert uuid7_time(example) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


@given(instant=INSTANTS)
def test_a_lower_bound_is_the_least_id_of_its_millisecond(instant: datetime) -> None:
    bound = uuid7_lower_bound(instant)
    assert (bound.version, bound.variant) == (7, RFC_4122)
    assert timedelta() <= instant - uuid7_time(bound) < timedelta(milliseconds=1)
    assert bound.int & ~((7 << 76) | (0b10 << 62)) & ((1 << 80) - 1) == 0


@given(first=INSTANTS, second=INSTANTS)
def test_lower_bounds_are_ordered_as_their_instants(first: datetime, second: datetime) -> None:
    earlier, later = sorted([first, second])
    assert uuid7_lower_bound(earlier) <= uuid7_lower_bound(later)


def test_ids_lie_between_the_bounds_of_their_time() -> None:
    made = uuid7()
    told = uuid7_time(made)
    assert uuid7_lower_bound(told) <= made < uuid7_lower_bound(told + timedelta(milliseconds=1))


def test_bounds_outside_the_span_are_refused() -> None:
    with pytest.raises(ValueError, match="span"):
        uuid7_lower_bound(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC))
    with pytest.raises(ValueError, match="time zone"):
        uuid7_lower_bound(datetime(2017, 1, 1))  # noqa: DTZ001 - the fault under test


def test_only_version_7_tells_a_time() -> None:
    with pytest.raises(ValueError, match="version 7"):
        uuid7_time(uuid4())
