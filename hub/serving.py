"""A whole process: the database it runs on, its components, its HTTP door."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import structlog

from hub import migrations
from hub.clock import Clock
from hub.component import Installed
from hub.database import UNREACHABLE
from hub.embedded_postgres import EmbeddedPostgres
from hub.process import HubProcess
from hub.settings import Settings
from hub.web.app import make_app
from hub.web.health import Check, health_routes
from hub.web.openapi import document_routes
from hub.web.server import Door

log = structlog.get_logger()

INSIDE_HOST: Final = "127.0.0.1"
"""Metrics are for the machine's own collector."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A process at work; `url` is where its public door is, if it has one."""

    process: HubProcess
    url: str | None


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """The owner's URL of a migrated database: the one of the settings, or the embedded one, started for us."""
    async with AsyncExitStack() as stack:
        url = settings.database_url
        if url is None:
            server = EmbeddedPostgres(settings.data_dir / "postgres")
            url = await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.stop)
        await migrations.migrate(url, migrations.installed_sources(), settings.role_passwords)
        yield url


@asynccontextmanager
async def serving(
    settings: Settings, clock: Clock, installed: Sequence[Installed], owner_url: str, *, public: bool = True
) -> AsyncIterator[Serving]:
    """Components at work, behind their public door if they are to have one, and the inside one if there is a port.

    Leaving it closes the doors first, then finishes what is under way.
    """
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(HubProcess(settings, clock, installed, owner_url))
        if settings.inside_port is not None:
            inside = make_app(health_routes([Check("database", _Look(process))]))
            await stack.enter_async_context(Door(inside, INSIDE_HOST, settings.inside_port))
        if not public:
            yield Serving(process, None)
            return
        routes = [route for component in process.components for route in component.routes]
        app = make_app([*routes, *document_routes(routes)])
        door = await stack.enter_async_context(Door(app, settings.http_host, settings.http_port))
        yield Serving(process, f"http://{settings.http_host}:{door.port}")


class _Look:
    """Whether PostgreSQL answers this process."""

    def __init__(self, process: HubProcess) -> None:
        self._process = process

    async def __call__(self) -> str | None:
        try:
            async with self._process.database_of(self._process.components[0].name).connection() as connection:
                await connection.execute("SELECT")
        except UNREACHABLE:
            return "unreachable"
        return None


async def until_told_to_stop() -> None:
    """Wait for SIGTERM or SIGINT."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, told.set)
    await told.wait()
    log.info("stopping")
