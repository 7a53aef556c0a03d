"""A twin of PostgreSQL in memory, for just the hub's and the ledger's statements, so that time can be virtual.

READ COMMITTED with row locks, unique keys and deadlock detection, as far as those statements can tell the difference;
it stands behind the connection that `hub.database.Database` gets from its pool, so all of the hub's code above runs as
it is. A statement that it does not know is an error: add it to `twin_statements`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

import asyncpg

EPOCH: Final = datetime(2026, 1, 10, 3, tzinfo=UTC)
TABLES: Final = (
    "head", "block", "transfer", "outcome", "lot", "contra", "rollup", "pool",
    "hold", "coupon", "revoked", "correction",
    "message", "delivery", "lane", "process", "heard", "sent",
)  # fmt: skip
LOCK_TIMEOUT_S: Final = 20.0

LockKey: TypeAlias = tuple[str, object]
Fields: TypeAlias = dict[str, Any]


class Record:
    """A row as asyncpg gives it: by name, by position, by unpacking."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def __getitem__(self, key: str | int) -> Any:  # noqa: ANN401 - as asyncpg's
        return self._fields[key] if isinstance(key, str) else list(self._fields.values())[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._fields.values())


class Broken(Exception):  # noqa: N818 - never seen by the code under test
    """The connection is gone: what was under way is rolled back."""


class TwinTransaction:
    """What one transaction has written and locked; its own writes are seen by it alone."""

    def __init__(self, twin: "Twin", owner: object) -> None:
        self.twin = twin
        self.owner = owner
        self.writes: dict[str, dict[Any, Fields | None]] = {}
        self.held: set[LockKey] = set()
        self.waits_for: set[TwinTransaction] = set()
        self.ended = False
        twin.open.add(self)

    # rows

    def get(self, table: str, key: object) -> Fields | None:
        """One row as this transaction sees it."""
        own = self.writes.get(table)
        if own is not None and key in own:
            return own[key]
        return self.twin.tables[table].get(key)

    def scan(self, table: str) -> list[Fields]:
        """All rows as this transaction sees them, in the order of their making."""
        own = self.writes.get(table)
        if not own:
            return list(self.twin.tables[table].values())
        return [row for row in (self.twin.tables[table] | own).values() if row is not None]

    def put(self, table: str, key: object, row: Fields | None) -> None:
        """Write a row; None deletes it. It can only be read: a change in place would outlive a rollback."""
        self.writes.setdefault(table, {})[key] = None if row is None else cast("Fields", MappingProxyType(row))

    async def insert(self, table: str, key: object, row: Fields) -> None:
        """Insert under a unique key: waits for another's uncommitted row of that key, as PostgreSQL does."""
        await self.lock((table, key))
        if self.get(table, key) is not None:
            raise asyncpg.UniqueViolationError(f"{table} {key}")
        self.put(table, key, row)

    # locks

    async def lock(self, key: LockKey, *, shared: bool = False) -> None:
        """Take a row lock, waiting for whoever holds it against us until the end of the transaction."""
        give_up = self.twin.now_s() + LOCK_TIMEOUT_S
        while blockers := self.twin.blockers(self, key, shared=shared):
            self.waits_for = blockers
            if self.twin.is_deadlocked(self):
                raise asyncpg.DeadlockDetectedError(str(key))
            try:
                await self.twin.some_lock_freed(give_up)
            finally:
                self.waits_for = set()
            self.must_be_open()
        self.twin.locks[key][self] = self.twin.locks[key].get(self, True) and shared
        self.held.add(key)

    def try_lock(self, key: LockKey) -> bool:
        """SKIP LOCKED: take it now or not at all."""
        if self.twin.blockers(self, key, shared=False):
            return False
        self.twin.locks[key][self] = False
        self.held.add(key)
        return True

    # the end

    def must_be_open(self) -> None:
        """Raises Broken where the server has rolled us back."""
        if self.ended:
            raise Broken

    def commit(self) -> None:
        """Everything becomes visible at once."""
        for table, rows in self.writes.items():
            self.twin.apply(table, rows)
        self.rollback()

    def rollback(self) -> None:
        """Nothing was ever there; also how a commit lets go of its locks."""
        if self.ended:
            return
        self.ended = True
        self.twin.open.discard(self)
        for key in self.held:
            del self.twin.locks[key][self]
            if not self.twin.locks[key]:
                del self.twin.locks[key]
        self.twin.freed()


