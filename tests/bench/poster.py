"""P1's process: hosts the ledger, and keeps it saturated from inside for a while.

Says it is ready when it is warm, waits for the word, says a `Posted`. The commands of the measured time are made
beforehand: whoever asks is not what is measured.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from typing import Final

from hub import logs, loop
from hub.clock import SystemClock
from hub.process import HubProcess
from schemas.points import PostingAnswer, PostingCommand, UsePoints
from tests.bench import world
from tests.bench.children import say, tally, told
from tests.running import running

CHUNK: Final = 500
IN_FLIGHT: Final = 8_000
DEADLINE_S: Final = 60.0
MADE_PER_S: Final = 15_000


@dataclass(frozen=True, slots=True)
class Job:
    """Load for the citizens of `lanes`: `warm_up_s` before the figure, `measured_s` for it.

    `made_per_s`: how many commands to make beforehand, for a second; what goes beyond is made under way.
    """

    database_url: str
    run: str
    lanes: list[int]
    citizens: int
    warm_up_s: float
    measured_s: float
    connections: int
    scenario: str = world.Scenario.spread
    made_per_s: int = MADE_PER_S
    partition_databases: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Posted:
    """Commands answered within the measured time and its CPU time; and everything posted, the warm-up included."""

    answered: int = 0
    measured_s: float = 0.0
    cpu_s: float = 0.0
    commands: int = 0
    credited: int = 0
    used: int = 0
    refusals: dict[str, int] = field(default_factory=dict)


class Load:
    """A closed loop with `IN_FLIGHT` commands under way."""

    def __init__(self, process: HubProcess, chunks: Iterator[list[PostingCommand]]) -> None:
        self.posted = Posted()
        self.chunks = chunks
        self._bus = process.bus

    async def run(self, seconds: float) -> int:
        """Post for so long; returns how many were answered in that time."""
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(self._work(until) for _ in range(IN_FLIGHT // CHUNK))))

    async def measure(self, seconds: float) -> None:
        """Post for so long, for the figure."""
        started_s, cpu_s = time.perf_counter(), time.process_time()
        self.posted.answered = await self.run(seconds)
        share = seconds / (time.perf_counter() - started_s)
        self.posted.measured_s = seconds
        self.posted.cpu_s = (time.process_time() - cpu_s) * share

    async def _work(self, until: float) -> int:
        in_time = 0
        while time.perf_counter() < until:
            chunk = next(self.chunks)
            answers = await self._bus.call_many(chunk, DEADLINE_S)
            self._count(chunk, answers)
            in_time += len(chunk) if time.perf_counter() <= until else 0
        return in_time

    def _count(self, chunk: list[PostingCommand], answers: list[PostingAnswer]) -> None:
        self.posted.commands += len(chunk)
        for command, answer in zip(chunk, answers, strict=True):
            if answer.code:
                tally(self.posted.refusals, answer.code)
            elif type(command) is UsePoints:
                self.posted.used += answer.points
            else:
                self.posted.credited += answer.points


async def post(job: Job) -> None:
    """Host the ledger, warm up, wait for the word, post."""
    logs.configure("error")
    sizes = {"ledger": job.connections}
    away = {"partition_databases": job.partition_databases, "pool_sizes": sizes}
    async with running(job.database_url, "ledger", clock=SystemClock(), **away) as process:
        load = Load(process, world.commands(job.run, job.lanes, job.citizens, CHUNK, world.Scenario(job.scenario)))
        await load.run(job.warm_up_s)
        made = list(islice(load.chunks, int(job.made_per_s * job.measured_s / CHUNK)))
        load.chunks = chain(made, load.chunks)
        gc.collect()
        gc.freeze()
        say("ready")
        await told()
        await load.measure(job.measured_s)
    say(asdict(load.posted))


if __name__ == "__main__":
    loop.run(post(Job(**json.loads(sys.argv[1]))))
