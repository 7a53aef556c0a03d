"""Partners that do not register their coupons are asked for each (クーポン連携方式), signed as webhooks are.

A good answer is registered with the ledger before anybody relies on it, as one that is good for that moment only: the
partner is asked again before it is used. Whatever it says, the ledger lets a coupon be used once.
"""

import json
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.partner.audience import COUPONS
from connectors.partner.destinations import Destinations
from connectors.partner.outbound import AwayError, ForbiddenAddressError, Outbound
from connectors.partner.shapes import Body
from connectors.partner.webhooks.door import FORBIDDEN
from connectors.partner.webhooks.signing import public_key, signed_headers, signer_of
from hub.apart import committed
from hub.bus import Bus
from hub.database import Database, reachable
from hub.ids import uuid7
from hub.keys import Hasher, Keys
from hub.web.app import Audience, Route, caller_of, json_response
from hub.web.bodies import read_model
from hub.web.problems import ProblemError
from schemas.grants import AskCoupon, AskedCoupon, Coupon, CouponOffer, RegisterCoupons
from schemas.links import PageUrl
from schemas.problems import ProblemCode
from schemas.values import MAX_POINTS, NO_EXPIRY, Pool

BODY_LIMIT_BYTES: Final = 64 * 1024
DEADLINE_S: Final = 10.0

SET: Final = """
INSERT INTO partner.coupon_check (party_id, url) VALUES ($1, $2)
ON CONFLICT (party_id) DO UPDATE SET url = excluded.url
"""
END: Final = "DELETE FROM partner.coupon_check WHERE party_id = $1"
URL: Final = "SELECT url FROM partner.coupon_check WHERE party_id = $1"

log = structlog.get_logger()


class CheckToSet(Body):
    """Where you answer: https on port 443, at a public address."""

    url: PageUrl


class CheckKey(Body):
    """The key that our questions are signed with (`v1a` of Standard Webhooks)."""

    public_key: str


class GoodCoupon(BaseModel):
    """A partner's answer for a coupon that may be used."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    points: Annotated[int, Field(strict=True, ge=1, le=MAX_POINTS)]
    to: Pool
    last_day: date = NO_EXPIRY


class CouponChecks:
    """Handles AskCoupon."""

    def __init__(
        self,
        *,
        database: Database,
        outbound: Outbound,
        keys: Keys,
        hasher: Hasher,
        bus: Bus,
        real_now: Callable[[], datetime],
        destinations: Destinations,
    ) -> None:
        self._database = database
        self._destinations = destinations
        self._outbound = outbound
        self._keys = keys
        self._hasher = hasher
        self._bus = bus
        self._real_now = real_now

    async def __call__(self, message: AskCoupon) -> AskedCoupon:
        """One question; what is no good answer is as good as none."""
        async with reachable(), self._database.reading() as reading:
            url = await reading.fetch_value(URL, message.party_id)
        if url is None:
            return AskedCoupon(answered=True)
        try:
            coupon = await self._asked(url, message)
        except (AwayError, ForbiddenAddressError) as error:
            log.warning("coupon_check_unanswered", party_id=message.party_id, reason=type(error).__name__)
            return AskedCoupon(answered=False)
        if coupon is None or not await self._destinations.are_agreed(message.party_id, coupon.to):
            return AskedCoupon(answered=True)
        kept = Coupon(
            code_hash=self._hasher.hash(message.code.encode()),
            points=coupon.points,
            pool=coupon.to,
            last=coupon.last_day,
            online=True,
        )
        await self._bus.call(RegisterCoupons(party_id=message.party_id, coupons=(kept,)), DEADLINE_S)
        return AskedCoupon(answered=True, offer=CouponOffer(points=coupon.points, pool=coupon.to, online=True))

    async def _asked(self, url: str, message: AskCoupon) -> GoodCoupon | None:
        at = self._real_now()
        told = {"type": "coupon.check", "timestamp": at.isoformat(timespec="seconds"), "data": {"code": message.code}}
        body = json.dumps(told, separators=(",", ":")).encode()
        headers = signed_headers(uuid7(), body, at, (), signer_of(self._keys, message.party_id))
        got = await self._outbound.post(url, body, {**headers, "Content-Type": "application/json"})
        if got.status != HTTPStatus.OK:
            return None
        try:
            return GoodCoupon.model_validate_json(got.body)
        except ValidationError:
            log.warning("coupon_check_unreadable", party_id=message.party_id)
            return None


class CheckDoor:
    """`/coupon-check`."""

    def __init__(self, database: Database, outbound: Outbound, keys: Keys) -> None:
        self._database = database
        self._outbound = outbound
        self._keys = keys

    def routes(self, audience: Audience) -> list[Route]:
        """Its two operations."""
        make = partial(Route, audience=audience, permission=COUPONS, path="/coupon-check")
        return [
            make(
                method="PUT",
                handler=self.set_up,
                summary="Where you answer for coupons that you have not registered",
                summary_ja="クーポンのオンライン照会先の設定",
                request=CheckToSet,
                response=CheckKey,
            ),
            make(
                method="DELETE",
                handler=self.end,
                summary="No more questions for coupons",
                summary_ja="クーポンのオンライン照会の停止",
                status=204,
            ),
        ]

    async def set_up(self, request: web.Request) -> web.Response:
        """Refused where we would not go."""
        url = (await read_model(request, CheckToSet, BODY_LIMIT_BYTES)).url
        try:
            self._outbound.check(url)
        except ForbiddenAddressError as error:
            raise ProblemError(ProblemCode.bad_field, errors=[FORBIDDEN]) from error
        party_id: UUID = caller_of(request).party_id
        await committed(self._database, lambda tx: tx.execute(SET, party_id, url))
        return json_response(CheckKey(public_key=public_key(signer_of(self._keys, party_id))))

    async def end(self, request: web.Request) -> web.Response:
        """Done too where there is none."""
        party_id = caller_of(request).party_id
        await committed(self._database, lambda tx: tx.execute(END, party_id))
        return web.Response(status=204)