Tx: TypeAlias = TwinTransaction
Rows: TypeAlias = list[Fields]


class Twin:
    """The server: committed rows, row locks, open transactions."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.now_s = now_s
        self.tables: dict[str, dict[Any, Fields]] = {table: {} for table in TABLES}
        self.lots_of: dict[object, dict[Any, Fields]] = defaultdict(dict)
        self.locks: dict[LockKey, dict[TwinTransaction, bool]] = defaultdict(dict)
        self.open: set[TwinTransaction] = set()
        self._freed: asyncio.Future[None] | None = None
        self._last_id = 0
        for partition in range(16):
            head = {
                "partition": partition, "block": 0, "hash": b"\x00", "next_account": 1, "closed_to": date.min,
                "volume": 0, "volume_outcomes": 0,
            }  # fmt: skip
            self.tables["head"][partition] = head

    def now(self) -> datetime:
        """The server's clock."""
        return EPOCH + timedelta(seconds=self.now_s())

    def next_id(self) -> int:
        """A sequence: never rolled back."""
        self._last_id += 1
        return self._last_id

    def apply(self, table: str, rows: dict[Any, Fields | None]) -> None:
        """Make a transaction's rows of one table everybody's."""
        committed = self.tables[table]
        for key, row in rows.items():
            if row is None:
                committed.pop(key, None)
            else:
                committed[key] = row
                if table == "lot":
                    self.lots_of[row["citizen_id"]][key] = row

    def total(self) -> int:
        """The sum of all balances, as of the last commit."""
        return sum(row["balance"] for table in ("lot", "contra") for row in self.tables[table].values())

    # locks

    def blockers(self, tx: TwinTransaction, key: LockKey, *, shared: bool) -> set[TwinTransaction]:
        """Who holds the lock against us."""
        holders = self.locks.get(key)
        if not holders:
            return set()
        return {other for other, is_shared in holders.items() if other is not tx and not (shared and is_shared)}

    def is_deadlocked(self, tx: TwinTransaction) -> bool:
        """Whether somebody we wait for waits for us."""
        seen: set[TwinTransaction] = set()
        to_see = list(tx.waits_for)
        while to_see:
            other = to_see.pop()
            if other is tx:
                return True
            if other not in seen:
                seen.add(other)
                to_see.extend(other.waits_for)
        return False

    async def some_lock_freed(self, give_up_s: float) -> None:
        """Wait until any transaction ends."""
        if self._freed is None:
            self._freed = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(asyncio.shield(self._freed), max(0.0, give_up_s - self.now_s()))
        except TimeoutError as error:
            raise asyncpg.LockNotAvailableError("lock_timeout") from error

    def freed(self) -> None:
        """Wake whoever waits."""
        if self._freed is not None and not self._freed.done():
            self._freed.set_result(None)
        self._freed = None

    def abort(self, owner: object) -> None:
        """Somebody's connections are cut: roll back what they had under way."""
        for tx in [tx for tx in self.open if tx.owner is owner]:
            tx.rollback()


Statement: TypeAlias = Callable[..., Awaitable[list[Fields]]]
Copy: TypeAlias = Callable[[TwinTransaction, Sequence[str], Iterable[Sequence[Any]]], Awaitable[None]]
Travel: TypeAlias = Callable[[], Awaitable[None]]
"""The way to the server and back: takes time; raises when the connection is cut; never ends when we are dead."""


