"""`python -m tests.peers.market`: reads one line of JSON, answers with one, serves until its input or itself is ended.

    {"url": "http://…", "companies": [{"name": "airline", "party_id": "…", "key_file": "…", "key_id": "…",
     "members": ["login:password:subject"], "redirect_uri": "…"}]}

With a `redirect_uri` its members log in by an OpenID provider, else on the site. Answered is, by name,
`{"site": "http://…", "issuer": "http://…"}`.
"""

import asyncio
import json
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.peers.airline.signing import Signer, load_key
from tests.peers.market.company import Company, Identity
from tests.peers.openid.provider import make_app
from tests.peers.openid.registered import Client, Kept, Member
from tests.peers.shop.client import Hub
from tests.peers.shop.site import Shop, told

HOST = "127.0.0.1"
CLIENT_ID = "mykey-hub"
REQUEST_TIMEOUT_S = 30.0


class Market:
    """The companies of one hub."""

    def __init__(self, session: aiohttp.ClientSession, hub_url: str, stack: AsyncExitStack) -> None:
        self._session = session
        self._hub_url = hub_url
        self._stack = stack

    async def open(self, given: dict[str, Any]) -> dict[str, str]:
        """One company, at its addresses."""
        members = [Member(*one.split(":", 2)) for one in given.get("members", [])]
        key = load_key(Path(given["key_file"]))
        hub = Hub(self._session, self._hub_url, Signer(given["key_id"], key))
        company = Company(
            hub,
            Identity(given["party_id"], given["key_id"], key),
            {(one.login, one.password): one.subject for one in members},
        )
        shop = Shop(hub)
        app = web.Application(middlewares=[told])
        app.add_routes([*company.routes(), *shop.routes()])
        listener = _listener()
        company.origin = shop.origin = _url(listener)
        await self._serve(app, listener)
        issuer = await self._provider(given["redirect_uri"], members) if "redirect_uri" in given else ""
        return {"site": company.origin, "issuer": issuer}

    async def _provider(self, redirect_uri: str, members: list[Member]) -> str:
        listener = _listener()
        issuer = _url(listener)
        client = Client(CLIENT_ID, redirect_uri, f"{self._hub_url}/api/partner/jwks.json")
        await self._serve(make_app(Kept(issuer, client, members, tells_members=True)), listener)
        return issuer

    async def _serve(self, app: web.Application, listener: socket.socket) -> None:
        runner = web.AppRunner(app)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()


def _listener() -> socket.socket:
    return socket.create_server((HOST, 0))


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


async def main() -> None:
    """Until the input ends."""
    line = await asyncio.to_thread(sys.stdin.readline)
    if not line:
        return
    given = json.loads(line)
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        market = Market(session, given["url"], stack)
        opened = {one["name"]: await market.open(one) for one in given["companies"]}
        sys.stdout.write(json.dumps(opened) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
