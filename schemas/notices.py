"""Notices to citizens, by mail for those who chose them (mission I.6, section 3; facts: mail)."""

from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from schemas.message import Command, Event
from schemas.values import Pool


class NoticeKind(StrEnum):
    """What a mail tells."""

    granted = "granted"
    moved = "moved"
    expired = "expired"
    moving_soon = "moving_soon"
    expiring_soon = "expiring_soon"


class PointsMovingSoon(Event):
    """Reserve points will move to the base municipality by themselves on `moves_on`."""

    TYPE: ClassVar[str] = "jp.mykey.notices.points-moving-soon.v1"
    citizen_id: UUID
    points: int
    moves_on: date
    base_lg_code: str

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class PointsExpiringSoon(Event):
    """Points of `pool` have their last day on `expires_on`."""

    TYPE: ClassVar[str] = "jp.mykey.notices.points-expiring-soon.v1"
    citizen_id: UUID
    pool: Pool
    points: int
    expires_on: date

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class SendNotice(Command):
    """One mail to one citizen; `notice_id` gives its Message-ID, so a repeated sending is recognisable.

    `day` is the day it tells of: posted, moving or expiring. `last_day` is the last day of points granted or
    moved, for reserve points the last day they are held; NO_EXPIRY where they never expire, None where it
    says nothing.
    """

    TYPE: ClassVar[str] = "jp.mykey.notices.send.v1"
    notice_id: UUID
    citizen_id: UUID
    kind: NoticeKind
    pool: Pool
    points: int
    day: date
    last_day: date | None = None

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id
