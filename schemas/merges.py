"""Merging into a shopping street's own points (mission III.14–17): sent, then acknowledged or returned."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from schemas.holds import HoldPlace
from schemas.message import Answered, Command, Event, Query, Said
from schemas.points import HoldCommand, PointsEvent
from schemas.values import LgCode, Points, Pool


class SendMerge(HoldCommand):
    """「合算」 (画面39): points leave for a street's system; `lg_code` is the municipality of the terminal.

    `points`, or with `at_most` as many of them as are there; the answer's `points` tell what was taken.
    """

    TYPE: ClassVar[str] = "jp.mykey.merges.send.v1"
    street_id: UUID
    lg_code: LgCode
    pool: Pool
    points: Points
    at_most: bool = False


class AcknowledgeMerge(HoldCommand):
    """The street has taken the merge file in."""

    TYPE: ClassVar[str] = "jp.mykey.merges.acknowledge.v1"


class ReturnMerge(HoldCommand):
    """The street has refused the merge file: the points are the citizen's again."""

    TYPE: ClassVar[str] = "jp.mykey.merges.return.v1"


class MergeSent(PointsEvent):
    """Points are on their way to a street."""

    TYPE: ClassVar[str] = "jp.mykey.merges.sent.v1"
    hold_id: UUID
    street_id: UUID


class MergeAcknowledged(PointsEvent):
    """A street has added the points to its own."""

    TYPE: ClassVar[str] = "jp.mykey.merges.acknowledged.v1"
    hold_id: UUID
    street_id: UUID


class MergeReturned(PointsEvent):
    """A street has refused the points; they are the citizen's again."""

    TYPE: ClassVar[str] = "jp.mykey.merges.returned.v1"
    hold_id: UUID
    street_id: UUID


class OpenMerge(Said):
    """A merge that no street has answered since `opened_at`."""

    hold_id: UUID
    citizen_id: UUID
    street_id: UUID
    pool: Pool
    points: int
    opened_at: datetime


class OpenMerges(Said):
    """One page of open merges, the oldest first; `after` is where the next page begins, None on the last one."""

    merges: list[OpenMerge]
    after: HoldPlace | None


class OpenMergesOf(Query, Answered[OpenMerges]):
    """Which merges of this partition, sent at `opened_by` or before, has their street not answered yet?"""

    TYPE: ClassVar[str] = "jp.mykey.merges.open-merges-of.v1"
    partition: int
    opened_by: datetime
    after: HoldPlace | None = None
    limit: int = 500

    def key(self) -> UUID:
        """The partition."""
        return UUID(int=self.partition)


class MergeOverdue(Event):
    """A street has not answered a merge in time; the points stay set aside until it does. Said once a merge."""

    TYPE: ClassVar[str] = "jp.mykey.merges.overdue.v1"
    citizen_id: UUID
    hold_id: UUID
    street_id: UUID
    pool: Pool
    points: int
    opened_at: datetime

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class SendOverdueMail(Command):
    """One mail to the operators about merges of a street that became overdue together."""

    TYPE: ClassVar[str] = "jp.mykey.merges.send-overdue-mail.v1"
    street_id: UUID
    first_hold_id: UUID
    merges: int
    points: int
    opened_at: datetime
    """When the oldest of them was sent."""

    def key(self) -> UUID:
        """The street."""
        return self.street_id
