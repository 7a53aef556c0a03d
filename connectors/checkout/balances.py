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
from schemas.points import BalanceOf
from schemas.problems import ProblemCode
from schemas.values import RESERVE

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
        """Only with a link; reserve points can be spent nowhere, and are not told."""
        link_id = query_of(request, BalanceQuery).link_id
        asked = LinkedCitizensOf(party_id=caller_of(request).party_id, link_ids=[link_id])
        citizen_id = (await self._bus.call(asked, DEADLINE_S)).citizens.get(link_id)
        if citizen_id is None:
            raise ProblemError(ProblemCode.not_found)
        held = await self._bus.call(BalanceOf(citizen_id=citizen_id), DEADLINE_S)
        pools = [PoolPoints(pool=pool, points=held.by_pool[pool]) for pool in sorted(held.by_pool.keys() - {RESERVE})]
        return json_response(Balance(link_id=link_id, pools=pools))
