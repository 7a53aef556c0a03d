"""Whether the books add up: every point held came from somewhere, and what was answered was posted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

from hub.clock import SystemClock
from schemas.audit import VerifyLedger
from schemas.values import LANES
from tests.bench.server import Connection, connected, even_out
from tests.running import running

VERIFY_LIMIT_S: Final = 3_600.0

READ: Final = """
SELECT (SELECT coalesce(sum(balance), 0)::bigint FROM ledger.lot) AS held,
    (SELECT coalesce(sum(balance), 0)::bigint FROM ledger.contra) AS against,
    (SELECT count(*) FROM ledger.outcome) AS outcomes,
    (SELECT count(*) FROM ledger.transfer) AS transfers,
    (SELECT sum(transfers)::bigint FROM ledger.rollup) AS rolled_up,
    (SELECT sum(block)::bigint FROM ledger.head) AS blocks
"""


class BooksError(Exception):
    """The totals are not what was posted: the figure is worthless, and something is wrong."""


@dataclass(frozen=True, slots=True)
class Books:
    """The totals."""

    held: int
    against: int
    outcomes: int
    transfers: int
    rolled_up: int
    blocks: int

    @classmethod
    async def read(cls, connection: Connection) -> Self:
        """As they are now."""
        row = await connection.fetchrow(READ)
        assert row is not None
        return cls(**dict(row))

    def check(self, before: "Books", *, commands: int, points: int) -> None:
        """Since `before`, so many commands were answered and so many points came in. Raises BooksError."""
        faults = {
            "lots and contra accounts add up to zero": self.held + self.against,
            "points held against points posted": self.held - before.held - points,
            "outcomes against answers": self.outcomes - before.outcomes - commands,
            "rollups against transfers": self.rolled_up - self.transfers,
        }
        wrong = {name: by for name, by in faults.items() if by}
        if wrong:
            raise BooksError("; ".join(f"{name}: off by {by}" for name, by in wrong.items()))


@dataclass(slots=True)
class Round:
    """A measurement: what it says was posted, between the books before and after it."""

    before: Books
    after: Books
    commands: int = 0
    points: int = 0

    @property
    def a_block(self) -> int:
        """Outcomes in a block, on the average."""
        return round((self.after.outcomes - self.before.outcomes) / (self.after.blocks - self.before.blocks))


@asynccontextmanager
async def adding_up(database_url: str) -> AsyncIterator[Round]:
    """Around a measurement, which tells what it posted: nothing is left to be written before it.

    Raises BooksError where the books say something else after it.
    """
    connection = await connected(database_url)
    try:
        before = await Books.read(connection)
        await even_out(connection)
        measured = Round(before, before)
        yield measured
        measured.after = await Books.read(connection)
    finally:
        await connection.close()
    measured.after.check(before, commands=measured.commands, points=measured.points)


async def prove(database_url: str, **settings: object) -> int:
    """What `mykey-hub verify` does: re-add everything, follow the chain. Returns the transfers. Raises BooksError."""
    async with running(database_url, "ledger", clock=SystemClock(), **settings) as process:
        reports = [
            await process.bus.call(VerifyLedger(partition=partition), VERIFY_LIMIT_S) for partition in range(LANES)
        ]
    faults = [f"{r.fault.table} {r.fault.key}: {r.fault.what}" for r in reports if r.fault is not None]
    if faults:
        raise BooksError("; ".join(faults))
    return sum(report.transfers for report in reports)
