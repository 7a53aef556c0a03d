"""A component's way to PostgreSQL: a small pool under the component's own role; one of the few files with asyncpg."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg
import structlog

from hub.branches import Branches
from hub.errors import ContendedError, HubError, TransientError
from hub.outbox import ToDo, flush
from hub.silence import Silence
from hub.transaction import Reading, Transaction

if TYPE_CHECKING:
    from hub.clock import Clock
    from hub.keys import Sealer

log = structlog.get_logger()

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Row: TypeAlias = asyncpg.Record
Notify: TypeAlias = Callable[[str], Awaitable[None]]

CONNECT_TIMEOUT_S: Final = 10.0
ACQUIRE_TIMEOUT_S: Final = 10.0
COMMAND_TIMEOUT_S: Final = 25.0
"""Longer than the server waits for a lock. Whose answer has not come by then is given up with its connection, so that a
server or a network that has gone silent holds a lane up for no longer."""
GIVE_UP_TIMEOUT_S: Final = 3.0
"""How long the server has to roll back, or to end a statement in which we were cancelled; then it is cut off."""
NOTIFY_TIMEOUT_S: Final = 5.0
ANSWER_LIMIT_S: Final = 300.0
"""How long a server may take that starts with us, with what it has to recover; who waits then gives up, and says so."""
ANSWER_POLL_S: Final = 1.0
SESSION: Final = {
    "application_name": "mykey-hub",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
    "timezone": "UTC",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "20s",
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
}
"""Generic plans: our statements take arrays of any length and would otherwise be planned at every call. What is planned
once may be planned while its table is empty, when reading all of it looks cheapest: so an index is taken where there is
one. Whole tables are read in a snapshot. Keepalives: a client whose machine is gone keeps no connection for hours."""

ALREADY_THERE: Final = asyncpg.UniqueViolationError
"""What PostgreSQL says of a row whose key is taken."""
RETRYABLE: Final = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    ALREADY_THERE,
    ContendedError,
)
"""Two at once met: the whole transaction is rolled back and may be run again at once. A unique violation is one
of them: handlers look before they insert, or do so once they have met one."""

UNREACHABLE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    TransientError,
)
"""PostgreSQL went away, has no room, or is a standby now: waiting helps. `asyncpg.InterfaceError` is what a pool says
of a connection that was cut, and much else (see `is_unreachable`); `asyncpg.InternalClientError` comes where it was cut
between two messages of the protocol."""


_GONE_WORDS: Final = ("closed", "closing", "released")


async def _keep(_connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """No reset on release: our sessions change no setting, and RESET ALL would cost a round trip a transaction."""


class Database:
    """A pool of connections under one role; `on_commit` hears what there is to do for whom."""

    def __init__(self, name: str, url: str, pool_size: int, clock: "Clock", sealer: "Sealer") -> None:
        self.name = name
        self.pool_size = pool_size
        self._url = url
        self._clock = clock
        self.sealer = sealer
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.away: Mapping[int, Database] = {}
        """Partition → where it lives, of those that do not live here; opened and closed with this one."""
        self.silence: Silence | None = None
        """Kept of a database beside which others go on."""
        self.on_commit: Callable[[ToDo], None] = lambda _todo: None
        self.on_signal: Callable[[AbstractSet[str]], None] = lambda _names: None

    @property
    def others(self) -> "list[Database]":
        """The databases of `away`, each once."""
        return list(dict.fromkeys(self.away.values()))

    async def open(self, least: int = 1) -> None:
        """Connect, `least` times for a start. Raises TransientError when PostgreSQL does not answer."""
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=least,
                max_size=self.pool_size,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings=SESSION,
                reset=_keep,
            )
        except UNREACHABLE as error:
            raise TransientError(retry_after_s=1.0) from error
        for database in self.others:
            await database.open(least=0)  # while one is away, what lives in the others works

    async def close(self) -> None:
        """Close all connections; what is under way is waited for a moment, then cut."""
        for database in self.others:
            await database.close()
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One connection, outside any transaction."""
        with self.silence.asked() if self.silence is not None else nullcontext():
            async with self.insisted() as connection:
                yield connection

    @asynccontextmanager
    async def insisted(self) -> AsyncIterator[Connection]:
        """The same, whether or not it has been silent: for what others may be waiting for."""
        if self._pool is None:
            raise TransientError(retry_after_s=1.0)
        async with _acquired(self._pool) as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """Read committed state, each statement by itself."""
        async with self.connection() as connection:
            yield Reading(connection, self._clock, self.sealer)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction; what was said in it is flushed to the message store just before the commit."""
        async with self.connection() as connection, AsyncExitStack() as elsewhere:
            branches = Branches(self, elsewhere)
            async with _begun(connection):
                tx = Transaction(connection, self._clock, self.name, self.sealer, branches)
                yield tx
                todo = await flush(tx)
                await branches.prepare(tx)
            try:
                await branches.commit()
            except UNREACHABLE as error:  # it is decided: who settles branches commits it
                log.warning("branch_in_doubt", component=self.name, error=type(error).__qualname__)
            if todo:
                self.on_commit(todo)
            if tx.signals:
                self.on_signal(tx.signals)

    @asynccontextmanager
    async def branch(self) -> AsyncIterator[Connection]:
        """A transaction begun, which its caller prepares; where that was not done by an error, it is rolled back."""
        async with self.connection() as connection:
            await connection.execute("BEGIN")
            try:
                yield connection
            except BaseException as error:
                if not isinstance(error, TimeoutError) and connection.is_in_transaction():
                    await _rolled_back(connection, partial(connection.execute, "ROLLBACK"))
                raise


@asynccontextmanager
async def _acquired(pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[Connection]:
    """A connection, given back; one that has not answered in time is cut: asyncpg would ask it to stop, and wait."""
    connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
    try:
        yield connection
    except TimeoutError:
        _cut(connection)
        raise
    finally:
        with suppress(TimeoutError):  # the pool has cut it then
            await pool.release(connection, timeout=GIVE_UP_TIMEOUT_S)


@asynccontextmanager
async def _begun(connection: Connection) -> AsyncIterator[None]:
    """As `connection.transaction()`; where the server has gone silent there is no rollback to be waited for."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    except TimeoutError:
        _cut(connection)
        raise
    except BaseException:
        await _rolled_back(connection, transaction.rollback)
        raise
    await transaction.commit()


