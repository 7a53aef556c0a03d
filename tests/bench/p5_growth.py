"""P5: what is left of P1 once many transfers lie behind it, and how long a history page and a summary take then."""

import random
import time
from collections.abc import Awaitable
from datetime import date, timedelta
from math import ceil
from statistics import median, quantiles
from typing import Final

from connectors.portal.citizen.history import PAGE
from hub.clock import SystemClock
from hub.process import HubProcess
from schemas.history import HistoryOf
from schemas.settlement import MunicipalSummaryOf, PartnerSummaryOf
from schemas.values import LANES
from tests.bench import world
from tests.bench.books import adding_up
from tests.bench.children import Child, run_together
from tests.bench.figures import Measure, Measured
from tests.bench.loader import Job, Loaded
from tests.bench.server import Server, connected
from tests.running import running

DAYS: Final = 90
"""The load is of so many days, the last of which is yesterday."""
LOADERS: Final = 2
PAGES: Final = 500
SUMMARIES: Final = 20
DEADLINE_S: Final = 60.0
TRANSFERS: Final = "SELECT coalesce(sum(transfers), 0)::bigint FROM ledger.block"


class Growth:
    """The measurement; the load goes through the ledger's own writer, in the first round only."""

    def __init__(self, server: Server, citizens: int, transfers: int, posting: Measure, connections: int) -> None:
        self._server = server
        self._citizens = citizens
        self._transfers = transfers
        self._posting = posting
        self._connections = connections
        self._load: dict[str, object] = {}

    async def measure(self) -> Measured:
        """P1 again, then what citizens and municipalities ask."""
        missing = self._transfers - await self._there()
        if missing > 0:
            await self._grow(missing)
            await self._posting()  # the load, and its VACUUM, have left nothing in memory that is about citizens
        there = await self._there()
        posted = await self._posting()
        async with running(self._server.hub_url, "ledger", clock=SystemClock()) as process:
            pages_ms = await self._pages(process, of_a_pool=False)
            own_pages_ms = await self._pages(process, of_a_pool=True)
            summaries_ms = await _summaries(process)
        notes = {
            **self._load,
            "transfers behind it": f"{there:,}",
            "history page p50 ms": round(median(pages_ms), 1),
            "p99": round(quantiles(pages_ms, n=100)[98], 1),
            "My Page's p50 ms": round(median(own_pages_ms), 1),
            "its p99": round(quantiles(own_pages_ms, n=100)[98], 1),
            "month's summary p50 ms": round(median(summaries_ms), 1),
            "most": round(max(summaries_ms), 1),
        }
        return Measured(posted.value, {**posted.notes, **notes})

    async def _grow(self, missing: int) -> None:
        """Post so much, spread over the days, and tell how fast it went."""
        began_s, cpu_s, refused = time.perf_counter(), 0.0, 0
        async with adding_up(self._server.hub_url) as books:
            for days_ago in range(DAYS, 0, -1):
                jobs = [self._job(number, days_ago, missing) for number in range(LOADERS)]
                children = [await Child.start("loader", job) for job in jobs]
                for loaded in [Loaded(**one) for one in await run_together(children)]:
                    books.commands += loaded.commands
                    books.points += loaded.points
                    refused += loaded.refused
                    cpu_s += loaded.cpu_s
        took_s = time.perf_counter() - began_s
        self._load = {
            "load, commands/s": round(books.commands / took_s),
            "its Python µs": round(cpu_s / books.commands * 1e6, 1),
            "its refusals": refused,
        }
        connection = await connected(self._server.hub_url)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()

    def _job(self, number: int, days_ago: int, missing: int) -> Job:
        return Job(
            self._server.hub_url, f"p5.{time.time_ns()}.{number}", list(range(number, LANES, LOADERS)), self._citizens,
            days_ago, ceil(missing / DAYS / LANES), self._connections,
        )  # fmt: skip

    async def _there(self) -> int:
        connection = await connected(self._server.hub_url)
        try:
            there: int = await connection.fetchval(TRANSFERS)
        finally:
            await connection.close()
        return there

    async def _pages(self, process: HubProcess, *, of_a_pool: bool) -> list[float]:
        """Of citizens whom nobody has asked for lately: fifty of all postings, or what My Page asks for."""
        chance = random.Random(f"{self._citizens} {of_a_pool}")
        took: list[float] = []
        for who in (chance.randrange(self._citizens) for _ in range(PAGES)):
            asked = HistoryOf(citizen_id=world.citizen(who))
            if of_a_pool:
                asked = asked.model_copy(update={"pool": world.POOLS[who % world.MUNICIPALITIES], "limit": PAGE})
            took.append(await _timed(process.bus.call(asked, DEADLINE_S)))
        return took


async def _summaries(process: HubProcess) -> list[float]:
    last = date.today()  # noqa: DTZ011 - the load is of today, the days around it do no harm
    first = last - timedelta(days=30)
    took: list[float] = []
    for number in range(SUMMARIES):
        partner = PartnerSummaryOf(party_id=world.partner(number % world.PARTNERS), first=first, last=last)
        place = MunicipalSummaryOf(lg_code=world.LG_CODES[number], first=first, last=last)
        took.append(await _timed(process.bus.call(partner, DEADLINE_S)))
        took.append(await _timed(process.bus.call(place, DEADLINE_S)))
    return took


async def _timed(asked: Awaitable[object]) -> float:
    """Milliseconds until it is answered; a coroutine begins when it is awaited."""
    began_s = time.perf_counter()
    await asked
    return (time.perf_counter() - began_s) * 1_000
