"""The hub as it runs on many machines: two processes of every component, over RabbitMQ."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from demo.peers import CHECKOUT, PeerFailedError, peer
from demo.ports import free_port
from hub.clock import SharedClock
from hub.component import Component, Context, Installed
from hub.process import HubProcess
from hub.settings import Settings

DOORS: Final = ("partner", "terminal")
"""Components whose own processes somebody in the story reaches by HTTP."""
FRONT: Final = ("portal", "partner", "checkout")
"""Their second process is the same one, at one address: citizens come by it, and companies send them there."""
HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 120.0
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


class _Started(NamedTuple):
    """A process, and the port where it says how it is."""

    process: asyncio.subprocess.Process
    port: int
    name: str


class Apart:
    """Settings that all processes share, and the processes."""

    def __init__(self, settings: Mapping[str, str | int | float | Mapping[str, int]], clock_file: Path) -> None:
        self._shared = {**settings, "rehearsal_clock": str(clock_file), "secret_key": secrets.token_hex(32)}
        self.urls: dict[str, list[str]] = {component: [] for component in DOORS}
        """The doors of each component's processes; the last one of those in front is the front's."""
        self._inside: list[int] = []

    @asynccontextmanager
    async def running(self, components: list[str]) -> AsyncIterator[None]:
        """Two processes of each, ready; ended when the block is left."""
        second = [(component,) for component in components if component not in FRONT]
        started: list[_Started] = []
        async with AsyncExitStack() as stack:
            for hosted in (*((component,) for component in components), *second, FRONT):
                door = free_port() if hosted is FRONT or hosted[0] in DOORS else None
                for component in self.urls.keys() & set(hosted):
                    self.urls[component].append(f"http://{HOST}:{door}")
                # What a card signs names the hub as its terminal reached it, whichever process made it sign.
                known_as = {"public_url": self.urls["terminal"][0]} if hosted[0] == "terminal" else {}
                started.append(await stack.enter_async_context(self._one(hosted, door, known_as)))
            async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession() as session:
                await asyncio.gather(*(_ready(session, one) for one in started))
            self._inside = [one.port for one in started]
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
    async def _one(
        self, components: Sequence[str], door: int | None, known_as: Mapping[str, str]
    ) -> AsyncIterator[_Started]:
        """One process, with a door on that port if there is one."""
        inside = free_port()
        arguments = ["-m", "hub", "run", "--no-migrate", *components, *([] if door else ["--no-http"])]
        environment = self._environment(http_port=door or free_port(), inside_port=inside, **known_as)
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=CHECKOUT, env=environment)
        try:
            yield _Started(process, inside, "+".join(components))
        finally:
            await _end(process)

    def _environment(self, **own: int | str) -> dict[str, str]:
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


async def _ready(session: aiohttp.ClientSession, started: _Started) -> None:
    """Wait until it is. Raises PeerFailedError."""
    while True:
        if started.process.returncode is not None:
            raise PeerFailedError(f"{started.name}: it ended with {started.process.returncode}")
        with suppress(aiohttp.ClientError):
            async with session.get(f"http://127.0.0.1:{started.port}/readyz") as answer:
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
