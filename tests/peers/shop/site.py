"""A shop's or fund's own site: cart, way back, refunds, balance; whatever counts is asked of the hub."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from tests.peers.shop.client import Hub, RefusedError


class Shop:
    """Carts in memory; whatever counts is asked of the hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._prices: dict[str, int] = {}
        self.origin = ""

    def routes(self) -> Sequence[web.RouteDef]:
        """The site."""
        return [
            web.post("/buy", self.buy),
            web.get("/back", self.back),
            web.post("/pay", self.pay),
            web.post("/refund", self.refund),
            web.post("/offer", self.offer),
            web.get("/balance", self.balance),
        ]

    async def buy(self, request: web.Request) -> web.Response:
        """`price` is what the order comes to in the end: it may be less than `at_most`."""
        order = await request.json()
        self._prices[order["order_id"]] = order.pop("price")
        order["return_url"] = f"{self.origin}/back?cart=1"
        return web.json_response(await self._hub.ask("POST", "/checkout/checkouts", order))

    async def back(self, request: web.Request) -> web.Response:
        """The address is only a hint: the order is asked for, and captured for what it comes to."""
        told_ = await self._hub.verified(f"{self.origin}{request.raw_path}")
        if told_ is None:
            raise web.HTTPBadRequest
        return web.json_response(await self._finish(told_["mykey_order_id"]))

    async def pay(self, request: web.Request) -> web.Response:
        """With the account that is linked, and without the hub's page."""
        order = await request.json()
        made = await self._hub.ask("POST", "/checkout/authorizations", order)
        if made["state"] == "authorized":
            made = await self._capture(order["order_id"], order["points"])
        return web.json_response(made)

    async def refund(self, request: web.Request) -> web.Response:
        """Something came back from the customer."""
        asked = await request.json()
        order_id = asked.pop("order_id")
        return web.json_response(await self._hub.ask("POST", f"/checkout/authorizations/{order_id}/refunds", asked))

    async def offer(self, request: web.Request) -> web.Response:
        """Something new to be bought."""
        return web.json_response(await self._hub.ask("POST", "/checkout/offers", await request.json()))

    async def balance(self, request: web.Request) -> web.Response:
        """「表示する」."""
        return web.json_response(await self._hub.ask("GET", f"/checkout/balance?link_id={request.query['link_id']}"))

    async def _finish(self, order_id: str) -> dict[str, Any]:
        order = await self._hub.ask("GET", f"/checkout/authorizations/{order_id}")
        if order["state"] != "authorized":
            return order
        return await self._capture(order_id, min(order["points"], self._prices[order_id]))

    async def _capture(self, order_id: str, points: int) -> dict[str, Any]:
        return await self._hub.ask("POST", f"/checkout/authorizations/{order_id}/capture", {"points": points})


@web.middleware
async def told(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401 - aiohttp's Handler
    """What the hub refuses is shown as it is."""
    try:
        answer: web.StreamResponse = await handler(request)
    except RefusedError as refused:
        return web.json_response({"refused": str(refused)}, status=refused.status)
    return answer
