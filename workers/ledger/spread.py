"""Partitions in several databases: where each lives, and questions that are about all of them.

A citizen's points, holds and history live in their partition's database, with its chain, its rollups and its closed
days. The hub's own database keeps the messages, the coupons, and what must be unique over all partitions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel

from hub.component import Answerer, Handler
from hub.database import Database, Row
from hub.errors import PermanentError
from hub.transaction import Reading, Transaction, Writing
from schemas.values import lane_of
from workers.ledger import spread_statements, statements
from workers.ledger.store import PartitionElsewhereError

Answer = TypeVar("Answer", bound=BaseModel)


NOT_KNOWN: Final = UUID(int=0)


class SameDatabaseError(PermanentError):
    """MYKEY_PARTITION_DATABASES names one database twice, or the hub's own, or a copy of one: make an empty one."""


class PartitionBegunError(PermanentError):
    """A partition has postings where it is not to live: stop the hub, and let `mykey-hub spread` move it."""


class PartitionOnItsWayError(PermanentError):
    """A database has a copy of a partition that does not live there yet: let `mykey-hub spread` go on with it."""


class Spread:
    """The ledger's databases: the hub's own, and those that the settings give some partitions."""

    def __init__(self, home: Database) -> None:
        self._home = home
        self._ready: set[Database] = set()
        self._one_at_a_time = asyncio.Lock()

    @property
    def databases(self) -> Sequence[Database]:
        """Each once, the hub's own first."""
        return [self._home, *self._home.others]

    @property
    def is_wide(self) -> bool:
        """Whether there are several."""
        return bool(self._home.away)

    def of(self, partition: int) -> Database:
        """Where this partition lives."""
        return self._home.away.get(partition, self._home)

    async def at(self, tx: Transaction, partition: int) -> Writing:
        """The transaction, in this partition's database. Raises PartitionElsewhereError, PartitionBegunError."""
        database = self.of(partition)
        await self._be_ready(tx, database)
        return await tx.at(database)

    async def everywhere(self, tx: Transaction) -> list[Writing]:
        """The transaction, in each of the databases, the hub's own first."""
        await self._be_ready(tx, *self.databases)
        return [await tx.at(database) for database in self.databases]

    def in_each(self, handler: Callable[[Sequence[Any], Writing], Awaitable[None]]) -> Handler:
        """What all partitions have to know is kept in each of the databases."""

        async def handled(messages: Sequence[Any], tx: Transaction) -> None:
            for here in await self.everywhere(tx):
                await handler(messages, here)

        return handled

    # questions

    def of_citizen(self, answer: Answerer) -> Answerer:
        """What is asked about a citizen is answered where they live."""
        return self._there(answer, lambda query: lane_of(query.citizen_id))

    def of_partition(self, answer: Answerer) -> Answerer:
        """What is asked about a partition is answered where it lives."""
        return self._there(answer, lambda query: int(query.partition))

    def of_all(
        self,
        answer: Callable[[Any, Reading], Awaitable[Answer]],
        add: Callable[[Any, Sequence[Answer]], Answer],
    ) -> Answerer:
        """What is asked about all partitions is answered by each database, and the answers are put together."""

        async def everywhere(query: Any, reading: Reading) -> Answer:  # noqa: ANN401 - each its own query
            await self._be_ready(reading, *self.databases)
            if not self.is_wide:
                return await answer(query, reading)
            elsewhere = (_ask(answer, query, database) for database in self._home.others)
            return add(query, await asyncio.gather(answer(query, reading), *elsewhere))

        return everywhere

    def _there(self, answer: Answerer, partition_of: Callable[[Any], int]) -> Answerer:
        async def there(query: Any, reading: Reading) -> BaseModel:  # noqa: ANN401 - each its own query
            database = self.of(partition_of(query))
            await self._be_ready(reading, database)
            return await answer(query, reading) if database is self._home else await _ask(answer, query, database)

        return there

    # who lives where

    async def _be_ready(self, here: Reading, *databases: Database) -> None:
        """See once, in each process, that these databases have what the settings say; `here` is the hub's own.

        Another connection to it might not be had, since whoever waits for us may hold them all; one is needed only to
        give partitions away, once in a life.
        """
        if self._ready.issuperset(databases):
            return
        async with self._one_at_a_time:
            if self._home not in self._ready:
                await self._give_away(here)
                self._ready.add(self._home)
            for database in databases:
                if database not in self._ready:
                    await self._settle_in(database, here)
                    self._ready.add(database)

    async def _give_away(self, here: Reading) -> None:
        """What lives elsewhere leaves the hub's own database, where what must be unique is claimed from now on."""
        gone = [row["partition"] for row in await here.fetch(spread_statements.ELSEWHERE)]
        unnamed = [partition for partition in gone if partition not in self._home.away]
        if unnamed:
            raise PartitionElsewhereError(f"partitions {unnamed}")
        if len(gone) == len(self._home.away):
            return
        own, places = await _place_of(here), [await _place(database) for database in self._home.others]
        check_different(own, places)
        async with self._home.transaction() as tx:
            rows = await tx.fetch(spread_statements.BEGUN)
            if not any(row["elsewhere"] for row in rows):
                await tx.execute(spread_statements.CLAIM_EARLIER)
            for database, place in zip(self._home.others, places, strict=True):
                await _leave(tx, rows, self._living_in(database), place)

    async def _settle_in(self, database: Database, here: Reading) -> None:
        """What lives in that database stays there, with the rules of all pools; everything else leaves it."""
        staying, place = self._living_in(database), await _place(database)
        expected = {row["partition"]: row["elsewhere"] for row in await here.fetch(spread_statements.ELSEWHERE)}
        pools = await here.fetch(spread_statements.POOLS)
        strangers = [partition for partition in sorted(staying) if expected.get(partition) != place]
        if strangers:
            raise PartitionElsewhereError(f"partitions {strangers}")
        async with database.transaction() as there:
            rows = await there.fetch(spread_statements.BEGUN)
            on_their_way = [row["partition"] for row in rows if row["elsewhere"] is not None and row["has_begun"]]
            if on_their_way:
                raise PartitionOnItsWayError(f"partitions {on_their_way}")
            await _leave(there, rows, {row["partition"] for row in rows} - staying, NOT_KNOWN)
            await _take_over(pools, there)

    def _living_in(self, database: Database) -> set[int]:
        return {partition for partition, where in self._home.away.items() if where is database}


