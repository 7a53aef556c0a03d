"""Points that come from a municipality itself, and points that come by coupon (mission V, I.6)."""

import re
import unicodedata
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import Field, StringConstraints

from schemas.message import Answered, Command, Query, Said
from schemas.points import PointsEvent, PostingCommand
from schemas.values import NO_EXPIRY, Points, Pool

CouponHash = Annotated[bytes, Field(min_length=32, max_length=32)]
"""Keyed hash of a coupon number; the number itself is never stored."""
COUPONS_LIMIT = 1_000
COUPON_KEY: Final = "coupon-number"
"""The name of the key that coupon numbers are hashed with, the same at every door."""
_COUPON: Final = re.compile(r"[0-9A-Z]{8,40}")
_COUPON_TYPED_LIMIT: Final = 120
_BETWEEN: Final = re.compile(r"[\s\u2010-\u2015\u2212\uff0d-]+")


def coupon_number(typed: str) -> str | None:
    """The one number that was typed: whatever width, case, spaces and hyphens; None where it is none.

    8 to 40 characters `[0-9A-Z]`. What is hashed is this, in ASCII.
    """
    if len(typed) > _COUPON_TYPED_LIMIT:
        return None
    number = _BETWEEN.sub("", unicodedata.normalize("NFKC", typed)).upper()
    return number if _COUPON.fullmatch(number) else None


class GrantPoints(PostingCommand):
    """行政ポイント (画面79): a programme grants a municipality's points to a participant."""

    TYPE: ClassVar[str] = "jp.mykey.grants.grant.v1"
    programme_id: UUID
    pool: Pool
    points: Points


class PointsGranted(PointsEvent):
    """A programme granted points."""

    TYPE: ClassVar[str] = "jp.mykey.grants.granted.v1"
    programme_id: UUID
    expires_on: date


class Coupon(Said):
    """One coupon of a partner; `last` is its last day.

    `online`: its partner has answered for it, which was true at that moment only: it is asked again before each use.
    """

    code_hash: CouponHash
    points: Points
    pool: Pool
    last: date = NO_EXPIRY
    online: bool = False


class CouponTaking(StrEnum):
    """What became of one coupon of a batch."""

    registered = "registered"
    unchanged = "unchanged"
    """The very same was there already."""
    id_conflict = "id_conflict"
    """The code was there already with other points, another target or another last day, and stays as it was."""


class CouponsRegistered(Said):
    """How many of the coupons are new; the others were there already, unchanged. `takings` are in the batch's order."""

    registered: int
    takings: tuple[CouponTaking, ...] = ()


class RegisterCoupons(Command, Answered[CouponsRegistered]):
    """A partner registers coupons in a batch; a code hash is known once and for ever."""

    TYPE: ClassVar[str] = "jp.mykey.grants.register-coupons.v1"
    party_id: UUID
    coupons: Annotated[tuple[Coupon, ...], Field(min_length=1, max_length=COUPONS_LIMIT)]

    def key(self) -> UUID:
        """The partner."""
        return self.party_id


class CouponState(StrEnum):
    """A coupon as its partner sees it."""

    voided = "voided"
    used = "used"
    unknown = "unknown"


class CouponsVoided(Said):
    """In the order asked; one that was used stays used, one that was voided before is voided."""

    states: tuple[CouponState, ...]


class VoidCoupons(Command, Answered[CouponsVoided]):
    """A partner takes back coupons that nobody has used."""

    TYPE: ClassVar[str] = "jp.mykey.grants.void-coupons.v1"
    party_id: UUID
    code_hashes: Annotated[tuple[CouponHash, ...], Field(min_length=1, max_length=COUPONS_LIMIT)]

    def key(self) -> UUID:
        """The partner."""
        return self.party_id


class CouponReportLine(Said):
    """A partner's coupons for one pool: used in the period, and how the others stand today."""

    pool: Pool
    used: int
    used_points: int
    open: int
    open_points: int
    expired: int
    voided: int


class CouponReport(Said):
    """By pool."""

    lines: tuple[CouponReportLine, ...]


class CouponReportOf(Query, Answered[CouponReport]):
    """What became of this partner's coupons; used from `first` to `last`, inclusive, Asia/Tokyo."""

    TYPE: ClassVar[str] = "jp.mykey.grants.coupon-report-of.v1"
    party_id: UUID
    first: date
    last: date

    def key(self) -> UUID:
        """The partner."""
        return self.party_id


class CreditCoupon(PostingCommand):
    """「クーポンコード利用」 (画面20–21): the coupon is used up and its points credited in one commit."""

    TYPE: ClassVar[str] = "jp.mykey.grants.credit-coupon.v1"
    code_hash: CouponHash


class CouponOffer(Said):
    """What a coupon brings; `online` as in `Coupon`."""

    points: Points
    pool: Pool
    online: bool = False


class FoundCoupon(Said):
    """`offer` is None where the coupon cannot be used: unknown, used or past its last day, all alike."""

    offer: CouponOffer | None = None


CouponCode = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9A-Z]{8,40}$")]
"""A coupon's number as `coupon_number` has it."""


class AskedCoupon(Said):
    """Whether the partner has answered; where it says that the coupon is good, `offer`, and the ledger knows it then.

    What the ledger knew before stays as it is, whatever the partner says now.
    """

    answered: bool
    offer: CouponOffer | None = None


class AskCoupon(Command, Answered[AskedCoupon]):
    """The ledger knows no such coupon, or one that is `online`: ask its partner. Whoever asks looks again then."""

    TYPE: ClassVar[str] = "jp.mykey.grants.ask-coupon.v1"
    PERSONAL: ClassVar[bool] = True
    party_id: UUID
    code: CouponCode

    def key(self) -> UUID:
        """The partner."""
        return self.party_id


class CouponOf(Query, Answered[FoundCoupon]):
    """What would this partner's coupon bring (画面21)? Asked before `CreditCoupon`, which decides."""

    TYPE: ClassVar[str] = "jp.mykey.grants.coupon-of.v1"
    party_id: UUID
    code_hash: CouponHash

    def key(self) -> UUID:
        """The partner."""
        return self.party_id
