"""Merging into a shopping street's own points (mission III.14–17): sent, then acknowledged or returned."""

from typing import ClassVar
from uuid import UUID

from schemas.points import HoldCommand, PointsEvent
from schemas.values import LgCode, Points, Pool


class SendMerge(HoldCommand):
    """「合算」 (画面39): points leave for a street's system; `lg_code` is the municipality of the terminal."""

    TYPE: ClassVar[str] = "jp.mykey.merges.send.v1"
    street_id: UUID
    lg_code: LgCode
    pool: Pool
    points: Points


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
