"""The zipf scenario: commands come at a fixed rate, whether the ones before are answered or not.

A latency counts from the moment at which the command was due, so that a stall is felt by all that should have come
meanwhile (coordinated omission corrected).
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Final

from hub import logs, loop
from hub.clock import AdjustableClock, Clock, SystemClock
from hub.errors import HubError
from hub.process import HubProcess
from schemas.points import PostingCommand, UsePoints
from schemas.values import LANES
from tests.bench import world
from tests.bench.books import adding_up
from tests.bench.children import Child, run_together, say, tally, told
from tests.bench.figures import Measured
from tests.bench.server import Server
from tests.running import running

PROCESSES: Final = 2
RATE_PER_S: Final = 2_000
"""Of all processes together."""
TICK_S: Final = 0.002
DEADLINE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """Commands for the citizens of `lanes`, `rate_per_s` of them for `measured_s`, `days_ahead` of today."""

    database_url: str
    run: str
    lanes: list[int]
    citizens: int
    measured_s: float
    rate_per_s: float
    connections: int
    scenario: str = world.Scenario.zipf
    days_ahead: int = 0


@dataclass(slots=True)
class Ran:
    """What came of it; `drained_s` is when the last answer came."""

    latencies_ms: list[float] = field(default_factory=list)
    drained_s: float = 0.0
    credited: int = 0
    used: int = 0
    refusals: dict[str, int] = field(default_factory=dict)


def days_ahead(days: int) -> Clock:
    """The machine's clock, or one that many days ahead, which stands still."""
    return AdjustableClock(datetime.now(UTC) + timedelta(days=days)) if days else SystemClock()


def latencies_of(ran: Sequence[Ran]) -> dict[str, object]:
    """What a reader should know of them."""
    percentiles = quantiles([one for each in ran for one in each.latencies_ms], n=1_000)
    refusals = sum((Counter(one.refusals) for one in ran), Counter[str]())
    return {
        "refused": dict(refusals) or 0,
        "p50 ms": round(percentiles[499], 1),
        "p99": round(percentiles[989], 1),
        "p99.9": round(percentiles[998], 1),
    }


class OpenLoop:
    """Starts each command when it is due."""

    def __init__(self, process: HubProcess, commands: list[PostingCommand], rate_per_s: float) -> None:
        self.ran = Ran()
        self._bus = process.bus
        self._commands = commands
        self._rate_per_s = rate_per_s

    async def run(self) -> None:
        """Until all are answered."""
        began_s, asked = time.perf_counter(), 0
        tasks: list[asyncio.Task[None]] = []
        while asked < len(self._commands):
            due = min(len(self._commands), int((time.perf_counter() - began_s) * self._rate_per_s))
            for number in range(asked, due):
                due_s = began_s + number / self._rate_per_s
                tasks.append(asyncio.create_task(self._ask(self._commands[number], due_s)))
            asked = due
            await asyncio.sleep(TICK_S)
        await asyncio.gather(*tasks)
        self.ran.drained_s = time.perf_counter() - began_s

    async def _ask(self, command: PostingCommand, due_s: float) -> None:
        try:
            answer = await self._bus.call(command, DEADLINE_S)
        except HubError as error:
            tally(self.ran.refusals, type(error).__name__)
            return
        self.ran.latencies_ms.append((time.perf_counter() - due_s) * 1_000)
        if answer.code:
            tally(self.ran.refusals, answer.code)
        elif type(command) is UsePoints:
            self.ran.used += answer.points
        else:
            self.ran.credited += answer.points


class Zipf:
    """The measurement."""

    def __init__(self, server: Server, citizens: int, measured_s: float, connections: int) -> None:
        self._server = server
        self._citizens = citizens
        self._measured_s = measured_s
        self._connections = connections

    async def measure(self) -> Measured:
        """One round, and whether the books add up after it."""
        async with adding_up(self._server.hub_url) as books:
            jobs = [self._job(number) for number in range(PROCESSES)]
            ran = [Ran(**one) for one in await run_together([await Child.start("open_loop", job) for job in jobs])]
            books.commands = answered = sum(len(one.latencies_ms) for one in ran)
            books.points = sum(one.credited - one.used for one in ran)
        notes = {**latencies_of(ran), "drained/s": round(answered / max(one.drained_s for one in ran))}
        return Measured(answered / self._measured_s, notes)

    def _job(self, number: int) -> Job:
        lanes = [lane for lane in range(LANES) if lane % PROCESSES == number]
        run = f"zipf.{time.time_ns()}.{number}"
        rate_per_s = RATE_PER_S / PROCESSES
        return Job(self._server.hub_url, run, lanes, self._citizens, self._measured_s, rate_per_s, self._connections)


async def post(job: Job) -> None:
    """Host the ledger, wait for the word, post."""
    logs.configure("error")
    sizes = {"ledger": job.connections}
    async with running(job.database_url, "ledger", clock=days_ahead(job.days_ahead), pool_sizes=sizes) as process:
        count = int(job.rate_per_s * job.measured_s)
        made = next(world.commands(job.run, job.lanes, job.citizens, count, world.Scenario(job.scenario)))
        load = OpenLoop(process, made, job.rate_per_s)
        say("ready")
        await told()
        await load.run()
    say(asdict(load.ran))


if __name__ == "__main__":
    loop.run(post(Job(**json.loads(sys.argv[1]))))
