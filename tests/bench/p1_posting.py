"""P1, P4 and the named scenarios: two processes host the ledger on one database, each saturated.

Each has commands for the citizens of half of the partitions.
"""

import time
from collections import Counter
from typing import Final

from schemas.values import LANES
from tests.bench.books import adding_up
from tests.bench.children import Child, run_together
from tests.bench.figures import Measured
from tests.bench.poster import MADE_PER_S, Job, Posted
from tests.bench.server import Server
from tests.bench.world import Scenario

PROCESSES: Final = 2


class Posting:
    """One scenario."""

    def __init__(
        self,
        server: Server,
        citizens: int,
        warm_up_s: float,
        measured_s: float,
        connections: int,
        scenario: Scenario = Scenario.spread,
        made_per_s: int = MADE_PER_S,
    ) -> None:
        self._server = server
        self._made_per_s = made_per_s
        self._scenario = scenario
        self._citizens = citizens
        self._warm_up_s = warm_up_s
        self._measured_s = measured_s
        self._connections = connections

    async def measure(self) -> Measured:
        """One round, and whether the books add up after it."""
        async with adding_up(self._server.hub_url) as books:
            children = [await Child.start("poster", self._job(number)) for number in range(PROCESSES)]
            posted = [Posted(**one) for one in await run_together(children)]
            books.commands = sum(one.commands for one in posted)
            books.points = sum(one.credited - one.used for one in posted)
        answered = sum(one.answered for one in posted)
        refusals = sum((Counter(one.refusals) for one in posted), Counter[str]())
        notes = {
            "refused": dict(refusals) or 0,
            "Python µs": round(sum(one.cpu_s for one in posted) / answered * 1e6, 1),
            "a block": books.a_block,
        }
        return Measured(answered / self._measured_s, notes)

    def _job(self, number: int) -> Job:
        lanes = [lane for lane in range(LANES) if lane % PROCESSES == number]
        run = f"p1.{time.time_ns()}.{number}"
        return Job(
            self._server.hub_url, run, lanes, self._citizens, self._warm_up_s, self._measured_s, self._connections,
            self._scenario, self._made_per_s,
        )  # fmt: skip
