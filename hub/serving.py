"""A whole process: the database it runs on, its components, its HTTP door."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import structlog
from aiohttp.typedefs import Middleware

from hub import migrations, telemetry
from hub.clock import Clock
from hub.component import Installed
from hub.database import UNREACHABLE, reachable
from hub.embedded_postgres import EmbeddedPostgres
from hub.errors import TransientError
from hub.process import HubProcess
from hub.roles import component_url, owner_url
from hub.settings import Settings
from hub.web.app import make_app, while_open
from hub.web.health import Check, health_routes
from hub.web.openapi import document_routes
from hub.web.server import Door

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Serving:
    """A process at work; `url` is where its public door is, if it has one."""

    process: HubProcess
    url: str | None


@asynccontextmanager
async def server(settings: Settings) -> AsyncIterator[str]:
    """The owner's URL of the database as it is: the one of the settings, or the embedded one, started for us."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    embedded = EmbeddedPostgres(settings.data_dir / "postgres")
    url = await asyncio.to_thread(embedded.start)
    try:
        yield url
    finally:
        await asyncio.to_thread(embedded.stop)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """The same, migrated."""
    async with server(settings) as url:
        for one in databases_of(settings, url):
            await migrations.migrate(one, migrations.installed_sources(), settings.role_passwords)
        yield url


@asynccontextmanager
async def migrated(settings: Settings) -> AsyncIterator[str]:
    """The same as it is, for whoever only looks or asks: a hub of another release may be at work on it.

    Raises NotMigratedError, MigrationRefusedError; TransientError where PostgreSQL does not answer.
    """
    async with server(settings) as url:
        async with reachable():
            for one in databases_of(settings, url):
                await migrations.check(one, migrations.installed_sources())
        yield url


@asynccontextmanager
async def migrated_before(settings: Settings, components: Sequence[str]) -> AsyncIterator[str]:
    """The same as it is, for components that work on it; a later release may have migrated it.

    While one of several databases is away, what lives in the others works: that one is not looked at.

    Raises NotMigratedError; TransientError where the hub's own PostgreSQL does not answer.
    """
    async with server(settings) as url:
        async with reachable():
            await _check_as(components, url, settings)
        for elsewhere in set(databases_of(settings, url)) - {url}:
            with suppress(TransientError):
                async with reachable():
                    await _check_as(components, elsewhere, settings)
        yield url


async def _check_as(components: Sequence[str], url: str, settings: Settings) -> None:
    own = component_url(url, components[0], settings)
    await migrations.check_as_component(own, components, migrations.installed_sources())


def databases_of(settings: Settings, url: str) -> Iterable[str]:
    """The hub's own database, and those of partitions that live elsewhere, by the owner's password if `url` has it."""
    return [url, *(owner_url(one, url) for one in dict.fromkeys(settings.partition_databases.values()))]


@asynccontextmanager
async def serving(
    settings: Settings,
    clock: Clock,
    installed: Sequence[Installed],
    owner_url: str,
    *,
    public: bool = True,
    watching: Sequence[Middleware] = (),
) -> AsyncIterator[Serving]:
    """Components at work, behind their public door if they are to have one, and the inside one if there is a port.

    `watching` see what comes to the public door. Leaving it closes the doors first, then finishes what is under way.
    """
    async with AsyncExitStack() as stack:
        process = HubProcess(settings, clock, installed, owner_url)
        await stack.enter_async_context(telemetry.exporting(settings.otlp_url, process.process_id))
        await stack.enter_async_context(process)
        url = await stack.enter_async_context(_public_door(process, settings, watching)) if public else None
        if settings.inside_port is not None:
            # Behind the public one: whoever is told here that we are ready may be sent there.
            checks = [Check("database", _Look(process)), Check("broker", _Listen(process), needed=False)]
            inside = make_app(health_routes(checks))
            await stack.enter_async_context(Door(inside, settings.inside_host, settings.inside_port))
        # Before the doors close, which wait for whoever waits for somebody outside.
        stack.callback(process.stop_waiting)
        yield Serving(process, url)


@asynccontextmanager
async def _public_door(process: HubProcess, settings: Settings, watching: Sequence[Middleware]) -> AsyncIterator[str]:
    routes = [
        while_open(route, partial(process.pauses.check, component.name))
        for component in process.components
        for route in component.routes
    ]
    app = make_app([*routes, *document_routes(routes)], settings.proxy_networks, watching)
    async with Door(app, settings.http_host, settings.http_port) as door:
        yield f"http://{settings.http_host}:{door.port}"


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


class _Listen:
    """What the process says of the way to others; it works without that, and slower."""

    def __init__(self, process: HubProcess) -> None:
        self._process = process

    async def __call__(self) -> str | None:
        return self._process.complaint()


async def until_told_to_stop() -> None:
    """Wait for SIGTERM or SIGINT."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, told.set)
    await told.wait()
    log.info("stopping")
