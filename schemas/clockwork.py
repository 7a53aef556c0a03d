"""What the clockwork has done: holding period, expiry and reminders, day by day (mission section 3)."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.message import Answered, Query, Said
from schemas.values import NO_ORIGIN


class ClockworkDone(Said):
    """Whether all of a day's work is done, and what was done on that very day, by kind of work.

    `said` counts reminders said or commands answered; `refused` the commands among them that were refused.
    """

    done: bool
    said: dict[str, int]
    refused: dict[str, int]


class ClockworkDoneOf(Query, Answered[ClockworkDone]):
    """Is all the work of this business day (or of a later one, which takes in its own) done?"""

    TYPE: ClassVar[str] = "jp.mykey.clockwork.done-of.v1"
    day: date

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN
