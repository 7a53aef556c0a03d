"""`mykey-hub spread`: brings partitions, with all that was posted there, to the databases that the settings name.

The hub's processes are stopped meanwhile. A partition is copied whole, and is still elsewhere where it arrives. Then
the hub's own database says in one transaction where it lives, and gives up what it had of it. Only then does it live
there, and what another database had of it goes. Whoever is killed on the way leaves it in one place, or on its way, and
the next run goes on.
"""

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from typing import Final, Literal, NamedTuple
from uuid import UUID

from hub import logs, loop, printing
from hub.branches import Settling
from hub.clock import SystemClock
from hub.copying import COPY_LIMIT_S, copy_rows
from hub.database import Connection, Database
from hub.errors import PermanentError
from hub.keys import Keys
from hub.roles import owner_url
from hub.sealing import PURPOSE
from hub.serving import database
from hub.settings import Settings, read_settings
from schemas.values import LANES
from workers.ledger import moving_statements as statements
from workers.ledger import spread_statements
from workers.ledger.spread import NOT_KNOWN, check_different

CONNECTIONS: Final = 2
"""The mover's own, and one to settle what was begun."""


class HubAtWorkError(PermanentError):
    """Ledger processes are at work on this database: stop the hub first."""


class PlaceUnknownError(PermanentError):
    """The partition lives in a database that the settings do not name: name it by --from."""


class PartitionTwiceError(PermanentError):
    """The partition has postings in both databases: is the one that the settings name another hub's?"""


class Head(NamedTuple):
    """The end of a partition's chain, and where it lives, if not here."""

    block: int
    hash: bytes
    next_account: int
    closed_to: date
    volume: int
    volume_outcomes: int
    elsewhere: UUID | None


class Books(NamedTuple):
    """One of the databases, as its owner."""

    database: Database
    connection: Connection
    place: UUID


def main(arguments: Sequence[str]) -> int:
    """Bring partitions of the ledger to where MYKEY_PARTITION_DATABASES says that they live; the hub is stopped."""
    parser = argparse.ArgumentParser(prog="mykey-hub spread", description=main.__doc__)
    parser.add_argument(
        "--from", dest="former", action="append", default=[], metavar="URL", help="a database that is named no more"
    )
    told = parser.parse_args(arguments)
    settings = read_settings()
    logs.configure("warning")
    loop.run(spread(settings, told.former))
    return 0


async def spread(settings: Settings, former: Sequence[str] = ()) -> None:
    """Every partition that lives elsewhere than the settings say; it may live in one of the `former` databases.

    Raises HubAtWorkError, SameDatabaseError, PlaceUnknownError, PartitionTwiceError.
    """
    console = printing.console()
    async with database(settings) as own_url, AsyncExitStack() as stack:
        home = await stack.enter_async_context(_books(settings, own_url))
        if await home.connection.fetchval(statements.AT_WORK):
            raise HubAtWorkError("the hub is at work")
        others = {
            url: await stack.enter_async_context(_books(settings, owner_url(url, own_url)))
            for url in dict.fromkeys([*settings.partition_databases.values(), *former])
        }
        check_different(home.place, [one.place for one in others.values()])
        home.database.away = dict(enumerate(one.database for one in others.values()))
        await Settling(home.database).settle()  # of a process that was killed, with nobody at work since
        named = {partition: others[url] for partition, url in settings.databases_of_partitions().items()}
        for partition in range(LANES):
            rows = await _bring(partition, home, list(others.values()), named.get(partition, home))
            if rows is not None or partition in named:
                told = "lives there already" if rows is None else f"moved, {rows:,} rows"
                console.print(f"partition {partition}: {told}")


async def _bring(partition: int, home: Books, others: Sequence[Books], target: Books) -> int | None:
    """How many rows went, None where nothing was left to do."""
    place = (await head_of(home, partition)).elsewhere
    source = home if place is None else next((one for one in others if one.place == place), None)
    if source is None:
        raise PlaceUnknownError(f"partition {partition}")
    rows = await Move(partition, home, source, target).run()
    for other in others:
        left = await head_of(other, partition)
        if other is not target and left.elsewhere is None and left.block:
            await check_older(left, target, partition)
            await empty(other, partition)
    return rows


@asynccontextmanager
async def _books(settings: Settings, url: str) -> AsyncIterator[Books]:
    own = Database("ledger", url, CONNECTIONS, SystemClock(), Keys(settings.key()).sealer(PURPOSE))
    await own.open()
    try:
        async with own.connection() as connection:
            yield Books(own, connection, await connection.fetchval(spread_statements.PLACE))
    finally:
        await own.close()


