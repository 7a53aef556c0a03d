"""P1: two processes host the ledger on one database, each saturated with the citizens of half of the partitions."""

import time
from collections import Counter
from typing import Final

from schemas.values import LANES
from tests.bench.books import Books
from tests.bench.children import Child, run_together
from tests.bench.figures import Measured
from tests.bench.poster import Job, Posted
from tests.bench.server import Server, connected, even_out

PROCESSES: Final = 2


class Posting:
    """P1."""

    def __init__(self, server: Server, citizens: int, warm_up_s: float, measured_s: float, connections: int) -> None:
        self._server = server
        self._citizens = citizens
        self._warm_up_s = warm_up_s
        self._measured_s = measured_s
        self._connections = connections

    async def measure(self) -> Measured:
        """One round, and whether the books add up after it."""
        connection = await connected(self._server.hub_url)
        try:
            before = await Books.read(connection)
            await even_out(connection)
            children = [await Child.start("poster", self._job(number)) for number in range(PROCESSES)]
            posted = [Posted(**one) for one in await run_together(children)]
            after = await Books.read(connection)
        finally:
            await connection.close()
        after.check(
            before,
            commands=sum(one.commands for one in posted),
            points=sum(one.credited - one.used for one in posted),
        )
        answered = sum(one.answered for one in posted)
        refusals = sum((Counter(one.refusals) for one in posted), Counter[str]())
        notes = {
            "refused": dict(refusals) or 0,
            "Python µs": round(sum(one.cpu_s for one in posted) / answered * 1e6, 1),
            "a block": round((after.outcomes - before.outcomes) / (after.blocks - before.blocks)),
        }
        return Measured(answered / self._measured_s, notes)

    def _job(self, number: int) -> Job:
        lanes = [lane for lane in range(LANES) if lane % PROCESSES == number]
        run = f"p1.{time.time_ns()}.{number}"
        return Job(
            self._server.hub_url, run, lanes, self._citizens, self._warm_up_s, self._measured_s, self._connections
        )
