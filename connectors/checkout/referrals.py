"""New businesses that municipalities refer to a fund company: its screening, and the fund's opening (mission I.8)."""

from functools import partial
from typing import Final
from uuid import UUID

from aiohttp import web

from connectors.checkout.audience import OFFERS
from connectors.checkout.authorizations import BODY_LIMIT_BYTES
from connectors.checkout.orders import DEADLINE_S
from connectors.checkout.shapes import OpeningRequest, ReferralAnswer, ReferralList, ScreeningRequest
from hub.bus import Bus
from hub.web.app import Audience, Route, caller_of, json_response
from hub.web.bodies import read_model
from hub.web.problems import ProblemError
from schemas.offers import OpenBusiness, ReferralsOf, ScreenBusiness
from schemas.problems import ProblemCode, Refusal

PATH: Final = "/referrals"
ONE: Final = PATH + "/{referral_id}"


class ReferralDoor:
    """`/referrals` and below."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def routes(self, audience: Audience) -> list[Route]:
        """Its three operations."""
        make = partial(Route, audience=audience, permission=OFFERS)
        problems = [ProblemCode.not_found, ProblemCode.outcome_unknown]
        return [
            make(
                method="GET",
                path=PATH,
                handler=self.get,
                summary="Businesses that municipalities have referred to you",
                summary_ja="自治体から紹介された事業の一覧",
                response=ReferralList,
            ),
            make(
                method="POST",
                path=f"{ONE}/screening",
                handler=self.screen,
                summary="Whether a referred business passed your screening",
                summary_ja="紹介された事業の審査結果",
                request=ScreeningRequest,
                response=ReferralAnswer,
                problems=problems,
            ),
            make(
                method="POST",
                path=f"{ONE}/open",
                handler=self.open,
                summary="Open the fund of a business that its municipality has consented to",
                summary_ja="自治体が同意した事業の募集開始",
                request=OpeningRequest,
                response=ReferralAnswer,
                problems=problems,
            ),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """One's own only."""
        found = await self._bus.call(ReferralsOf(party_id=caller_of(request).party_id), DEADLINE_S)
        return json_response(ReferralList(referrals=list(found.referrals)))

    async def screen(self, request: web.Request) -> web.Response:
        """Once; the same again changes nothing."""
        asked = await read_model(request, ScreeningRequest, BODY_LIMIT_BYTES)
        party_id, referral_id = caller_of(request).party_id, _referral_id(request)
        command = ScreenBusiness(referral_id=referral_id, party_id=party_id, passed=asked.passed)
        return _answer(referral_id, (await self._bus.call(command, DEADLINE_S)).code)

    async def open(self, request: web.Request) -> web.Response:
        """With the municipality's consent."""
        asked = await read_model(request, OpeningRequest, BODY_LIMIT_BYTES)
        party_id, referral_id = caller_of(request).party_id, _referral_id(request)
        command = OpenBusiness(referral_id=referral_id, party_id=party_id, offer_id=asked.offer_id)
        return _answer(referral_id, (await self._bus.call(command, DEADLINE_S)).code)


def _answer(referral_id: UUID, code: str | None) -> web.Response:
    return json_response(ReferralAnswer(referral_id=referral_id, refusal=Refusal.of(code) if code else None))


def _referral_id(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["referral_id"])
    except ValueError as error:
        raise ProblemError(ProblemCode.not_found) from error
