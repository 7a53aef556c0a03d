"""Vouchers (ポイント券, 画面28–36): issued against points, redeemed once and whole, gone when nobody redeems them."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StringConstraints

from schemas.holds import HoldView
from schemas.message import Answered, Query, Said
from schemas.points import HoldCommand, PointsEvent
from schemas.values import NO_ORIGIN, LgCode, Points, Pool

VoucherNumber = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{8}$")]
"""8 random digits, shown as 9876-5432; unique among the vouchers that can still be redeemed."""
CheckCode = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z2-7]{8}$")]
"""8 random base32 characters (40 bits), carried in the QR and printed: the number alone is no secret."""
CANDIDATES = 8
"""Numbers offered with an issue; the first that is free is taken."""


class IssueVoucher(HoldCommand):
    """「発行」 (画面33): points become a voucher, valid to `expires_on` inclusive, at most 30 days."""

    TYPE: ClassVar[str] = "jp.mykey.vouchers.issue.v1"
    PERSONAL: ClassVar[bool] = True
    pool: Pool
    points: Points
    lg_code: LgCode
    expires_on: date
    numbers: Annotated[tuple[VoucherNumber, ...], Field(min_length=1, max_length=CANDIDATES)]
    check_code: CheckCode


class RedeemVoucher(HoldCommand):
    """「消込処理」 (画面36): by a store, or by a redemption place on behalf of one; whole, and once."""

    TYPE: ClassVar[str] = "jp.mykey.vouchers.redeem.v1"
    PERSONAL: ClassVar[bool] = True
    store_id: UUID
    lg_code: LgCode
    check_code: CheckCode


class ExpireVoucher(HoldCommand):
    """A voucher past its last day: its points are gone."""

    TYPE: ClassVar[str] = "jp.mykey.vouchers.expire.v1"


class VoucherIssued(PointsEvent):
    """A voucher was issued; `points` are on it until `expires_on`."""

    TYPE: ClassVar[str] = "jp.mykey.vouchers.issued.v1"
    hold_id: UUID
    expires_on: date


class VoucherRedeemed(PointsEvent):
    """A voucher was redeemed at a store."""

    TYPE: ClassVar[str] = "jp.mykey.vouchers.redeemed.v1"
    hold_id: UUID
    store_id: UUID


class Vouchers(Said):
    """The voucher of a number, if one can still be redeemed or was last known by it."""

    vouchers: list[HoldView]


class VoucherOfNumber(Query, Answered[Vouchers]):
    """Which voucher has this number? An identifier, not a secret: only authenticated terminals may ask."""

    TYPE: ClassVar[str] = "jp.mykey.vouchers.of-number.v1"
    number: VoucherNumber

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN


class VoucherPaper(Said):
    """What 「再発行」 (画面34) prints again; None where the voucher can no longer be redeemed."""

    voucher: HoldView | None
    check_code: str | None


class VoucherPaperOf(Query, Answered[VoucherPaper]):
    """Print this voucher again: the same number, the same check code."""

    TYPE: ClassVar[str] = "jp.mykey.vouchers.paper-of.v1"
    PERSONAL: ClassVar[bool] = True
    citizen_id: UUID
    hold_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id
