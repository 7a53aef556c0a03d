"""P5: what is left of P1 once many transfers lie behind it, and how long a history page and a summary take then."""

import random
import time
from collections.abc import Awaitable
from datetime import date, timedelta
from statistics import median, quantiles
from typing import Final

from hub.clock import SystemClock
from hub.process import HubProcess
from schemas.history import HistoryOf
from schemas.settlement import MunicipalSummaryOf, PartnerSummaryOf
from tests.bench import world
from tests.bench.figures import Measure, Measured
from tests.bench.p1_posting import Posting
from tests.bench.server import Server, connected
from tests.running import running

LOADING_S: Final = 60.0
"""The load comes in rounds of this length, each of which adds up."""
PAGES: Final = 500
SUMMARIES: Final = 20
DEADLINE_S: Final = 60.0
TRANSFERS: Final = "SELECT count(*) FROM ledger.transfer"


class Growth:
    """The measurement; the load goes through the ledger's own writer, as P1's does, in the first round only."""

    def __init__(self, server: Server, citizens: int, transfers: int, posting: Measure, connections: int) -> None:
        self._server = server
        self._citizens = citizens
        self._transfers = transfers
        self._posting = posting
        self._loading = Posting(server, citizens, 0.0, LOADING_S, connections, made_per_s=0)

    async def measure(self) -> Measured:
        """P1 again, then what citizens and municipalities ask."""
        there = await self._there()
        while there < self._transfers:
            await self._loading.measure()
            there = await self._there()
        posted = await self._posting()
        async with running(self._server.hub_url, "ledger", clock=SystemClock()) as process:
            pages_ms = await self._pages(process)
            summaries_ms = await _summaries(process)
        notes = {
            "transfers behind it": f"{there:,}",
            "history page p50 ms": round(median(pages_ms), 1),
            "p99": round(quantiles(pages_ms, n=100)[98], 1),
            "month's summary p50 ms": round(median(summaries_ms), 1),
            "most": round(max(summaries_ms), 1),
        }
        return Measured(posted.value, {**posted.notes, **notes})

    async def _there(self) -> int:
        connection = await connected(self._server.hub_url)
        try:
            there: int = await connection.fetchval(TRANSFERS)
        finally:
            await connection.close()
        return there

    async def _pages(self, process: HubProcess) -> list[float]:
        chance = random.Random(self._citizens)
        asked = [HistoryOf(citizen_id=world.citizen(chance.randrange(self._citizens))) for _ in range(PAGES)]
        return [await _timed(process.bus.call(one, DEADLINE_S)) for one in asked]


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
