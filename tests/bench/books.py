"""Whether the books add up: every point held came from somewhere, and what was answered was posted."""

from collections.abc import AsyncIterator, Sequence
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
    (SELECT sum(transfers)::bigint FROM ledger.rollup) AS rolled_up,
    (SELECT sum(transfers)::bigint FROM ledger.block) AS sealed,
    (SELECT array_agg(block ORDER BY partition) FROM ledger.head) AS heads
"""
BY_INDEX: Final = "SET LOCAL enable_seqscan = off"
WRITTEN: Final = """
SELECT sum(o.count)::bigint AS outcomes, sum(t.count)::bigint AS transfers
FROM unnest($1::bigint[]) WITH ORDINALITY AS head (block, number)
CROSS JOIN LATERAL (
    SELECT count(*) FROM ledger.outcome WHERE partition = head.number - 1 AND block > head.block
) AS o
CROSS JOIN LATERAL (
    SELECT count(*) FROM ledger.transfer WHERE partition = head.number - 1 AND block > head.block
) AS t
"""
"""Only what is new is read: who reads all of a large ledger leaves the next measurement with cold caches."""


class BooksError(Exception):
    """The totals are not what was posted: the figure is worthless, and something is wrong."""


@dataclass(frozen=True, slots=True)
class Books:
    """The totals; of outcomes and transfers those that were written since the books before."""

    held: int
    against: int
    rolled_up: int
    sealed: int
    heads: Sequence[int]
    outcomes: int = 0
    transfers: int = 0

    @classmethod
    async def read(cls, connection: Connection, since: "Books | None" = None) -> Self:
        """As they are now."""
        row = await connection.fetchrow(READ)
        assert row is not None
        if since is None:
            return cls(**dict(row))
        async with connection.transaction():
            await connection.execute(BY_INDEX)
            written = await connection.fetchrow(WRITTEN, since.heads)
        assert written is not None
        return cls(**dict(row), **dict(written))

    def a_block(self, before: "Books") -> int:
        """Outcomes in a block, on the average."""
        return round(self.outcomes / (sum(self.heads) - sum(before.heads)))

    def check(self, before: "Books", *, commands: int, points: int) -> None:
        """Since `before`, so many commands were answered and so many points came in. Raises BooksError."""
        faults = {
            "lots and contra accounts add up to zero": self.held + self.against,
            "points held against points posted": self.held - before.held - points,
            "outcomes against answers": self.outcomes - commands,
            "rollups against blocks": self.rolled_up - self.sealed,
            "blocks against transfers": self.sealed - before.sealed - self.transfers,
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
        return self.after.a_block(self.before)


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
        measured.after = await Books.read(connection, before)
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
