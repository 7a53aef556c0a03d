"""Points that come from a municipality itself, and points that come by coupon (mission V, I.6)."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from schemas.message import Answered, Command, Said
from schemas.points import PointsEvent, PostingCommand
from schemas.values import NO_EXPIRY, Points, Pool

CouponHash = Annotated[bytes, Field(min_length=32, max_length=32)]
"""Keyed hash of a coupon number; the number itself is never stored."""
COUPONS_LIMIT = 1_000


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
    """One coupon of a partner; `last` is its last day."""

    code_hash: CouponHash
    points: Points
    pool: Pool
    last: date = NO_EXPIRY


class CouponsRegistered(Said):
    """How many of the coupons are new; the others were there already, unchanged."""

    registered: int


class RegisterCoupons(Command, Answered[CouponsRegistered]):
    """A partner registers coupons in a batch; a code hash is known once and for ever."""

    TYPE: ClassVar[str] = "jp.mykey.grants.register-coupons.v1"
    party_id: UUID
    coupons: Annotated[tuple[Coupon, ...], Field(min_length=1, max_length=COUPONS_LIMIT)]

    def key(self) -> UUID:
        """The partner."""
        return self.party_id


class CreditCoupon(PostingCommand):
    """「クーポンコード利用」 (画面20–21): the coupon is used up and its points credited in one commit."""

    TYPE: ClassVar[str] = "jp.mykey.grants.credit-coupon.v1"
    code_hash: CouponHash
