"""The redirect flow's routes: a shop opens a checkout; anybody may have the key by which the way back is signed."""

from typing import Final

from aiohttp import web

from connectors.checkout.audience import ORDERS
from connectors.checkout.authorizations import BODY_LIMIT_BYTES
from connectors.checkout.checkouts import Checkouts
from connectors.checkout.orders import DEADLINE_S
from connectors.checkout.returns import PURPOSE, Returns, leads_back
from connectors.checkout.shapes import CheckoutOpened, CheckoutRequest, ReturnKey
from hub.bus import Bus
from hub.web.app import PUBLIC, Audience, Route, caller_of, json_response
from hub.web.bodies import read_model
from hub.web.problems import ProblemError
from schemas.links import PartiesOf
from schemas.problems import FieldError, ProblemCode

PAGE: Final = "/my/checkout"
"""Where the portal has the page."""


class RedirectDoor:
    """`POST /checkouts` and `GET /return-key`."""

    def __init__(self, bus: Bus, checkouts: Checkouts, returns: Returns, own_url: str) -> None:
        self._bus = bus
        self._checkouts = checkouts
        self._returns = returns
        self._own_url = own_url

    def routes(self, audience: Audience) -> list[Route]:
        """Its two operations."""
        return [
            Route(
                audience=audience,
                method="POST",
                path="/checkouts",
                handler=self.open,
                permission=ORDERS,
                summary="Open a checkout, and send the citizen to its address",
                summary_ja="ポイント利用画面の発行（利用者をこの画面へ案内します）",
                request=CheckoutRequest,
                response=CheckoutOpened,
                problems=[ProblemCode.id_conflict],
            ),
            Route(
                audience=audience,
                method="GET",
                path="/return-key",
                handler=self.key,
                permission=PUBLIC,
                summary="The key by which addresses that lead back to you are signed",
                summary_ja="戻り先アドレスの署名を検証する公開鍵",
                response=ReturnKey,
            ),
        ]

    async def open(self, request: web.Request) -> web.Response:
        """The way back must lead to the shop's registered site."""
        asked = await read_model(request, CheckoutRequest, BODY_LIMIT_BYTES)
        party_id = caller_of(request).party_id
        parties = (await self._bus.call(PartiesOf(party_ids=(party_id,)), DEADLINE_S)).parties
        if not any(leads_back(asked.return_url, one.page_url, self._own_url) for one in parties):
            raise ProblemError(ProblemCode.bad_field, errors=[_ELSEWHERE])
        opened = await self._checkouts.open(party_id, asked)
        url = f"{self._own_url}{PAGE}?id={opened.checkout_id}"
        return json_response(CheckoutOpened(order_id=opened.order_id, url=url, open_until=opened.open_until))

    async def key(self, _request: web.Request) -> web.Response:
        """Public."""
        return json_response(ReturnKey(purpose=PURPOSE, public_key_pem=self._returns.public_key_pem))


_ELSEWHERE: Final = FieldError(
    pointer="/return_url",
    code="other_site",
    detail="The way back must lead to the site that you are registered with.",
    detail_ja="戻り先は、登録されている貴社サイトのアドレスを指定してください。",
)