async def _take_over(pools: Sequence[Row], there: Writing) -> None:
    """What the registry said while no partition lived there is known there from now on."""
    known = {tuple(pool) for pool in map(_hashable, await there.fetch(spread_statements.POOLS))}
    for pool in pools:
        if _hashable(pool) not in known:
            await there.execute(statements.REGISTER_POOL, *pool)


def _hashable(pool: Row) -> tuple[object, ...]:
    return tuple(tuple(value) if isinstance(value, list) else value for value in pool)


def check_different(own: UUID, places: Sequence[UUID]) -> None:
    """Raises SameDatabaseError."""
    if len({own, *places}) <= len(places):
        raise SameDatabaseError(str(own))


async def _ask(answer: Callable[[Any, Reading], Awaitable[Answer]], query: object, database: Database) -> Answer:
    """Asked in that database."""
    async with database.reading() as reading:
        return await answer(query, reading)


async def _place(database: Database) -> UUID:
    async with database.reading() as there:
        return await _place_of(there)


async def _place_of(there: Reading) -> UUID:
    place: UUID = await there.fetch_value(spread_statements.PLACE)
    return place


async def _leave(here: Writing, rows: Iterable[Row], leaving: Collection[int], place: UUID) -> None:
    """These partitions live in another database, and have never lived in this one."""
    new = [row for row in rows if row["partition"] in leaving and row["elsewhere"] is None]
    begun = [row["partition"] for row in new if row["has_begun"]]
    if begun:
        raise PartitionBegunError(f"partitions {begun}")
    if new:
        await here.execute(spread_statements.GIVE_AWAY, [row["partition"] for row in new], place)
