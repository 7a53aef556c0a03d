"""P8: lots whose last day has passed are expired as fast as it goes, beside a live load that must not feel it."""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Final

from hub import logs, loop
from hub.clock import SystemClock, end_of_month
from hub.process import HubProcess
from schemas.points import DueKind, DueLots, DueLotsOf
from schemas.values import LANES
from tests.bench import open_loop, world
from tests.bench.books import adding_up
from tests.bench.children import Child, run_together, say, told
from tests.bench.figures import Measured
from tests.bench.open_loop import Ran, days_ahead, latencies_of
from tests.bench.server import Server
from tests.running import running
from workers.clockwork.days import BEGINNING
from workers.clockwork.work import PAGE_LIMIT_LOTS, PARTITIONS_AT_ONCE, _expiries

LIVE_RATE_PER_S: Final = 100
DEADLINE_S: Final = 60.0
DAY_AFTER: Final = 1
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Job:
    """Expire what is due `days_ahead` of today, for `measured_s`."""

    database_url: str
    days_ahead: int
    measured_s: float
    connections: int


@dataclass(slots=True)
class Expired:
    """Lots, commands and points expired, how long it took, and the processor time."""

    lots: int = 0
    commands: int = 0
    points: int = 0
    measured_s: float = 0.0
    cpu_s: float = 0.0


class Expiry:
    """The measurement."""

    def __init__(self, server: Server, citizens: int, measured_s: float, connections: int) -> None:
        self._server = server
        self._citizens = citizens
        self._measured_s = measured_s
        self._connections = connections

    async def measure(self) -> Measured:
        """One round, and whether the books add up after it."""
        today = SystemClock().business_date()  # as the lots were seeded: at a month's turn Japan is in the next one
        ahead = (end_of_month(world.scheme_lot_dates(today)[0]) - today).days + DAY_AFTER
        async with adding_up(self._server.hub_url) as books:
            url, lanes = self._server.hub_url, list(range(LANES))
            job = Job(url, ahead, self._measured_s, self._connections)
            live = open_loop.Job(
                url, f"p8.{time.time_ns()}", lanes, self._citizens, self._measured_s, LIVE_RATE_PER_S,
                self._connections, world.Scenario.world_to_any, ahead,
            )  # fmt: skip
            children = [await Child.start("p8_expiry", job), await Child.start("open_loop", live)]
            told_expired, told_live = await run_together(children)
            expired, ran = Expired(**told_expired), Ran(**told_live)
            books.commands = expired.commands + len(ran.latencies_ms)
            books.points = ran.credited - ran.used - expired.points
        python_us = round(expired.cpu_s / max(1, expired.lots) * 1e6, 1)
        notes = {"lots": f"{expired.lots:,}", "Python µs": python_us, **latencies_of([ran])}
        return Measured(expired.lots / expired.measured_s, notes)


class _Sweeper:
    """Expires the due lots of one partition after another, as the clockwork does: page by page."""

    def __init__(self, process: HubProcess, today: date) -> None:
        self.expired = Expired()
        self._bus = process.bus
        self._today = today
        self._slots = asyncio.Semaphore(PARTITIONS_AT_ONCE)

    async def run(self, seconds: float) -> None:
        """For so long, or until nothing is due any more."""
        began_s, cpu_s = time.perf_counter(), time.process_time()
        await asyncio.gather(*(self._partition(partition, began_s + seconds) for partition in range(LANES)))
        self.expired.measured_s = time.perf_counter() - began_s
        self.expired.cpu_s = time.process_time() - cpu_s

    async def _partition(self, partition: int, until_s: float) -> None:
        async with self._slots:
            page: DueLots | None = None
            while time.perf_counter() < until_s:
                due = DueLotsOf(
                    partition=partition, kind=DueKind.expire, first=BEGINNING, last=self._today - _ONE_DAY,
                    after=page.after if page else None, day=page.day if page else None, limit=PAGE_LIMIT_LOTS,
                )  # fmt: skip
                page = await self._bus.call(due, DEADLINE_S)
                commands = _expiries(self._today, page.lots)
                answers = await self._bus.call_many(commands, DEADLINE_S)
                self.expired.lots += len(page.lots)
                self.expired.commands += len(commands)
                self.expired.points += sum(answer.points for answer in answers)
                if page.after is None:
                    return


async def expire(job: Job) -> None:
    """Host the ledger, wait for the word, expire."""
    logs.configure("error")
    clock = days_ahead(job.days_ahead)
    sizes = {"ledger": job.connections}
    async with running(job.database_url, "ledger", clock=clock, pool_sizes=sizes) as process:
        sweeper = _Sweeper(process, clock.business_date())
        say("ready")
        await told()
        await sweeper.run(job.measured_s)
    say(asdict(sweeper.expired))


if __name__ == "__main__":
    loop.run(expire(Job(**json.loads(sys.argv[1]))))
