"""A whole process as it begins and ends: when its doors open, and that whoever is kept waiting by it is answered."""

import asyncio
import time
from typing import Self

import pytest
from aiohttp import ClientConnectionError, ClientSession, web

from demo.ports import free_port
from hub import serving as serving_module
from hub.clock import SystemClock
from hub.component import Component, Context, Installed
from hub.serving import serving
from hub.settings import Settings
from hub.web.app import PUBLIC
from hub.web.server import LIMITS, Door
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

    async with ClientSession() as client:
        made = _settings(database_url)
        async with serving(made, SystemClock(), [Installed("portal", component)], database_url) as served:
            asking = asyncio.create_task(client.get(f"{served.url}/api/test/waits"))
            await is_asked.wait()
            began_s = time.monotonic()
        took_s = time.monotonic() - began_s
        async with await asking as answer:
            assert answer.status == 200
    assert took_s < LIMITS.shutdown_timeout_s / 2


async def test_who_is_told_that_it_is_ready_may_be_sent_to_its_door(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []

    class Noted(Door):
        async def __aenter__(self) -> Self:
            await super().__aenter__()
            opened.append(self.port)
            return self

    monkeypatch.setattr(serving_module, "Door", Noted)
    made = _settings(database_url, inside_port=free_port())
    async with serving(made, SystemClock(), [Installed("portal", lambda _: Component("portal"))], database_url):
        assert opened == [made.http_port, made.inside_port]


async def test_a_collector_may_be_given_another_address(database_url: str) -> None:
    made = _settings(database_url, inside_port=free_port(), inside_host="::1")
    async with (
        serving(made, SystemClock(), [Installed("portal", lambda _: Component("portal"))], database_url),
        ClientSession() as client,
    ):
        async with client.get(f"http://[::1]:{made.inside_port}/metrics") as answer:
            assert answer.status == 200
        with pytest.raises(ClientConnectionError):
            await client.get(f"http://127.0.0.1:{made.inside_port}/metrics")


def _settings(database_url: str, **further: object) -> Settings:
    return Settings.model_validate(
        {"database_url": database_url, "secret_key": SECRET_KEY, "http_port": free_port(), **further}
    )
