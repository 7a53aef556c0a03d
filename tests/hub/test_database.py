"""What an error of the database means: run it again, wait, or mend the message."""

import asyncio
from typing import cast

import asyncpg
import pytest

from hub.database import is_retryable, is_unreachable, reachable
from hub.errors import ContendedError, DeadlineExceededError, HubError, PermanentError, TransientError
from hub.process import HubProcess
from tests.hub.parts import Probe, at_work, fake


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        FileNotFoundError(),
        TimeoutError(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.AdminShutdownError(),
        asyncpg.CrashShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.DiskFullError(),
        asyncpg.ReadOnlySQLTransactionError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
        asyncpg.InterfaceError("cannot call Transaction.__aexit__(): the underlying connection is closed"),
        TransientError(),
    ],
)
def test_waiting_helps(error: Exception) -> None:
    assert is_unreachable(error)
    assert not is_retryable(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.exceptions._base.DataError("invalid input for query argument $1"),
        asyncpg.InterfaceError("the server expects 3 arguments for this query, 2 were passed"),
        asyncpg.DataError(),
        asyncpg.CheckViolationError(),
        asyncpg.QueryCanceledError(),
        asyncpg.UndefinedTableError(),
        PermanentError(),
        KeyError(),
    ],
)
def test_waiting_does_not_help(error: Exception) -> None:
    assert not is_unreachable(error)
    assert not is_retryable(error)


@pytest.mark.parametrize(
    "error",
    [asyncpg.SerializationError(), asyncpg.DeadlockDetectedError(), asyncpg.LockNotAvailableError()],
)
def test_two_at_once_met(error: Exception) -> None:
    assert is_retryable(error)


@pytest.mark.parametrize("error", [ConnectionRefusedError(), asyncpg.DeadlockDetectedError(), TimeoutError()])
async def test_what_passes_by_itself_in_the_database_is_to_be_asked_again(error: Exception) -> None:
    with pytest.raises(TransientError, match="the database is away"):
        async with reachable():
            raise error


@pytest.mark.parametrize(
    "error", [TransientError("busy", retry_after_s=7.0), DeadlineExceededError(), ContendedError(), PermanentError()]
)
async def test_what_knows_how_long_to_wait_is_raised_as_it_is(error: HubError) -> None:
    with pytest.raises(HubError) as caught:
        async with reachable():
            raise error
    assert caught.value is error


async def test_what_asyncpg_says_of_a_value_that_does_not_fit_is_no_lost_connection(probe: Probe) -> None:
    for sql, values in (("SELECT $1::int", ["x"]), ("SELECT $1::int", [2**40]), ("SELECT $1::int", [1, 2])):
        with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError)) as caught:
            await probe.connection.fetch(sql, *values)
        assert not is_unreachable(caught.value)


async def test_what_asyncpg_says_of_a_cut_connection_is(probe: Probe) -> None:
    other = (await probe.again()).connection
    other.terminate()
    with pytest.raises(asyncpg.InterfaceError) as caught:
        await other.fetch("SELECT 1")
    assert is_unreachable(caught.value)


async def test_a_pool_gives_new_connections_after_all_of_its_own_were_cut(probe: Probe) -> None:
    kill = """
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'mykey_registry'
    """
    async with at_work(probe.url, fake("registry")) as process:
        assert await probe.connection.fetchval(kill) >= 1
        for _ in range(process.settings.pool_size + 1):
            (found,) = await asyncio.gather(_one(process), return_exceptions=True)
            assert found == 1 or (isinstance(found, Exception) and is_unreachable(found))
        assert await _one(process) == 1


async def _one(process: HubProcess) -> object:
    async with process.database_of("registry").reading() as reading:
        found: object = await reading.fetch_value("SELECT 1")
        return found


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyError, TimeoutError])
async def test_what_went_wrong_is_told_also_where_the_connection_is_lost_by_then(
    probe: Probe, error: type[BaseException]
) -> None:
    async with at_work(probe.url, fake("registry")) as process:
        with pytest.raises(error):
            await _lose_and_raise(process, error)
        assert await _one(process) == 1


async def _lose_and_raise(process: HubProcess, error: type[BaseException]) -> None:
    async with process.database_of("registry").transaction() as tx:
        cast("asyncpg.Connection[asyncpg.Record]", tx._connection).terminate()
        raise error
