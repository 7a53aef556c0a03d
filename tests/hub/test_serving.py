"""A whole process as it ends: whoever is kept waiting by it is answered."""

import asyncio
import time

from aiohttp import ClientSession, web

from demo.ports import free_port
from hub.clock import SystemClock
from hub.component import Component, Context, Installed
from hub.serving import serving
from hub.settings import Settings
from hub.web.app import PUBLIC
from hub.web.server import LIMITS
from tests.hub.web.serving import audience, route
from tests.running import SECRET_KEY


async def test_who_is_kept_waiting_is_answered_as_the_door_closes(database_url: str) -> None:
    is_asked, is_stopping = asyncio.Event(), asyncio.Event()

    async def wait(_request: web.Request) -> web.Response:
        is_asked.set()
        await is_stopping.wait()
        return web.Response()

    def component(_context: Context) -> Component:
        waits = route(audience=audience(), method="GET", path="/waits", handler=wait, permission=PUBLIC)
        return Component("portal", routes=[waits], stopping=is_stopping.set)

    settings = Settings.model_validate(
        {"database_url": database_url, "secret_key": SECRET_KEY, "http_port": free_port()}
    )
    async with ClientSession() as client:
        async with serving(settings, SystemClock(), [Installed("portal", component)], database_url) as served:
            asking = asyncio.create_task(client.get(f"{served.url}/api/test/waits"))
            await is_asked.wait()
            began_s = time.monotonic()
        took_s = time.monotonic() - began_s
        async with await asking as answer:
            assert answer.status == 200
    assert took_s < LIMITS.shutdown_timeout_s / 2
