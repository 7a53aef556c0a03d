"""However the days go by, each lot is reminded of once, and what is due is asked for."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from workers.clockwork.days import BEGINNING, DayWork, Place, WorkKind, next_work

TODAY = date(2027, 3, 31)
NOTICE = {WorkKind.moving_soon: 7, WorkKind.expiring_soon: 14}
REMINDERS = st.sampled_from([WorkKind.moving_soon, WorkKind.expiring_soon])


def days(count: int) -> timedelta:
    return timedelta(days=count)


NEXT_LOT = 7


def finished(work: DayWork) -> DayWork:
    return work.went_on(Place(work.last, UUID(int=5)), opened_until=NEXT_LOT).went_on(None, opened_until=NEXT_LOT + 1)


def covered(work: DayWork) -> list[date]:
    """The last days all of whose lots it looks at."""
    every = [work.first + days(n) for n in range((work.last - work.first).days + 1)]
    return [day for day in every if work.known_until is None or day > work.known_until]


@given(REMINDERS, st.lists(st.tuples(st.integers(1, 40), st.integers(0, 30)), min_size=1, max_size=20))
def test_each_last_day_is_reminded_of_once(kind: WorkKind, steps: list[tuple[int, int]]) -> None:
    """`steps`: so many days pass, and the notice period is set to so many days."""
    today, latest = TODAY, None
    reminded: list[date] = []
    seen_until = TODAY
    for passed, notice_days in steps:
        work = next_work(kind, 3, latest, today, {kind: notice_days})
        assert work is not None
        new = covered(work)
        assert (work.first, work.opened_from) == (today, None if latest is None else NEXT_LOT)
        assert all(day >= today for day in new)
        reminded += new
        seen_until = max(seen_until, today + days(notice_days))
        expected = {today + days(n) for n in range(notice_days + 1)}
        assert expected <= set(reminded)
        latest = finished(work)
        assert next_work(kind, 3, latest, today, {kind: notice_days}) is None
        today += days(passed)
    assert len(reminded) == len(set(reminded))
    assert max(reminded) == seen_until


@given(REMINDERS, st.integers(1, 40))
def test_what_an_earlier_version_reminded_of_is_not_reminded_of_again(kind: WorkKind, passed: int) -> None:
    """It did not keep which lots there were."""
    work = next_work(kind, 3, None, TODAY, NOTICE)
    assert work is not None
    today = TODAY + days(passed)
    following = next_work(kind, 3, replace(work, is_done=True), today, NOTICE)
    assert following is not None
    assert (following.first, following.opened_from) == (max(today, work.last + days(1)), None)


@given(
    st.sampled_from([WorkKind.sweep, WorkKind.expire]),
    st.lists(st.tuples(st.integers(1, 400), st.none() | st.integers(1, 400)), max_size=10),
)
def test_all_that_is_still_due_is_asked_for_each_day(kind: WorkKind, jumps: list[tuple[int, int | None]]) -> None:
    """`jumps`: a lot that ended so many days ago is refused, or none, and so many days pass."""
    today, first, since, latest = TODAY, BEGINNING, None, None
    for passed, refused in [*jumps, (1, None)]:
        work = next_work(kind, 0, latest, today, NOTICE)
        assert work is not None
        assert (work.day, work.first, work.last) == (today, first, today - days(1))
        assert work.came_back_since == since
        left = None if refused is None else max(work.first, today - days(refused))
        latest = work.went_on(Place(work.last, UUID(int=5)), left).went_on(None)
        first = left or today
        since = today - days(1)
        today += days(passed)


@given(st.sampled_from(list(WorkKind)), st.integers(0, 30))
def test_unfinished_work_comes_first(kind: WorkKind, later: int) -> None:
    began = next_work(kind, 0, None, TODAY, NOTICE)
    assert began is not None
    interrupted = began.went_on(Place(TODAY, UUID(int=5)))
    today = TODAY + days(later)
    assert next_work(kind, 0, interrupted, today, NOTICE) == interrupted
    left = interrupted.on(today)
    assert left.after == Place(TODAY, UUID(int=5))
    assert not kind.is_reminder or left.first >= today


def test_a_clock_that_went_back_does_nothing_again() -> None:
    for kind in WorkKind:
        work = next_work(kind, 0, None, TODAY, NOTICE)
        assert work is not None
        assert next_work(kind, 0, finished(work), TODAY - days(1), NOTICE) is None


def test_a_lot_is_due_the_day_after_its_last_day() -> None:
    work = next_work(WorkKind.sweep, 0, None, TODAY, NOTICE)
    assert work is not None
    assert TODAY not in covered(work)
    assert TODAY - days(1) in covered(work)