class Move:
    """One partition's way from where it lives to where it is to live, two of the hub's databases."""

    def __init__(self, partition: int, home: Books, source: Books, target: Books) -> None:
        self._partition = partition
        self._home = home
        self._source = source
        self._target = target

    async def run(self) -> int | None:
        """Go the rest of it; how many rows went, None where nothing was left to do. Raises PartitionTwiceError."""
        there = await head_of(self._target, self._partition)
        if self._source is self._target:
            if there.elsewhere is None:
                return None
            await self._live_there()
            return 0
        if there.elsewhere is None:
            await check_older(there, self._source, self._partition)
        rows = await self._arrive()
        if self._target is not self._home:
            await self._say_where()
            await self._live_there()
        return rows

    async def _arrive(self) -> int:
        """Copy everything, in the place of what an earlier run may have left."""
        source, there, partition, rows = self._source.connection, self._target.connection, self._partition, 0
        async with _moving(there), _moving(source, isolation="repeatable_read"):
            await _remove(self._target, partition)
            for moved in reversed(statements.MOVED):
                rows += await self._copy(moved.read, moved.table, moved.columns)
            if self._target is not self._home:  # which has all coupons
                await there.execute(statements.LEAVE_COUPONS, partition)
                rows += await self._copy(statements.USED_COUPONS, "ledger.coupon", statements.COUPON_COLUMNS)
            for kept, keep in (
                (statements.CHECKPOINTS, statements.KEEP_CHECKPOINT),
                (statements.CLOSED_DAYS, statements.KEEP_DAY),
                (statements.CLOSED_MONTHS, statements.KEEP_MONTH),
            ):
                await there.executemany(keep, [tuple(row) for row in await source.fetch(kept)])
            head = await head_of(self._source, partition)
            await there.execute(statements.ARRIVE, partition, *head._replace(elsewhere=NOT_KNOWN))
            if self._target is self._home:
                await self._live_there()
        return rows

    async def _copy(self, sql: str, table: str, columns: Sequence[str]) -> int:
        source, target = self._source.connection, self._target.connection
        return await copy_rows(source, sql, [self._partition], target, table, columns)

    async def _say_where(self) -> None:
        """In the hub's own database. From this commit on the partition is nowhere, until it lives there."""
        home, partition = self._home.connection, self._partition
        async with _moving(home):
            if not await home.fetch(spread_statements.ELSEWHERE):
                await home.execute(spread_statements.CLAIM_EARLIER, timeout=COPY_LIMIT_S)
            if self._source is self._home:
                await _remove(self._home, partition)
                await _sum_again(home)
            await home.execute(statements.LEAVE, partition, self._target.place)

    async def _live_there(self) -> None:
        there = self._target.connection
        async with _moving(there):
            await there.execute(statements.LIVE_HERE, self._partition)
            await there.execute(statements.SHUT)
            await _sum_again(there)
            if self._target is self._home and not await there.fetch(spread_statements.ELSEWHERE):
                await there.execute(statements.CLAIM_NOTHING)


async def head_of(books: Books, partition: int) -> Head:
    """The end of a partition's chain in one of the databases."""
    row = await books.connection.fetchrow(statements.HEAD, partition)
    assert row is not None  # noqa: S101 - the migration made all partitions
    return Head(*row)


async def check_older(copy: Head, source: Books, partition: int) -> None:
    """It has nothing that the source has not. Raises PartitionTwiceError."""
    if copy.block and not await source.connection.fetchval(statements.HAS_BLOCK, partition, copy.block, copy.hash):
        raise PartitionTwiceError(f"partition {partition}")


async def empty(books: Books, partition: int) -> None:
    """Take a partition that lives elsewhere out of a database that is not the hub's own."""
    async with _moving(books.connection):
        await _remove(books, partition)
        await books.connection.execute(statements.LEAVE_COUPONS, partition)
        await books.connection.execute(statements.LEAVE, partition, NOT_KNOWN)
        await _sum_again(books.connection)


@asynccontextmanager
async def _moving(connection: Connection, isolation: Literal["repeatable_read"] | None = None) -> AsyncIterator[None]:
    """A transaction in which the journal may be emptied, and whole tables may be read."""
    async with connection.transaction(isolation=isolation):
        await connection.execute(statements.MOVING)
        yield


async def _remove(books: Books, partition: int) -> None:
    for moved in statements.MOVED:
        await books.connection.execute(moved.leave, partition, timeout=COPY_LIMIT_S)


async def _sum_again(connection: Connection) -> None:
    for sql in statements.SUM_AGAIN:
        await connection.execute(sql, timeout=COPY_LIMIT_S)
