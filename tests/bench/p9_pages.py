"""P9: My Page under load, from the first byte of a request to the last of its answer.

First at fixed times, for how long a page takes; then as fast as one process gives them. The figure is pages by the
processor time of the hub's Python (PostgreSQL has the other core). Latencies are the server's, from a request's header
to its answer; the client's, over loopback, stand beside them. Each citizen has an address of its own.
"""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import count
from statistics import median, quantiles
from typing import Any, Final

from aiohttp import ClientSession, DummyCookieJar

from demo.ports import free_port
from hub import migrations
from tests.bench.children import Child
from tests.bench.figures import Measured
from tests.bench.portal_process import Job
from tests.bench.server import Server, create_database

PATHS: Final = ("/my", "/my", "/my/history/reserve", "/my/history/municipal/232343", "/my/move", "/my/partners")
CLIENTS: Final = 8
WARM_UP_PAGES: Final = 200
RATE_PER_S: Final = 80.0
OK: Final = 200


@dataclass(slots=True)
class Reader:
    """Citizens who open one page after the other."""

    client: ClientSession
    url: str
    sessions: list[str]
    numbers: "count[int]" = field(default_factory=count)
    took_ms: list[float] = field(default_factory=list)

    async def page(self, due_s: float | None = None) -> None:
        """The next page; its time counts from when it was due."""
        number = next(self.numbers)
        path = PATHS[number % len(PATHS)]
        who = number // len(PATHS) % len(self.sessions)
        headers = {"Cookie": f"mykey-session={self.sessions[who]}", "X-Forwarded-For": f"192.0.2.{who + 1}"}
        began_s = time.perf_counter() if due_s is None else due_s
        async with self.client.get(self.url + path, headers=headers) as answer:
            assert answer.status == OK, (path, answer.status)
            assert b"</html>" in await answer.read(), path
        self.took_ms.append((time.perf_counter() - began_s) * 1_000)

    async def until(self, end_s: float) -> None:
        """One client, as fast as it goes."""
        while time.perf_counter() < end_s:
            await self.page()


class Pages:
    """The measurement, in a database of its own."""

    def __init__(self, server: Server, measured_s: float) -> None:
        self._server = server
        self._measured_s = measured_s
        self._rounds = count()

    async def measure(self) -> Measured:
        """One round."""
        name = f"pages_{next(self._rounds)}"
        await create_database(self._server, name)
        url = self._server.url_of(name)
        await migrations.migrate(url, migrations.installed_sources())
        child = await Child.start("portal_process", Job(url, free_port()))
        try:
            ready = await child.ready()
            async with ClientSession(cookie_jar=DummyCookieJar()) as client:
                return await self._read(child, client, ready)
        finally:
            await child.end()

    async def _read(self, child: Child, client: ClientSession, ready: Any) -> Measured:  # noqa: ANN401 - what it said
        reader = Reader(client, ready["url"], ready["sessions"])
        await _at_fixed_times(reader, self._measured_s)
        calm_ms, reader.took_ms = reader.took_ms, []
        child.go()
        server_ms = (await child.ready())["took_ms"][WARM_UP_PAGES:]
        began_s = time.perf_counter()
        await asyncio.gather(*(reader.until(began_s + self._measured_s) for _ in range(CLIENTS)))
        took_s = time.perf_counter() - began_s
        child.go()
        cpu_s = (await child.result())["cpu_s"]
        pages = len(reader.took_ms)
        notes = {
            f"at {RATE_PER_S:g}/s: p50 ms": round(median(server_ms), 1),
            "p99": round(quantiles(server_ms, n=100)[98], 1),
            "client p50": round(median(calm_ms), 1),
            "client p99": round(quantiles(calm_ms, n=100)[98], 1),
            "at full load: pages/s": round(pages / took_s),
            "client p50 ms": round(median(reader.took_ms), 1),
        }
        return Measured(pages / cpu_s, notes)


async def _at_fixed_times(reader: Reader, measured_s: float) -> None:
    """An open loop: a page is due whether the one before has come or not."""
    for _ in range(WARM_UP_PAGES):
        await reader.page()
    reader.took_ms = []
    began_s = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for number in range(int(measured_s * RATE_PER_S)):
        due_s = began_s + number / RATE_PER_S
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        tasks.append(asyncio.create_task(reader.page(due_s)))
    await asyncio.gather(*tasks)
