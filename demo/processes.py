"""The hub as it runs on many machines: every component in processes of its own, two of each, over RabbitMQ."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from demo.peers import CHECKOUT, PeerFailedError, free_port, peer
from hub.clock import SharedClock
from hub.component import Component, Context, Installed
from hub.process import HubProcess
from hub.settings import Settings

EACH: Final = 2
"""Processes of every component."""
DOORS: Final = ("partner", "terminal")
"""Components that somebody in the story reaches by HTTP."""
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 40.0
POLL_S: Final = 0.05
CARRIED: Final = {"mykey_broker_arrived_total": "brought", "mykey_messages_from_store_total": "from_store"}
"""Counters of a process, as the report names them."""


@asynccontextmanager
async def broker() -> AsyncIterator[str]:
    """Where the broker is: the one that MYKEY_AMQP_URL names, or one of our own, for as long as it is needed."""
    named = os.environ.get("MYKEY_AMQP_URL")
    if named:
        yield named
        return
    async with peer("tests.peers.broker") as process:
        assert process.stdout is not None  # noqa: S101 - asked for by `peer`
        line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S)
        if not line:
            raise PeerFailedError("tests.peers.broker")
        yield json.loads(line)["amqp_url"]


class Apart:
    """Settings that all processes share, and the processes."""

    def __init__(self, settings: Mapping[str, str | int | float | Mapping[str, int]], clock_file: Path) -> None:
        self._shared = {**settings, "rehearsal_clock": str(clock_file), "secret_key": secrets.token_hex(32)}
        self.urls: dict[str, list[str]] = {component: [] for component in DOORS}
        """The doors of each component's processes."""
        self._inside: list[int] = []

    @asynccontextmanager
    async def running(self, components: list[str]) -> AsyncIterator[None]:
        """Two processes of each, ready; ended when the block is left."""
        async with AsyncExitStack() as stack:
            for component in components * EACH:
                self._inside.append(await stack.enter_async_context(self._one(component)))
            async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession() as session:
                await asyncio.gather(*(_ready(session, port) for port in self._inside))
            yield

    async def carried(self) -> dict[str, int]:
        """How many messages the broker has brought, and how many were read from the store, in all processes."""
        counts = dict.fromkeys(CARRIED, 0.0)
        async with aiohttp.ClientSession() as session:
            for port in self._inside:
                async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                    for family in text_string_to_metric_families(await answer.text()):
                        for sample in family.samples:
                            if sample.name in counts:
                                counts[sample.name] += sample.value
        return {CARRIED[name]: int(count) for name, count in counts.items()}

    @asynccontextmanager
    async def _one(self, component: str) -> AsyncIterator[int]:
        """One process; yields its inside port."""
        door, inside = free_port(), free_port()
        arguments = ["-m", "hub", "run", "--no-migrate", component]
        if component in DOORS:
            self.urls[component].append(f"http://127.0.0.1:{door}")
        else:
            arguments.append("--no-http")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=CHECKOUT, env=self._environment(http_port=door, inside_port=inside)
        )
        try:
            yield inside
        finally:
            await _end(process)

    def _environment(self, **own: int) -> dict[str, str]:
        """Nothing of ours but what is shared."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MYKEY_")}
        settings = {**self._shared, **own, "log_level": "warning"}
        given = {
            f"MYKEY_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in settings.items()
        }
        return kept | given

    def settings(self) -> Settings:
        """What all of them share."""
        return Settings.model_validate(self._shared)

    @asynccontextmanager
    async def caller(self, url: str, clock: SharedClock) -> AsyncIterator[HubProcess]:
        """A process that hosts nothing: who directs the story speaks to the others as they do among themselves."""
        async with HubProcess(self.settings(), clock, [Installed("hub", _nothing)], url) as process:
            yield process


def _nothing(_context: Context) -> Component:
    return Component(name="hub")


async def _ready(session: aiohttp.ClientSession, port: int) -> None:
    while True:
        with suppress(aiohttp.ClientError):
            async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                if answer.ok:
                    return
        await asyncio.sleep(POLL_S)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
