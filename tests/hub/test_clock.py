"""Instants are UTC, business dates Japan's, and only an adjustable clock can be moved, forward."""

import os
import time
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import clock
from hub.clock import AdjustableClock, Clock, SharedClock, SystemClock

OPENING = datetime(2017, 10, 2, tzinfo=UTC)


@pytest.mark.parametrize("make", [SystemClock, AdjustableClock])
def test_a_clock_tells_the_machines_time(make: type[SystemClock | AdjustableClock]) -> None:
    told: Clock = make()
    before = datetime.now(UTC)
    now = told.now()
    assert now.tzinfo is UTC
    assert abs(now - before) < timedelta(seconds=5)
    assert told.monotonic() <= time.monotonic()
    assert told.business_date() - clock.business_date_of(now) <= timedelta(days=1)


def test_the_day_changes_at_fifteen_hours_utc() -> None:
    last = datetime(2017, 3, 31, 14, 59, 59, 999_999, tzinfo=UTC)
    assert clock.business_date_of(last) == date(2017, 3, 31)
    assert clock.business_date_of(last + timedelta(microseconds=1)) == date(2017, 4, 1)
    assert clock.start_of_day(date(2017, 4, 1)) == last + timedelta(microseconds=1)


def test_an_adjustable_clock_goes_on_ticking_from_where_it_was_moved() -> None:
    told = AdjustableClock(datetime(2017, 10, 1, 9, 0, tzinfo=clock.JAPAN))
    assert told.business_date() == date(2017, 10, 1)
    told.advance(timedelta(days=21))
    first = told.now()
    assert timedelta() <= first - datetime(2017, 10, 22, 0, 0, tzinfo=UTC) < timedelta(seconds=5)
    assert told.business_date() == date(2017, 10, 22)
    told.move_to(datetime(2018, 4, 1, tzinfo=clock.JAPAN))
    assert told.business_date() == date(2018, 4, 1)
    while told.now() == first:
        pass
    assert told.now() > first


def test_moving_the_calendar_passes_no_deadline() -> None:
    told = AdjustableClock()
    before = told.monotonic()
    told.advance(timedelta(days=400))
    assert told.monotonic() - before < timedelta(days=1).total_seconds()


def test_time_does_not_go_back() -> None:
    told = AdjustableClock(datetime(2017, 10, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="forward"):
        told.advance(timedelta(microseconds=-1))
    with pytest.raises(ValueError, match="has passed"):
        told.move_to(datetime(2017, 9, 30, tzinfo=UTC))
    assert told.now() >= datetime(2017, 10, 1, tzinfo=UTC)


def test_an_instant_names_its_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        AdjustableClock(datetime(2017, 10, 1))  # noqa: DTZ001 - the fault under test
    other = timezone(timedelta(hours=-5))
    assert AdjustableClock(datetime(2017, 10, 1, tzinfo=other)).now().tzinfo is UTC


@pytest.mark.parametrize(
    "day, months, then",
    [
        (date(2017, 10, 15), 1, date(2017, 11, 15)),
        (date(2017, 10, 31), 1, date(2017, 11, 30)),
        (date(2017, 12, 31), 2, date(2018, 2, 28)),
        (date(2019, 12, 31), 2, date(2020, 2, 29)),
        (date(2017, 12, 1), 12, date(2018, 12, 1)),
        (date(2018, 3, 31), -1, date(2018, 2, 28)),
        (date(2017, 11, 5), 0, date(2017, 11, 5)),
    ],
)
def test_months_are_added_by_the_calendar(day: date, months: int, then: date) -> None:
    assert clock.add_months(day, months) == then


def test_points_expire_at_the_end_of_the_month() -> None:
    assert clock.expiry_after_months(date(2017, 10, 1), 6) == date(2018, 4, 30)
    assert clock.expiry_after_months(date(2017, 8, 31), 6) == date(2018, 2, 28)
    assert clock.end_of_month(date(2020, 2, 1)) == date(2020, 2, 29)


@given(day=st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1)), months=st.integers(0, 120))
def test_an_expiry_is_the_last_day_of_a_month_that_many_months_on(day: date, months: int) -> None:
    expires = clock.expiry_after_months(day, months)
    assert (expires + timedelta(days=1)).day == 1
    assert (expires.year - day.year) * 12 + expires.month - day.month == months


def test_whoever_shares_a_clock_is_moved_with_it(tmp_path: Path) -> None:
    mine = SharedClock.begin(tmp_path / "clock", OPENING)
    other = SharedClock(tmp_path / "clock")
    assert OPENING <= other.now() <= OPENING + timedelta(minutes=1)
    mine.move_to(OPENING + timedelta(days=21))
    assert other.now() >= OPENING + timedelta(days=21)
    written_ns = (tmp_path / "clock").stat().st_mtime_ns
    mine.move_to(OPENING + timedelta(days=22))
    os.utime(tmp_path / "clock", ns=(written_ns, written_ns))  # as of two writes in one tick of the kernel
    assert other.now() >= OPENING + timedelta(days=22)
    assert other.business_date() == mine.business_date()
    with pytest.raises(ValueError, match="has passed"):
        other.move_to(OPENING)
