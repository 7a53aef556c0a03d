"""Where reserve points can be moved to (画面19): municipal points or an event's, with what there is to move."""

import asyncio
from typing import Final

from aiohttp import web

from connectors.portal.citizen import move_event, move_municipal
from connectors.portal.citizen.catalogue import Catalogue
from connectors.portal.citizen.home import wallet_of
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route
from schemas.citizens import BaseMunicipalitiesOf
from schemas.points import BalanceOf

BASE: Final = "/my/move"
DEADLINE_S: Final = 5.0


class MovePage:
    """The way in."""

    def __init__(self, ground: Ground, catalogue: Catalogue) -> None:
        self._ground = ground
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """The one."""
        return [self._ground.page("GET", BASE, self.show, "Move points", "ポイントを移す")]

    async def show(self, request: web.Request) -> web.Response:
        """The reserve, and the two ways."""
        citizen_id, bus = signed_in_of(request).citizen_id, self._ground.kit.bus
        balances, bases, pools = await asyncio.gather(
            bus.call(BalanceOf(citizen_id=citizen_id), DEADLINE_S),
            bus.call(BaseMunicipalitiesOf(citizen_ids=[citizen_id]), DEADLINE_S),
            self._catalogue.pools(),
        )
        wallet = wallet_of(balances.pools, bases.lg_codes.get(str(citizen_id), ""), pools)
        ways = [
            (_("留保ポイントを自治体ポイントに移行"), move_municipal.BASE, ""),
            (_("留保ポイントを特定支援イベントに移行"), move_event.BASE, ""),
        ]
        return answer(request, "citizen/move.html", title=_("ポイントを移す"), reserve=wallet.reserve, ways=ways)
