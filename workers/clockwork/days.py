"""Which last days a day's work covers, pure. The last day of a lot is inclusive: it is due the day after."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

BEGINNING: Final = date(2000, 1, 1)
"""Before any lot's last day."""

_ONE_DAY: Final = timedelta(days=1)


class WorkKind(StrEnum):
    """What is done each day, in this order; the names are also those in the table."""

    moving_soon = "moving_soon"
    expiring_soon = "expiring_soon"
    sweep = "sweep"
    expire = "expire"

    @property
    def is_reminder(self) -> bool:
        """Whether it says something before the day, rather than doing something after it."""
        return self in {WorkKind.moving_soon, WorkKind.expiring_soon}

    @property
    def is_about_reserve(self) -> bool:
        """Whether it looks at reserve points, rather than at municipal and event points."""
        return self in {WorkKind.moving_soon, WorkKind.sweep}


class Place(NamedTuple):
    """How far a day's work came: the lots of this last day, as far as this citizen, and all that end before."""

    day: date
    citizen_id: UUID


@dataclass(frozen=True, slots=True)
class DayWork:
    """One kind of work of one partition on one business day: the lots whose last day is `first` to `last`.

    `after` is how far it came: the last day and the citizen of the last lots that are done with. `left_from` is the
    earliest last day of the lots among them that are still due, for they were refused. Lots that end before `first` are
    its work too where points came back to them since `came_back_since`. Of the lots that end up to `known_until` only
    those from the number `opened_from` on are its work, and of all only those before `opened_until`.
    """

    kind: WorkKind
    partition: int
    day: date
    first: date
    last: date
    after: Place | None = None
    is_done: bool = False
    left_from: date | None = None
    came_back_since: date | None = None
    known_until: date | None = None
    opened_from: int | None = None
    opened_until: int | None = None

    def on(self, today: date) -> "DayWork":
        """What is left of it on `today`: nobody is reminded of a day that has passed."""
        return replace(self, first=max(self.first, today)) if self.kind.is_reminder else self

    def went_on(self, after: Place | None, left_from: date | None = None, opened_until: int | None = None) -> "DayWork":
        """A page further, which left this still due; after the last page (None) it is done."""
        left = min((day for day in (self.left_from, left_from) if day is not None), default=None)
        until = self.opened_until or opened_until
        return replace(self, after=after, is_done=after is None, left_from=left, opened_until=until)


def next_work(
    kind: WorkKind, partition: int, latest: DayWork | None, today: date, notice_days: Mapping[WorkKind, int]
) -> DayWork | None:
    """What to do now: the rest of the latest work, or today's, or None when today's is done.

    A reminder goes on where the latest one ended, so that days on which nothing ran, and a changed notice period,
    neither lose a lot nor remind of it twice; and of the days before that it looks at the lots opened since. What is
    due is looked for from where the latest one left something.
    """
    if latest is not None and not latest.is_done:
        return latest
    if latest is not None and latest.day >= today:
        return None
    if not kind.is_reminder:
        return _due(kind, partition, latest, today)
    last = today + timedelta(days=notice_days[kind])
    if latest is None:
        return DayWork(kind, partition, today, today, last)
    last = max(last, latest.last)
    if latest.opened_until is None:  # it was done by an earlier version, which did not keep it
        return DayWork(kind, partition, today, max(today, latest.last + _ONE_DAY), last)
    return DayWork(kind, partition, today, today, last, known_until=latest.last, opened_from=latest.opened_until)


def _due(kind: WorkKind, partition: int, latest: DayWork | None, today: date) -> DayWork:
    yesterday = today - _ONE_DAY
    if latest is None:
        return DayWork(kind, partition, today, BEGINNING, yesterday)
    first = latest.last + _ONE_DAY if latest.left_from is None else latest.left_from
    # A day more, for the ledger's clock may be behind.
    return DayWork(kind, partition, today, first, yesterday, came_back_since=latest.day - _ONE_DAY)
