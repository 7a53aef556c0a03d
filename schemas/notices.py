"""What is told by mail: notices to citizens who chose them (mission I.6, section 3), checkpoints to their keeper."""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from schemas.message import Answered, Command, Event, Query, Said
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


class MailAddressState(Said):
    """`is_reached` is False where a mail server has refused the address that is registered now, and it gets no mail."""

    is_reached: bool = True


class MailAddressStateOf(Query, Answered[MailAddressState]):
    """Do mails reach this citizen's address? For the citizen's own pages only; who is not known is told nothing."""

    TYPE: ClassVar[str] = "jp.mykey.notices.mail-address-state-of.v1"
    citizen_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class AccountNoticeKind(StrEnum):
    """What a mail tells about a citizen's MyKey ID, password, mail address or linked accounts."""

    mykey_id_created = "mykey_id_created"
    mykey_id_changed = "mykey_id_changed"
    mykey_id_revoked = "mykey_id_revoked"
    password_changed = "password_changed"  # noqa: S105 - a kind
    account_linked = "account_linked"
    mail_changed = "mail_changed"
    """To the new address."""
    mail_changed_away = "mail_changed_away"
    """To the old one."""


class SendAccountNotice(Command):
    """One mail about a citizen's MyKey ID; it brings its address, since that may be one no longer kept.

    `notice_id` gives its Message-ID, so a repeated sending is recognisable; `at` is when it happened.
    """

    TYPE: ClassVar[str] = "jp.mykey.notices.send-account.v1"
    PERSONAL: ClassVar[bool] = True
    notice_id: UUID
    citizen_id: UUID
    kind: AccountNoticeKind
    name: str
    address: str
    at: datetime

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class SendCheckpoint(Command):
    """One mail with a signed checkpoint to whoever keeps them; its number and document give the Message-ID."""

    TYPE: ClassVar[str] = "jp.mykey.notices.send-checkpoint.v1"
    number: int
    document: str

    def key(self) -> UUID:
        """The checkpoint's number."""
        return UUID(int=self.number)

    def business_key(self) -> str:
        """Its number, as people say it."""
        return f"checkpoint-{self.number}"


class OfficeMailKind(StrEnum):
    """What a municipality's office is told."""

    approval_asked = "approval_asked"
    screening_passed = "screening_passed"


class SendOfficeMail(Command):
    """One mail to a municipality's office: a shop or fund (`party`) waits for its word, at `url`.

    `title` is what it is about, `merchant` whose that is; `notice_id` gives the Message-ID, so a repeated sending is
    recognisable.
    """

    TYPE: ClassVar[str] = "jp.mykey.notices.send-office-mail.v1"
    PERSONAL: ClassVar[bool] = True
    notice_id: UUID
    kind: OfficeMailKind
    party: str
    title: str
    merchant: str = ""
    url: str
    address: str

    def key(self) -> UUID:
        """The notice."""
        return self.notice_id