class TwinConnection:
    """What a pool hands out, with as much of asyncpg's connection as the hub uses."""

    def __init__(
        self, twin: Twin, owner: object, travel: Travel, statements: dict[str, Statement], copies: dict[str, Copy]
    ) -> None:
        self._twin = twin
        self._owner = owner
        self.travel = travel
        self._statements = statements
        self._copies = copies
        self._tx: TwinTransaction | None = None

    async def fetch(self, sql: str, *args: Any) -> list[Record]:  # noqa: ANN401 - SQL values
        """All rows."""
        rows = await self._run(self._statements[sql], *args)
        return [Record(row) for row in rows]

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:  # noqa: ANN401 - SQL values
        """The first row."""
        rows = await self.fetch(sql, *args)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *args: Any) -> Any:  # noqa: ANN401 - SQL values
        """The first value."""
        row = await self.fetchrow(sql, *args)
        return None if row is None else row[0]

    async def execute(self, sql: str, *args: Any) -> str:  # noqa: ANN401 - SQL values
        """A statement."""
        return f"DONE {len(await self.fetch(sql, *args))}"

    async def copy_records_to_table(
        self, table: str, *, schema_name: str, columns: Sequence[str], records: Iterable[Sequence[Any]]
    ) -> None:
        """COPY."""
        await self._run(self._copies[f"{schema_name}.{table}"], columns, records)

    async def _run(self, statement: Callable[..., Awaitable[Any]], *args: Any) -> Any:  # noqa: ANN401 - SQL values
        if self._tx is None:
            begun = self.transaction()
            await begun.start()
            try:
                done = await self._run(statement, *args)
            except BaseException:
                await begun.rollback()
                raise
            await begun.commit()
            return done
        try:
            await self.travel()
            self._tx.must_be_open()
            return await statement(self._tx, *args)
        except Broken:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation") from None

    def transaction(self) -> "_Begun":
        """What comes between BEGIN and COMMIT."""
        assert self._tx is None
        return _Begun(self)

    def begin(self) -> TwinTransaction:
        """BEGIN."""
        self._tx = TwinTransaction(self._twin, self._owner)
        return self._tx

    def end(self) -> None:
        """However it was."""
        if self._tx is not None:
            self._tx.rollback()
        self._tx = None

    def terminate(self) -> None:
        """Nobody waits for an answer any more."""
        self.end()


class _Begun:
    """A transaction, with as much of asyncpg's as the hub uses."""

    def __init__(self, connection: TwinConnection) -> None:
        self._connection = connection
        self._tx: TwinTransaction | None = None

    async def start(self) -> None:
        """BEGIN."""
        self._tx = self._connection.begin()

    async def commit(self) -> None:
        """COMMIT; an answer that is lost on the way back leaves the commit done and unknown."""
        assert self._tx is not None
        try:
            await self._connection.travel()
            self._tx.must_be_open()
            self._tx.commit()
            await self._connection.travel()
        except Broken:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation") from None
        finally:
            self._connection.end()

    async def rollback(self) -> None:
        """ROLLBACK."""
        self._connection.end()


class TwinPool:
    """A pool of connections of one process, with as much of asyncpg's pool as the hub uses."""

    def __init__(self, size: int, connect: Callable[[], TwinConnection]) -> None:
        self._slots = asyncio.Semaphore(size)
        self._connect = connect

    async def acquire(self, timeout: float) -> TwinConnection:  # noqa: ASYNC109 - as asyncpg's
        """A fresh connection, when there is a slot."""
        async with asyncio.timeout(timeout):
            await self._slots.acquire()
        return self._connect()

    async def release(self, _connection: TwinConnection, timeout: float) -> None:  # noqa: ASYNC109, ARG002 - as asyncpg's
        """Its slot is free."""
        self._slots.release()

    def terminate(self) -> None:
        """Nothing to cut: the simulator aborts transactions itself."""
