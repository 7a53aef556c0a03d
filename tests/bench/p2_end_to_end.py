"""P2 and P3: signed batches in, points posted, events heard, answers back; the clients are a process of their own."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from statistics import quantiles
from types import MappingProxyType
from typing import Any, Final

from demo.ports import free_port
from tests.bench.books import Books
from tests.bench.children import Child, started
from tests.bench.figures import Measured
from tests.bench.hub_process import COMPONENTS
from tests.bench.hub_process import Job as HubJob
from tests.bench.partners import Job as ClientJob
from tests.bench.seeding import LINKED_CITIZENS
from tests.bench.server import Connection, Server, connected, even_out

TOGETHER: Final = (COMPONENTS,) * 2
"""P2: two hubs, each with all components."""
APART: Final = tuple((name,) for name in reversed(COMPONENTS) for _ in range(2))
"""P3: every component its own process, two of each; the doors last, which others must be there for."""
CLIENTS: Final = 4
BATCHES_A_SECOND: Final = 16
"""How many batches to sign beforehand for each client and second: 500 each, so well above what comes."""
DRAIN_LIMIT_S: Final = 60.0
DRAIN_POLL_S: Final = 0.02

DUE: Final = "SELECT EXISTS (SELECT FROM hub.delivery WHERE split_part(receiver, '.', 1) = ANY ($1))"
"""For whoever is there: other components would hear of it too."""


class EndToEnd:
    """P2, or P3 where `processes` are `APART` and `further` settings name a broker."""

    def __init__(
        self,
        server: Server,
        citizens: int,
        measured_s: float,
        at_once: int,
        sizes: dict[str, int],
        processes: Sequence[Sequence[str]] = TOGETHER,
        further: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._server = server
        self._processes = processes
        self._further = dict(further)
        self._linked = min(citizens, LINKED_CITIZENS)
        self._measured_s = measured_s
        self._at_once = at_once
        self._sizes = sizes

    async def measure(self) -> Measured:
        """One round: the time ends when everything sent is answered and every event has been heard."""
        connection = await connected(self._server.hub_url)
        try:
            await connection.execute("DELETE FROM hub.delivery")  # what P1 said is not this round's
            before = await Books.read(connection)
            await even_out(connection)
            url = self._server.hub_url
            jobs = [HubJob(url, free_port(), self._sizes, names, self._further) for names in self._processes]
            async with started("hub_process", jobs) as hubs:
                urls = [await hub.ready() for hub in hubs]
                sent, took_s = await self._send([url for url in urls if url], connection)
                for hub in hubs:
                    hub.go()
                cpu_s = sum([(await hub.result())["cpu_s"] for hub in hubs])
            after = await Books.read(connection, before)
        finally:
            await connection.close()
        after.check(before, commands=sent["items"], points=sent["points"])
        outcomes = sent["outcomes"]
        count = len(sent["latencies_ms"]) * 500
        deciles = quantiles(sent["latencies_ms"], n=20)
        notes = {
            "not posted": {name: n for name, n in outcomes.items() if name != "posted"} or 0,
            "hub Python µs": round(cpu_s / count * 1e6, 1),
            "client µs": round(sent["cpu_s"] / count * 1e6, 1),
            "a block": after.a_block(before),
            "batch p50 ms": round(deciles[9]),
            "p95": round(deciles[18]),
        }
        return Measured(count / took_s, notes)

    async def _send(self, urls: list[str], connection: Connection) -> tuple[dict[str, Any], float]:
        batches = int(BATCHES_A_SECOND * self._measured_s)
        job = ClientJob(urls, f"p2.{time.time_ns()}", CLIENTS, self._at_once, self._measured_s, batches, self._linked)
        clients = await Child.start("partners", job)
        try:
            await clients.ready()
            await _drained(connection)
            started_s = time.perf_counter()
            clients.go()
            sent = await clients.result()
            await _drained(connection)
            return sent, time.perf_counter() - started_s
        finally:
            await clients.end()


async def _drained(connection: Connection) -> None:
    async with asyncio.timeout(DRAIN_LIMIT_S):
        while True:
            if not await connection.fetchval(DUE, list(COMPONENTS)):
                return
            await asyncio.sleep(DRAIN_POLL_S)
