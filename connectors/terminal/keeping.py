"""What every process does for ever beside its connections: send what is due, collect what has ended, be alive."""

import asyncio
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

import structlog

from connectors.terminal.connections import Connections, codes_of
from connectors.terminal.jobs import Jobs
from connectors.terminal.uplink_store import LOOK, UplinkStore
from hub.clock import Clock
from hub.database import UNREACHABLE

LOOK_EVERY_S: Final = 1.0
"""Behind the signals, which may be lost."""
ALIVE_EVERY_S: Final = 2.0
SEEN_EVERY_S: Final = 30.0

log: Final = structlog.get_logger()


class Keeping:
    """The loop of one process."""

    def __init__(self, store: UplinkStore, connections: Connections, jobs: Jobs, clock: Clock) -> None:
        self._store = store
        self._connections = connections
        self._jobs = jobs
        self._clock = clock
        self._due = asyncio.Event()
        self._compare = True
        self._alive_s = self._seen_s = float("-inf")

    def signalled(self, names: AbstractSet[str]) -> None:
        """A job is to be sent or collected here, or some connections are not ours any more."""
        self._compare |= LOOK in names
        if self._compare or self._store.process_id.hex in names:
            self._due.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._due.clear()
            try:
                await self._look()
            except UNREACHABLE as error:
                log.warning("uplink_unreachable", error=type(error).__qualname__)
                await asyncio.sleep(LOOK_EVERY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._due.wait()

    async def _look(self) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._alive_s >= ALIVE_EVERY_S:
            await self._store.is_alive()
            self._alive_s, self._compare = now_s, True
        if len(self._connections):
            await self._send()
        if self._jobs.waits_for:
            for ended in await self._store.ended(self._jobs.waits_for):
                self._jobs.ended(ended)
        if self._compare:
            self._compare = False
            await self._agree()
        if now_s - self._seen_s >= SEEN_EVERY_S:
            await self._store.have_seen()
            self._seen_s = now_s

    async def _send(self) -> None:
        lost = {due.connection_id for due in await self._store.due() if not self._connections.send(due)}
        await self._store.leave(lost)

    async def _agree(self) -> None:
        """What is recorded as connected here is, and nothing else is."""
        before = self._connections.open()
        recorded = await self._store.connected()
        gone = [connection for connection in before if connection.id not in recorded]
        for connection, code in zip(gone, await codes_of(gone, self._store), strict=True):
            self._connections.hang_up(connection, code)
        await self._store.leave(self._connections.missing(recorded))
