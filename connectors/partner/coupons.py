"""Coupon linkage (クーポン連携方式): a partner registers the codes it gives out, takes unused ones back, counts them.

The codes themselves are hashed here and go no further.
"""

import re
from datetime import date
from functools import partial
from typing import Annotated, Final

from aiohttp import web
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from connectors.partner.audience import COUPONS
from connectors.partner.destinations import Destinations
from connectors.partner.shapes import Body
from hub.bus import Bus
from hub.keys import Hasher
from hub.web.app import Audience, Route, caller_of, json_response
from hub.web.bodies import read_model
from hub.web.periods import Period, period_of
from hub.web.problems import ProblemError
from hub.web.validation import pointer_to
from schemas.grants import (
    COUPONS_LIMIT,
    Coupon,
    CouponReportOf,
    CouponState,
    CouponTaking,
    RegisterCoupons,
    VoidCoupons,
    coupon_number,
)
from schemas.problems import REFUSALS, FieldError, ProblemCode, RefusalCode
from schemas.values import NO_EXPIRY, Points, Pool

BODY_LIMIT_BYTES: Final = 1 << 20
DEADLINE_S: Final = 30.0
DIGITS_LEAST: Final = 13
"""A code of digits alone is weaker than its length: with a million given out, one guess in ten million hits."""

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _coupon_code(typed: str) -> str:
    number = coupon_number(typed)
    if number is None or (number.isdecimal() and len(number) < DIGITS_LEAST):
        raise ValueError("8 to 40 letters and digits, of digits alone at least 13")
    return number


CouponCode = Annotated[str, StringConstraints(strict=True, max_length=120), AfterValidator(_coupon_code)]
"""As it is printed: full width, lower case, spaces and hyphens make no difference."""


def _iso_day(value: object) -> object:
    """Only `2017-10-01`: pydantic would also take seconds since 1970."""
    return value if isinstance(value, str) and _DAY.fullmatch(value) else None


LastDay = Annotated[date, BeforeValidator(_iso_day)]


class CouponToRegister(Body):
    """One coupon: `last_day` (Asia/Tokyo) is left out where it never expires."""

    code: CouponCode
    points: Points
    to: Pool
    last_day: LastDay = NO_EXPIRY


class CouponBatch(Body):
    """1 to 1,000 coupons, all of them or none."""

    coupons: Annotated[list[CouponToRegister], Field(min_length=1, max_length=COUPONS_LIMIT)]


class CouponTakings(Body):
    """What became of each, in the order of the batch."""

    results: list[CouponTaking]


class CouponsToVoid(Body):
    """1 to 1,000 codes."""

    codes: Annotated[list[CouponCode], Field(min_length=1, max_length=COUPONS_LIMIT)]


class CouponStates(Body):
    """How each stands now, in the order of the codes."""

    results: list[CouponState]


class CouponCount(Body):
    """Your coupons for one kind of points: used in the period, and how the others stand today."""

    to: Pool
    used: int
    used_points: int
    open: int
    open_points: int
    expired: int
    voided: int


class CouponCounts(Body):
    """First to last day inclusive, Asia/Tokyo."""

    first: date
    last: date
    lines: list[CouponCount]


class CouponDoor:
    """`/coupons`, `/coupon-voidings`, `/coupon-report`."""

    def __init__(self, bus: Bus, hasher: Hasher, destinations: Destinations) -> None:
        self._bus = bus
        self._destinations = destinations
        self._hasher = hasher

    def routes(self, audience: Audience) -> list[Route]:
        """Its three operations."""
        make = partial(Route, audience=audience, permission=COUPONS)
        return [
            make(
                method="POST",
                path="/coupons",
                handler=self.register,
                summary="Register 1 to 1,000 coupons; the same again changes nothing",
                summary_ja="クーポンの登録（1～1,000件）",
                request=CouponBatch,
                response=CouponTakings,
            ),
            make(
                method="POST",
                path="/coupon-voidings",
                handler=self.void,
                summary="Take back coupons that nobody has used",
                summary_ja="未使用クーポンの無効化",
                request=CouponsToVoid,
                response=CouponStates,
            ),
            make(
                method="GET",
                path="/coupon-report",
                handler=self.report,
                summary="How many of your coupons were used, and how the others stand",
                summary_ja="クーポンの利用状況",
                query=Period,
                response=CouponCounts,
            ),
        ]

    async def register(self, request: web.Request) -> web.Response:
        """All or none; a code is known once and for ever."""
        batch = await read_model(request, CouponBatch, BODY_LIMIT_BYTES)
        agreed = await self._destinations.agreed(caller_of(request).party_id)
        faults = [] if agreed is None else [n for n, one in enumerate(batch.coupons) if one.to not in agreed]
        if faults:
            raise ProblemError(ProblemCode.bad_field, errors=[_not_agreed(place) for place in faults])
        coupons = tuple(
            Coupon(code_hash=self._hash(one.code), points=one.points, pool=one.to, last=one.last_day)
            for one in batch.coupons
        )
        asked = RegisterCoupons(party_id=caller_of(request).party_id, coupons=coupons)
        taken = await self._bus.call(asked, deadline_s=DEADLINE_S)
        return json_response(CouponTakings(results=list(taken.takings)))

    async def void(self, request: web.Request) -> web.Response:
        """Another partner's codes are as unknown as ones that never were."""
        codes = (await read_model(request, CouponsToVoid, BODY_LIMIT_BYTES)).codes
        hashes = tuple(self._hash(code) for code in codes)
        asked = VoidCoupons(party_id=caller_of(request).party_id, code_hashes=hashes)
        return json_response(CouponStates(results=list((await self._bus.call(asked, deadline_s=DEADLINE_S)).states)))

    async def report(self, request: web.Request) -> web.Response:
        """The caller's own."""
        period = period_of(request, Period)
        asked = CouponReportOf(party_id=caller_of(request).party_id, first=period.first, last=period.last)
        found = await self._bus.call(asked, deadline_s=DEADLINE_S)
        lines = [CouponCount(to=line.pool, **line.model_dump(exclude={"pool"})) for line in found.lines]
        return json_response(CouponCounts(first=period.first, last=period.last, lines=lines))

    def _hash(self, code: str) -> bytes:
        return self._hasher.hash(code.encode())


def _not_agreed(place: int) -> FieldError:
    text = REFUSALS[RefusalCode.pool_not_agreed]
    pointer = pointer_to("coupons", place, "to")
    return FieldError(pointer=pointer, code=RefusalCode.pool_not_agreed, detail=text.detail, detail_ja=text.detail_ja)
