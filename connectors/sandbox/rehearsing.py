"""What others would do meanwhile: time passes, things fail, a citizen ends a link, a municipality decides."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from aiohttp import web

from connectors.sandbox.audience import PARTY, TRY
from connectors.sandbox.faults import ORDERS_LIMIT, Orders
from connectors.sandbox.shapes import ClockMove, ClockState, Done, Fault, Faults, OfferDecision
from connectors.sandbox.store import PartyStore
from connectors.sandbox.world import DEADLINE_S, OFFICE
from hub.bus import Bus
from hub.clock import SharedClock
from hub.web.app import Audience, Route, json_response
from hub.web.bodies import read_model
from hub.web.problems import ProblemError
from schemas.clockwork import ClockworkDoneOf
from schemas.links import UnlinkCitizen
from schemas.offers import DecideOffer, OffersOf
from schemas.problems import FieldError, ProblemCode, Refusal, RefusalCode

BODY_LIMIT_BYTES: Final = 16 * 1024
DAY_DEADLINE_S: Final = 60.0
POLL_S: Final = 0.05
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)

_PASSED: Final = FieldError(
    pointer="/to",
    code="time",
    detail="Name an instant that is still to come, before the year 2100.",
    detail_ja="これから来る、2100年より前の時刻を指定してください。",
)


class RehearsalDoor:
    """`/clock`, `/faults`, `/links`, `/offer-decisions`."""

    def __init__(self, bus: Bus, store: PartyStore, orders: Orders, clock: SharedClock) -> None:
        self._bus = bus
        self._store = store
        self._orders = orders
        self._clock = clock
        self._moving = asyncio.Lock()

    def routes(self, audience: Audience) -> list[Route]:
        """Its operations."""
        make = partial(Route, audience=audience, permission=TRY)
        return [
            make(
                method="GET",
                path="/clock",
                handler=self.time,
                summary="What time it is in the sandbox",
                summary_ja="サンドボックスの時刻",
                response=ClockState,
            ),
            make(
                method="POST",
                path="/clock",
                handler=self.move,
                summary="Move time forward, for everybody here; answered once the days' work is done",
                summary_ja="時刻を進める（その日までの処理が終わると応答します）",
                request=ClockMove,
                response=ClockState,
                problems=[ProblemCode.outcome_unknown],
            ),
            make(
                method="GET",
                path="/faults",
                handler=self.faults,
                summary="What you have ordered to go wrong",
                summary_ja="予約した障害の一覧",
                response=Faults,
            ),
            make(
                method="POST",
                path="/faults",
                handler=self.order,
                summary="Order your next requests or webhooks to go wrong",
                summary_ja="障害の予約",
                request=Fault,
                response=Faults,
                problems=[ProblemCode.too_many],
            ),
            make(
                method="DELETE",
                path="/faults",
                handler=self.forget,
                summary="Nothing more goes wrong",
                summary_ja="障害の予約の取消し",
                status=204,
            ),
            make(
                method="DELETE",
                path="/links/{link_id}",
                handler=self.unlink,
                summary="The citizen ends the link",
                summary_ja="利用者による連携の解除",
                status=204,
                problems=[ProblemCode.not_found],
            ),
            make(
                method="POST",
                path="/offer-decisions",
                handler=self.decide,
                summary="The municipality approves an offer, or sends it back",
                summary_ja="自治体による商品・ファンドの承認・差戻し",
                request=OfferDecision,
                response=Done,
            ),
        ]

    async def time(self, _request: web.Request) -> web.Response:
        """Now."""
        return json_response(self._state())

    async def move(self, request: web.Request) -> web.Response:
        """Two at once go one after the other."""
        asked = await read_model(request, ClockMove, BODY_LIMIT_BYTES)
        async with asyncio.timeout(DAY_DEADLINE_S), self._moving:
            now = self._clock.now()
            target = asked.to or now + timedelta(days=asked.days or 0)
            if not now <= target < LATEST:
                raise ProblemError(ProblemCode.bad_field, errors=[_PASSED])
            self._clock.move_to(target)
            today = self._clock.business_date()
            # The clockwork works by itself, page by page: there is nobody to be told by.
            while not (await self._bus.call(ClockworkDoneOf(day=today), DEADLINE_S)).done:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
        return json_response(self._state())

    async def faults(self, request: web.Request) -> web.Response:
        """One's own."""
        return json_response(Faults(faults=self._orders.of(request[PARTY].party_id)))

    async def order(self, request: web.Request) -> web.Response:
        """At the end of what is ordered already."""
        fault = await read_model(request, Fault, BODY_LIMIT_BYTES)
        if not self._orders.add(request[PARTY].party_id, fault):
            raise ProblemError(
                ProblemCode.too_many,
                f"{ORDERS_LIMIT} are ordered already.",
                f"予約は{ORDERS_LIMIT}件までです。",
                retry_after_s=1.0,
            )
        return await self.faults(request)

    async def forget(self, request: web.Request) -> web.Response:
        """Done too where there is nothing."""
        self._orders.forget(request[PARTY].party_id)
        return web.Response(status=204)

    async def unlink(self, request: web.Request) -> web.Response:
        """Done too where the link has ended already."""
        party_id, link_id = request[PARTY].party_id, request.match_info["link_id"]
        for person in await self._store.people_of(party_id):
            if person.link_id == link_id:
                await self._bus.call(UnlinkCitizen(citizen_id=person.citizen_id, party_id=party_id), DEADLINE_S)
                return web.Response(status=204)
        raise ProblemError(ProblemCode.not_found)

    async def decide(self, request: web.Request) -> web.Response:
        """Of the offer's newest revision."""
        asked = await read_model(request, OfferDecision, BODY_LIMIT_BYTES)
        party_id = request[PARTY].party_id
        found = (await self._bus.call(OffersOf(party_id=party_id, offer_id=asked.offer_id), DEADLINE_S)).offers
        if not found:
            return json_response(Done(refusal=Refusal.of(RefusalCode.unknown_offer)))
        command = DecideOffer(
            lg_code=asked.lg_code,
            party_id=party_id,
            offer_id=asked.offer_id,
            revision=found[0].revision,
            approve=asked.approve,
            comment=asked.comment,
            staff_id=OFFICE,
        )
        code = (await self._bus.call(command, DEADLINE_S)).code
        return json_response(Done(refusal=None if code is None else Refusal.of(code)))

    def _state(self) -> ClockState:
        now = self._clock.now()
        ahead_s = round((now - datetime.now(UTC)).total_seconds())
        return ClockState(now=now, business_date=self._clock.business_date(), ahead_s=ahead_s)
