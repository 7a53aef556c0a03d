"""P5's process: posts what months would bring, by the ledger's own writer and nothing around it.

No calls, and no events: those of months ago have long been dropped from the message store. All else is as ever: the
rows, the chain, the rollups, each on its own business date.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from hub import logs, loop
from hub.clock import AdjustableClock, business_date_of, start_of_day
from hub.process import HubProcess
from schemas.points import CreditPoints, PostingAnswer, PostingCommand
from schemas.values import lane_of
from tests.bench import world
from tests.bench.children import say, told
from tests.running import running

BATCH: Final = 2_000
AT_ONCE: Final = 2
"""Partitions that are written side by side: while one is in PostgreSQL, the other is in Python."""
NOON: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Job:
    """`each` commands for the citizens of each of `lanes`, on the day `days_ago`."""

    database_url: str
    run: str
    lanes: list[int]
    citizens: int
    days_ago: int
    each: int
    connections: int


@dataclass(slots=True)
class Loaded:
    """What was posted: `points` came in less those used."""

    commands: int = 0
    refused: int = 0
    points: int = 0
    cpu_s: float = 0.0


class Loader:
    """Loads one day."""

    def __init__(self, process: HubProcess, job: Job) -> None:
        self.loaded = Loaded()
        (ledger,) = process.components
        self._post = ledger.handlers[CreditPoints]
        self._database = process.database_of(ledger.name)
        self._job = job
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._citizens: dict[int, list[tuple[int, UUID]]] = {lane: [] for lane in job.lanes}
        for who in range(job.citizens):
            citizen_id = world.citizen(who)
            if (lane := lane_of(citizen_id)) in self._citizens:
                self._citizens[lane].append((who, citizen_id))

    async def load(self) -> None:
        """All commands."""
        cpu_s = time.process_time()
        await asyncio.gather(*map(self._lane, self._job.lanes))
        self.loaded.cpu_s = time.process_time() - cpu_s

    async def _lane(self, lane: int) -> None:
        commands = self._commands(lane)
        async with self._slots:
            while batch := list(islice(commands, BATCH)):
                async with self._database.transaction() as tx:
                    answers = await self._post(batch, tx)
                    tx.said.clear()
                self._count(batch, answers or ())

    def _commands(self, lane: int) -> Iterator[PostingCommand]:
        run = f"{self._job.run}.{lane}"
        chance = random.Random(run)
        for number in range(self._job.each):
            who, citizen_id = chance.choice(self._citizens[lane])
            yield world.command(f"{run}-{number}", citizen_id, who, chance, world.Scenario.no_reserve)

    def _count(self, commands: Sequence[PostingCommand], answers: Sequence[BaseModel | None]) -> None:
        self.loaded.commands += len(commands)
        for command, answer in zip(commands, answers, strict=True):
            assert isinstance(answer, PostingAnswer)
            self.loaded.refused += answer.code is not None
            self.loaded.points += answer.points if type(command) is CreditPoints else -answer.points


async def load(job: Job) -> None:
    """Wait for the word, load."""
    logs.configure("error")
    day = business_date_of(datetime.now(UTC)) - timedelta(days=job.days_ago)
    clock = AdjustableClock(start_of_day(day) + NOON)
    sizes = {"ledger": job.connections}
    async with running(job.database_url, "ledger", clock=clock, pool_sizes=sizes) as process:
        loader = Loader(process, job)
        say("ready")
        await told()
        await loader.load()
    say(asdict(loader.loaded))


if __name__ == "__main__":
    loop.run(load(Job(**json.loads(sys.argv[1]))))
