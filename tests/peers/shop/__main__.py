"""The shop's own site, on a port of its own: `{"port": …}` is its first line on the standard output.

`POST /buy` begins an order by the hub's page, `GET /back` is where the customer comes back, `POST /pay` does the same
from server to server, `GET /balance`, `POST /refund` and `POST /offer` pass on what the customer or the staff wants.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.peers.airline.signing import Signer, load_key
from tests.peers.shop.client import Hub, RefusedError

HOST = "127.0.0.1"
REQUEST_TIMEOUT_S = 30.0


class Shop:
    """Carts in memory; whatever counts is asked of the hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._prices: dict[str, int] = {}
        self.origin = ""

    def app(self) -> web.Application:
        """The site."""
        app = web.Application(middlewares=[told])
        app.add_routes(
            [
                web.post("/buy", self.buy),
                web.get("/back", self.back),
                web.post("/pay", self.pay),
                web.post("/refund", self.refund),
                web.post("/offer", self.offer),
                web.get("/balance", self.balance),
            ]
        )
        return app

    async def buy(self, request: web.Request) -> web.Response:
        """`price` is what the order comes to in the end: it may be less than `at_most`."""
        order = await request.json()
        self._prices[order["order_id"]] = order.pop("price")
        opened = await self._hub.ask("POST", "/checkouts", order | {"return_url": f"{self.origin}/back?cart=1"})
        return web.json_response(opened)

    async def back(self, request: web.Request) -> web.Response:
        """The address is only a hint: the order is asked for, and captured for what it comes to."""
        told_ = await self._hub.verified(f"{self.origin}{request.raw_path}")
        if told_ is None:
            raise web.HTTPBadRequest
        return web.json_response(await self._finish(told_["mykey_order_id"]))

    async def pay(self, request: web.Request) -> web.Response:
        """With the account that is linked, and without the hub's page."""
        order = await request.json()
        made = await self._hub.ask("POST", "/authorizations", order)
        if made["state"] == "authorized":
            made = await self._capture(order["order_id"], order["points"])
        return web.json_response(made)

    async def refund(self, request: web.Request) -> web.Response:
        """Something came back from the customer."""
        asked = await request.json()
        order_id = asked.pop("order_id")
        return web.json_response(await self._hub.ask("POST", f"/authorizations/{order_id}/refunds", asked))

    async def offer(self, request: web.Request) -> web.Response:
        """Something new to be bought."""
        return web.json_response(await self._hub.ask("POST", "/offers", await request.json()))

    async def balance(self, request: web.Request) -> web.Response:
        """「表示する」."""
        return web.json_response(await self._hub.ask("GET", f"/balance?link_id={request.query['link_id']}"))

    async def _finish(self, order_id: str) -> dict[str, Any]:
        order = await self._hub.ask("GET", f"/authorizations/{order_id}")
        if order["state"] != "authorized":
            return order
        return await self._capture(order_id, min(order["points"], self._prices[order_id]))

    async def _capture(self, order_id: str, points: int) -> dict[str, Any]:
        return await self._hub.ask("POST", f"/authorizations/{order_id}/capture", {"points": points})


@web.middleware
async def told(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401 - aiohttp's Handler
    """What the hub refuses is shown as it is."""
    try:
        answer: web.StreamResponse = await handler(request)
    except RefusedError as refused:
        return web.json_response({"refused": str(refused)}, status=refused.status)
    return answer


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.shop", description=__doc__)
    parser.add_argument("--url", required=True, help="the hub, such as http://127.0.0.1:8080")
    parser.add_argument("--key-file", required=True, type=Path, help="Ed25519 private key: PEM, raw or hex")
    parser.add_argument("--key-id", required=True, help="the id it is registered under")
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    """Serve until told to end."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        shop = Shop(Hub(session, options.url, Signer(options.key_id, load_key(options.key_file))))
        runner = web.AppRunner(shop.app())
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        port = runner.addresses[0][1]
        shop.origin = f"http://{HOST}:{port}"
        sys.stdout.write(json.dumps({"port": port}) + "\n")
        sys.stdout.flush()
        await ended.wait()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
