"""Paying at a shop or fund: points are authorised, captured or voided, and may be refunded (mission I.7, I.8)."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from schemas.points import HoldCommand, PointsEvent
from schemas.values import Points, Pool


class AuthorisePoints(HoldCommand):
    """Set points aside for an order; free again at `expires_at` if nobody captures them."""

    TYPE: ClassVar[str] = "jp.mykey.checkouts.authorise.v1"
    merchant_id: UUID
    pool: Pool
    points: Points
    expires_at: AwareDatetime


class CapturePoints(HoldCommand):
    """The order is paid: all, or `points` of what is set aside; the rest is free again."""

    TYPE: ClassVar[str] = "jp.mykey.checkouts.capture.v1"
    points: Points | None = None


class VoidAuthorisation(HoldCommand):
    """The order came to nothing: everything set aside is free again."""

    TYPE: ClassVar[str] = "jp.mykey.checkouts.void.v1"


class ExpireAuthorisation(HoldCommand):
    """Nobody captured in time. Balances count the points as free from that moment on, this posted or not."""

    TYPE: ClassVar[str] = "jp.mykey.checkouts.expire.v1"


class RefundCapture(HoldCommand):
    """Points come back from a shop to the lots they came from, with at least 30 days; never more than captured."""

    TYPE: ClassVar[str] = "jp.mykey.checkouts.refund.v1"
    points: Points


class PointsAuthorised(PointsEvent):
    """Points were set aside for an order."""

    TYPE: ClassVar[str] = "jp.mykey.checkouts.authorised.v1"
    hold_id: UUID
    merchant_id: UUID
    expires_at: AwareDatetime


class PointsCaptured(PointsEvent):
    """An order was paid with points."""

    TYPE: ClassVar[str] = "jp.mykey.checkouts.captured.v1"
    hold_id: UUID
    merchant_id: UUID


class AuthorisationReleased(PointsEvent):
    """What was set aside is the citizen's again: voided, or `expired`. Gone where the MyKey ID has ended meanwhile."""

    TYPE: ClassVar[str] = "jp.mykey.checkouts.released.v1"
    hold_id: UUID
    merchant_id: UUID
    expired: bool


class PointsRefunded(PointsEvent):
    """A shop gave points back."""

    TYPE: ClassVar[str] = "jp.mykey.checkouts.refunded.v1"
    hold_id: UUID
    merchant_id: UUID
