"""`mykey-hub spread`: brings partitions, with all that was posted there, to the databases that the settings name.

The hub's processes are stopped meanwhile. A partition is copied whole, and is still elsewhere where it arrives. It
leaves the hub's own database in one transaction, which takes its rows and says where it lives now. Only then does it
live there. Whoever is killed on the way leaves it in one place, or on its way, and the next run goes on.
"""

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from hub import logs, loop, printing
from hub.clock import SystemClock
from hub.copying import COPY_LIMIT_S, copy_rows
from hub.database import Connection, Database
from hub.errors import PermanentError
from hub.keys import Keys
from hub.sealing import PURPOSE
from hub.serving import database
from hub.settings import Settings, read_settings
from workers.ledger import moving_statements as statements
from workers.ledger import spread_statements
from workers.ledger.spread import NOT_KNOWN, check_different

CONNECTIONS: Final = 1


class HubAtWorkError(PermanentError):
    """Ledger processes are at work on this database: stop the hub first."""


class PlaceUnknownError(PermanentError):
    """The partition lives in a database that is neither the hub's own nor the one that the settings name for it."""


class PartitionTwiceError(PermanentError):
    """The partition has postings in both databases: is the one that the settings name another hub's?"""


class Head(NamedTuple):
    """The end of a partition's chain, and where it lives, if not here."""

    block: int
    hash: bytes
    next_account: int
    closed_to: date
    elsewhere: UUID | None


class Books(NamedTuple):
    """One of the databases, as its owner."""

    connection: Connection
    place: UUID


def main(arguments: Sequence[str]) -> int:
    """Bring partitions of the ledger to where MYKEY_PARTITION_DATABASES says that they live; the hub is stopped."""
    argparse.ArgumentParser(prog="mykey-hub spread", description=main.__doc__).parse_args(arguments)
    settings = read_settings()
    logs.configure("warning")
    loop.run(spread(settings))
    return 0


async def spread(settings: Settings) -> None:
    """Every partition that lives elsewhere than the settings say.

    Raises HubAtWorkError, SameDatabaseError, PlaceUnknownError, PartitionTwiceError.
    """
    console = printing.console()
    async with database(settings) as own_url, AsyncExitStack() as stack:
        home = await stack.enter_async_context(_books(settings, own_url))
        if await home.connection.fetchval(statements.AT_WORK):
            raise HubAtWorkError("the hub is at work")
        away = {
            url: await stack.enter_async_context(_books(settings, url))
            for url in dict.fromkeys(settings.partition_databases.values())
        }
        check_different(home.place, [one.place for one in away.values()])
        for partition, url in sorted(settings.databases_of_partitions().items()):
            rows = await Move(partition, home, away[url]).run()
            told = "lives there already" if rows is None else f"moved, {rows:,} rows"
            console.print(f"partition {partition}: {told}")


@asynccontextmanager
async def _books(settings: Settings, url: str) -> AsyncIterator[Books]:
    own = Database("ledger", url, CONNECTIONS, SystemClock(), Keys(settings.key()).sealer(PURPOSE))
    await own.open()
    try:
        async with own.connection() as connection:
            yield Books(connection, await connection.fetchval(spread_statements.PLACE))
    finally:
        await own.close()


class Move:
    """One partition's way out of the hub's own database."""

    def __init__(self, partition: int, home: Books, there: Books) -> None:
        self._partition = partition
        self._home = home
        self._there = there

    async def run(self) -> int | None:
        """Go the rest of it; how many rows went, None where nothing was left to do.

        Raises PlaceUnknownError, PartitionTwiceError.
        """
        here, there = await self._head(self._home), await self._head(self._there)
        rows = 0
        if here.elsewhere is None:
            if there.elsewhere is None and there.block:
                raise PartitionTwiceError(f"partition {self._partition}")
            rows = await self._arrive(here)
            await self._leave()
        elif here.elsewhere != self._there.place:
            raise PlaceUnknownError(f"partition {self._partition}")
        elif there.elsewhere is None:
            return None
        await self._live_there()
        return rows

    async def _head(self, books: Books) -> Head:
        row = await books.connection.fetchrow(statements.HEAD, self._partition)
        assert row is not None  # noqa: S101 - the migration made all partitions
        return Head(*row)

    async def _arrive(self, head: Head) -> int:
        """Copy everything, in the place of what an earlier run may have left."""
        there, partition, rows = self._there.connection, self._partition, 0
        async with there.transaction(), self._home.connection.transaction(isolation="repeatable_read"):
            await there.execute(statements.MOVING)
            await self._home.connection.execute(statements.MOVING)
            for moved in statements.MOVED:
                await there.execute(moved.leave, partition, timeout=COPY_LIMIT_S)
            await there.execute(statements.LEAVE_COUPONS, partition)
            for moved in reversed(statements.MOVED):
                rows += await self._copy(moved.read, moved.table, moved.columns)
            rows += await self._copy(statements.USED_COUPONS, "ledger.coupon", statements.COUPON_COLUMNS)
            for kept, keep in (
                (statements.CHECKPOINTS, statements.KEEP_CHECKPOINT),
                (statements.CLOSED_DAYS, statements.KEEP_DAY),
                (statements.CLOSED_MONTHS, statements.KEEP_MONTH),
            ):
                await there.executemany(keep, [tuple(row) for row in await self._home.connection.fetch(kept)])
            await there.execute(statements.ARRIVE, partition, *head._replace(elsewhere=NOT_KNOWN))
        return rows

    async def _copy(self, sql: str, table: str, columns: Sequence[str]) -> int:
        return await copy_rows(self._home.connection, sql, [self._partition], self._there.connection, table, columns)

    async def _leave(self) -> None:
        """From its commit on the partition is nowhere, until it lives there."""
        home, partition = self._home.connection, self._partition
        async with home.transaction():
            await home.execute(statements.MOVING)
            if not await home.fetch(spread_statements.ELSEWHERE):
                await home.execute(spread_statements.CLAIM_EARLIER, timeout=COPY_LIMIT_S)
            for moved in statements.MOVED:
                await home.execute(moved.leave, partition, timeout=COPY_LIMIT_S)
            await home.execute(statements.LEAVE, partition, self._there.place)
            await _sum_again(home)

    async def _live_there(self) -> None:
        there = self._there.connection
        async with there.transaction():
            await there.execute(statements.MOVING)
            await there.execute(statements.LIVE_HERE, self._partition)
            await there.execute(statements.SHUT)
            await _sum_again(there)


async def _sum_again(connection: Connection) -> None:
    for sql in statements.SUM_AGAIN:
        await connection.execute(sql, timeout=COPY_LIMIT_S)
