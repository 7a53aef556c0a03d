"""What time it is, and the calendar arithmetic of points.

Instants are aware and in UTC; business dates are days in Japan. Code that needs the time is given a `Clock`,
never asks the machine, so that the story and the tests can live through three weeks in a second.
"""

import calendar
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol, Self
from zoneinfo import ZoneInfo

JAPAN = ZoneInfo("Asia/Tokyo")

_MONTHS_A_YEAR = 12


class Clock(Protocol):
    """The one source of time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def business_date(self) -> date:
        """The day it is in Japan."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow, for deadlines and durations; their start means nothing."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)

    def business_date(self) -> date:
        """The day it is in Japan."""
        return business_date_of(self.now())

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()


class AdjustableClock:
    """A clock that goes on ticking, and that may be moved forward.

    Only the calendar moves: `monotonic` stays the machine's, so that a deadline of five seconds is not passed
    by moving three weeks on.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._origin = datetime.now(UTC) if start is None else _in_utc(start)
        self._origin_s = time.monotonic()

    def now(self) -> datetime:
        """The present instant of this clock, aware, in UTC."""
        return self._origin + timedelta(seconds=time.monotonic() - self._origin_s)

    def business_date(self) -> date:
        """The day it is in Japan by this clock."""
        return business_date_of(self.now())

    def monotonic(self) -> float:
        """Seconds since some start; `advance` does not touch them."""
        return time.monotonic()

    def advance(self, by: timedelta) -> None:
        """Move on by a span of time.

        Raises:
            ValueError: the span is negative; time does not go back.
        """
        if by < timedelta():
            raise ValueError(f"a clock is only moved forward, not by {by}")
        self._origin += by

    def move_to(self, instant: datetime) -> None:
        """Move on to an instant.

        Raises:
            ValueError: the instant has passed, or names no time zone.
        """
        target = _in_utc(instant)
        if target < self.now():
            raise ValueError(f"a clock is only moved forward, and {target.isoformat()} has passed")
        self._origin, self._origin_s = target, time.monotonic()


class SharedClock:
    """The clock of a rehearsal: its processes share a file that says how far ahead of the machine's time they are.

    Whoever writes the file moves all of them; nothing but a rehearsal may do that to a hub.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = (0, 0)
        self._ahead = timedelta()

    @classmethod
    def begin(cls, file: Path, start: datetime) -> Self:
        """Make the file: it is `start` now."""
        made = cls(file)
        made._write(_in_utc(start) - datetime.now(UTC))
        return made

    def now(self) -> datetime:
        """The present instant of this clock, aware, in UTC."""
        found = self._file.stat()
        if (found.st_ino, found.st_mtime_ns) != self._read:  # of two writes in one tick of the kernel, the time is one
            self._ahead = timedelta(microseconds=int(self._file.read_text(encoding="ascii")))
            self._read = found.st_ino, found.st_mtime_ns
        return datetime.now(UTC) + self._ahead

    def business_date(self) -> date:
        """The day it is in Japan by this clock."""
        return business_date_of(self.now())

    def monotonic(self) -> float:
        """Seconds since some start; they are the machine's."""
        return time.monotonic()

    def move_to(self, instant: datetime) -> None:
        """Move on to an instant, in all processes.

        Raises:
            ValueError: the instant has passed, or names no time zone.
        """
        target = _in_utc(instant)
        if target < self.now():
            raise ValueError(f"a clock is only moved forward, and {target.isoformat()} has passed")
        self._write(target - datetime.now(UTC))

    def _write(self, ahead: timedelta) -> None:
        work = self._file.with_suffix(".new")
        work.write_text(str(ahead // timedelta(microseconds=1)), encoding="ascii")
        work.replace(self._file)


def business_date_of(instant: datetime) -> date:
    """The day in Japan at an aware instant."""
    return instant.astimezone(JAPAN).date()


def start_of_day(day: date) -> datetime:
    """The instant, in UTC, at which a day begins in Japan."""
    return datetime(day.year, day.month, day.day, tzinfo=JAPAN).astimezone(UTC)


def end_of_month(day: date) -> date:
    """The last day of the month in which `day` lies."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def add_months(day: date, months: int) -> date:
    """The same day of the month `months` later; the month's last day where it has no such day."""
    total = day.year * _MONTHS_A_YEAR + day.month - 1 + months
    year, month = divmod(total, _MONTHS_A_YEAR)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def expiry_after_months(credited: date, months: int) -> date:
    """The last day on which points credited on `credited` may be used: end of the month, `months` later."""
    return end_of_month(add_months(credited, months))


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant names its time zone")
    return instant.astimezone(UTC)
