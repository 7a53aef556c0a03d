"""What a linked citizen could use, to be shown at the checkout (「表示する」 of a fund, mission I.8)."""

from typing import Final

from aiohttp import web

from connectors.checkout.audience import BALANCES
from connectors.checkout.orders import DEADLINE_S
from connectors.checkout.shapes import Balance, BalanceQuery, PoolPoints
from hub.bus import Bus
from hub.web.app import Audience, Route, caller_of, json_response, query_of
from hub.web.problems import ProblemError
from schemas.citizens import LinkedCitizensOf
from schemas.offers import UsablePoolsOf
from schemas.points import BalanceOf
from schemas.problems import ProblemCode

PATH: Final = "/balance"


class BalanceDoor:
    """`GET /balance`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def routes(self, audience: Audience) -> list[Route]:
        """Its one operation."""
        return [
            Route(
                audience=audience,
                method="GET",
                path=PATH,
                handler=self.get,
                permission=BALANCES,
                summary="What a linked citizen could use, to be shown at the checkout",
                summary_ja="ポイント残高の照会（表示用）",
                query=BalanceQuery,
                response=Balance,
                problems=[ProblemCode.not_found],
            )
        ]

    async def get(self, request: web.Request) -> web.Response:
        """Only with a link, and only of pools that pay for something here: what else there is, is none of theirs."""
        link_id, party_id = query_of(request, BalanceQuery).link_id, caller_of(request).party_id
        asked = LinkedCitizensOf(party_id=party_id, link_ids=[link_id])
        citizen_id = (await self._bus.call(asked, DEADLINE_S)).citizens.get(link_id)
        if citizen_id is None:
            raise ProblemError(ProblemCode.not_found)
        held = (await self._bus.call(BalanceOf(citizen_id=citizen_id), DEADLINE_S)).by_pool
        usable = UsablePoolsOf(party_id=party_id, offer_ids=None, pools=sorted(held))
        pools = (await self._bus.call(usable, DEADLINE_S)).pools
        told = [PoolPoints(pool=pool, points=held[pool]) for pool in pools]
        return json_response(Balance(link_id=link_id, pools=told))
