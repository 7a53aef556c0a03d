"""What points may be used for: a shop or fund posts it, and asks municipalities to approve it (mission I.7, I.8)."""

import re
from functools import partial
from typing import Final

from aiohttp import web

from connectors.checkout.audience import OFFERS
from connectors.checkout.authorizations import BODY_LIMIT_BYTES
from connectors.checkout.orders import DEADLINE_S
from connectors.checkout.shapes import OfferAnswer, OfferRequest, OfferStanding
from hub.bus import Bus
from hub.web.app import Audience, Route, caller_of, json_response
from hub.web.bodies import read_model
from hub.web.problems import ProblemError
from schemas.offers import Offer, OffersOf, PostOffer
from schemas.problems import ProblemCode, Refusal, RefusalCode

PATH: Final = "/offers"

_OFFER_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class OfferDoor:
    """`POST /offers` and `GET /offers/{offer_id}`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def routes(self, audience: Audience) -> list[Route]:
        """Its two operations."""
        make = partial(Route, audience=audience, permission=OFFERS)
        return [
            make(
                method="POST",
                path=PATH,
                handler=self.post,
                summary="Post a product or fund, and ask municipalities to approve it",
                summary_ja="ポイントで利用できる商品等の登録と、自治体への承認依頼",
                request=OfferRequest,
                response=OfferAnswer,
                problems=[ProblemCode.id_conflict, ProblemCode.outcome_unknown],
            ),
            make(
                method="GET",
                path=PATH + "/{offer_id}",
                handler=self.get,
                summary="Which municipalities have approved a product or fund, or sent it back",
                summary_ja="商品等の承認状況",
                response=OfferStanding,
                problems=[ProblemCode.not_found],
            ),
        ]

    async def post(self, request: web.Request) -> web.Response:
        """The same again changes nothing; a changed one has a higher revision, and has to be approved anew."""
        asked = await read_model(request, OfferRequest, BODY_LIMIT_BYTES)
        offer = Offer(**asked.model_dump(exclude={"lg_codes", "revision"}))
        command = PostOffer(
            party_id=caller_of(request).party_id,
            offer=offer,
            lg_codes=tuple(asked.lg_codes),
            revision=asked.revision,
        )
        posted = await self._bus.call(command, DEADLINE_S)
        if posted.code == RefusalCode.id_conflict:
            raise ProblemError(ProblemCode.id_conflict)
        refusal = Refusal.of(posted.code) if posted.code else None
        return json_response(
            OfferAnswer(offer_id=offer.offer_id, revision=posted.revision, asked=posted.asked, refusal=refusal)
        )

    async def get(self, request: web.Request) -> web.Response:
        """Another shop's offer is as unknown as one that never was."""
        offer_id = request.match_info["offer_id"]
        if _OFFER_ID.fullmatch(offer_id) is None:
            raise ProblemError(ProblemCode.not_found)
        asked = OffersOf(party_id=caller_of(request).party_id, offer_id=offer_id)
        found = (await self._bus.call(asked, DEADLINE_S)).offers
        if not found:
            raise ProblemError(ProblemCode.not_found)
        return json_response(
            OfferStanding(offer_id=offer_id, revision=found[0].revision, approvals=list(found[0].approvals))
        )