async def _rolled_back(connection: Connection, rollback: Callable[[], Awaitable[object]]) -> None:
    """By the server, or with its connection; whatever comes of it, what went wrong before is what is told."""
    try:
        async with asyncio.timeout(GIVE_UP_TIMEOUT_S):
            await rollback()
    except UNREACHABLE:
        _cut(connection)


def _cut(connection: Connection) -> None:
    with suppress(asyncpg.InterfaceError):  # it was cut before
        connection.terminate()


def is_retryable(error: BaseException) -> bool:
    """Whether the whole transaction may simply be run again."""
    return isinstance(error, RETRYABLE)


def is_unreachable(error: BaseException) -> bool:
    """Whether PostgreSQL was not there, so that the outcome of a commit may be unknown.

    A statement that ran out of time may have met a slow server or be a slow one: not this. asyncpg also says
    InterfaceError of arguments that do not fit, which no waiting mends; of a cut connection it says `closed`,
    `closing` or `released`.
    """
    if isinstance(error, asyncpg.InterfaceError):
        return any(word in str(error) for word in _GONE_WORDS)
    return isinstance(error, UNREACHABLE) and not isinstance(error, asyncpg.QueryCanceledError)


@asynccontextmanager
async def reachable() -> AsyncIterator[None]:
    """Whatever passes by itself in the database is a TransientError: whoever asks may ask again.

    What is a HubError already is raised as it is: it knows how long to wait.
    """
    try:
        yield
    except HubError:
        raise
    except (*UNREACHABLE, *RETRYABLE) as error:
        raise TransientError("the database is away") from error


async def answering(url: str, limit_s: float = ANSWER_LIMIT_S) -> None:
    """Wait until PostgreSQL lets us in: at a machine's start it may come after us.

    Raises:
        TransientError: it did not within `limit_s`. asyncpg.PostgresError: it answers and does not want us.
        ssl.SSLCertVerificationError: it is not who it should be.
    """
    give_up = time.monotonic() + limit_s
    while (lacking := await _lacking(url)) is not None:
        if time.monotonic() > give_up:
            raise TransientError(f"PostgreSQL did not answer within {limit_s:g} s ({lacking})")
        log.warning("waiting_for_postgresql", error=lacking)
        await asyncio.sleep(ANSWER_POLL_S)


async def _lacking(url: str) -> str | None:
    """The kind of error that a connection meets as long as the server is not there; None where it is."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except ssl.SSLCertVerificationError:
        raise
    except Exception as error:
        if is_unreachable(error):
            return type(error).__qualname__
        raise
    connection.terminate()
    return None


@asynccontextmanager
async def listening(url: str, channel: str, heard: Callable[[str], None]) -> AsyncIterator[Notify]:
    """A connection that listens on `channel`; yields a function that notifies it. A hint: polling stands behind it."""
    session = {"application_name": "mykey-hub-wake"}
    connection = await asyncpg.connect(
        url, timeout=CONNECT_TIMEOUT_S, command_timeout=NOTIFY_TIMEOUT_S, server_settings=session
    )
    try:
        await connection.add_listener(channel, lambda _c, _p, _ch, payload: heard(str(payload)))

        async def notify(payload: str) -> None:
            await connection.execute("SELECT pg_notify($1, $2)", channel, payload)

        yield notify
    finally:
        connection.terminate()
