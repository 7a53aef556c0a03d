"""What parties are told: one class for each type of event, whose fields are the request's `data`.

Ids and counts, nothing of the citizen. An event tells what a party's own requests were not answered: what citizens,
municipalities and time have done, and how a file ended that was only taken at first. So a transfer has no event of its
own, and a file has one, with its counts and its first refused rows (docs/architecture.md says why).
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

from pydantic import Field

from connectors.partner.shapes import Body
from hub.web.app import Callback
from schemas.problems import RefusalCode
from schemas.values import LgCode, LinkId

REFUSED_ROWS_LIMIT: Final = 100
"""The refused rows that are told with a file; `GET /transfer-files/{file_id}/results` has them all."""


class EventType(StrEnum):
    """What parties are told of."""

    link_created = "link.created"
    link_ended = "link.ended"
    transfer_file_finished = "transfer_file.finished"
    authorization_expired = "authorization.expired"
    offer_approved = "offer.approved"
    offer_sent_back = "offer.sent_back"
    test = "webhook.test"


class EventData(Body):
    """The `data` of an event."""

    TYPE: ClassVar[EventType]
    SUMMARY: ClassVar[str]
    SUMMARY_JA: ClassVar[str]


class LinkCreated(EventData):
    """You know the citizen by this link id."""

    TYPE: ClassVar[EventType] = EventType.link_created
    SUMMARY: ClassVar[str] = "A citizen has linked an account that is with you"
    SUMMARY_JA: ClassVar[str] = "利用者がIDを連携しました"
    link_id: LinkId


class LinkEnded(EventData):
    """Nobody is behind this link id any more."""

    TYPE: ClassVar[EventType] = EventType.link_ended
    SUMMARY: ClassVar[str] = "A link has ended"
    SUMMARY_JA: ClassVar[str] = "ID連携が解除されました"
    link_id: LinkId


class RefusedRow(Body):
    """A row that was refused; `line` counts from 1, any header with it. `transfer_id` is null where it has none."""

    line: int
    transfer_id: str | None
    code: RefusalCode


class FileFinished(EventData):
    """How many of its `rows` were posted and with how many points, were repeats of posted ones, were refused and why.

    `refused_rows` are the first 100 of those, by line.
    """

    TYPE: ClassVar[EventType] = EventType.transfer_file_finished
    SUMMARY: ClassVar[str] = "Every row of a file of transfers has its outcome"
    SUMMARY_JA: ClassVar[str] = "移行ファイルの処理が完了しました"
    file_id: UUID
    rows: int
    posted: int
    points: int
    replayed: int
    refused: dict[RefusalCode, int]
    refused_rows: list[RefusedRow] = Field(max_length=REFUSED_ROWS_LIMIT)


class AuthorizationExpired(EventData):
    """An order of yours was not captured until then: its points are the citizen's again."""

    TYPE: ClassVar[EventType] = EventType.authorization_expired
    SUMMARY: ClassVar[str] = "An order's points were not captured in time"
    SUMMARY_JA: ClassVar[str] = "期限までに確定されなかったポイントの確保が失効しました"
    order_id: str
    points: int
    expires_at: datetime


class OfferDecision(EventData):
    """What a municipality says of a revision of your product or fund."""

    offer_id: str
    revision: int
    lg_code: LgCode
    comment: str


class OfferApproved(OfferDecision):
    """The municipality's points may be used for it."""

    TYPE: ClassVar[EventType] = EventType.offer_approved
    SUMMARY: ClassVar[str] = "A municipality has approved a product or fund"
    SUMMARY_JA: ClassVar[str] = "自治体が商品等を承認しました"


class OfferSentBack(OfferDecision):
    """The municipality's points may not be used for it; the comment says why."""

    TYPE: ClassVar[EventType] = EventType.offer_sent_back
    SUMMARY: ClassVar[str] = "A municipality has sent a product or fund back"
    SUMMARY_JA: ClassVar[str] = "自治体が商品等を差し戻しました"


class Tested(EventData):
    """Nothing."""

    TYPE: ClassVar[EventType] = EventType.test
    SUMMARY: ClassVar[str] = "You have asked for it"
    SUMMARY_JA: ClassVar[str] = "送信テスト"


EVENTS: Final[tuple[type[EventData], ...]] = (
    LinkCreated,
    LinkEnded,
    FileFinished,
    AuthorizationExpired,
    OfferApproved,
    OfferSentBack,
    Tested,
)


CALLBACKS: Final = [Callback(one.TYPE.value, one, one.SUMMARY, one.SUMMARY_JA) for one in EVENTS]


class Told(NamedTuple):
    """An event for a party, because of the run's message number `about`."""

    party_id: UUID
    data: EventData
    about: int = 0
