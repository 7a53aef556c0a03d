"""A ledger that works, with the pools of the small world, on 2026-01-10."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import asyncpg
import pytest

from hub.branches import ROLL_BACK
from hub.clock import AdjustableClock
from hub.process import HubProcess
from hub.transports.jobs import JobRunner
from tests.conftest import Admin, copied
from tests.running import running
from tests.workers.ledger.tamperings import JOURNAL
from tests.workers.ledger.world import (
    CARD,
    DATED,
    FESTIVAL,
    FOREVER,
    START,
    ask_all,
    citizen,
    credit,
    expire,
    move,
    open_pools,
    refusal,
    sweep,
    use,
)
from workers.ledger import store

PREPARED: Final = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
ME: Final = citizen(1)
OTHER: Final = citizen(2)


@pytest.fixture(autouse=True)
def small_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what lives here lives through several."""
    monkeypatch.setattr(store, "VOLUME_OUTCOMES", 2)


@pytest.fixture
def clock() -> AdjustableClock:
    """The small world's day."""
    return AdjustableClock(START)


@pytest.fixture
async def ledger(database_url: str, clock: AdjustableClock) -> AsyncIterator[HubProcess]:
    async with running(database_url, "ledger", clock=clock) as process:
        await open_pools(process.database_of("ledger"))
        yield process


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """No job runs by itself: it would between two blocks where the machine is slow."""
    monkeypatch.setattr(JobRunner, "start", lambda _runner: None)


@pytest.fixture
async def books(by_hand: None, ledger: HubProcess, clock: AdjustableClock) -> HubProcess:  # noqa: ARG001 - before it
    """Six blocks of partition 0 with every operation in them, and some of partition 1; no job runs by itself."""
    await ask_all(ledger, credit("1", ME, 100), credit("2", ME, 70, DATED), credit("3", ME, 5, party_id=CARD))
    await ask_all(ledger, move("4", ME, 30, FESTIVAL), use("5", ME, 10, FESTIVAL), refusal("6", ME), use("7", ME, 9))
    await ask_all(ledger, credit("8", OTHER, 40, FOREVER), use("9", OTHER, 15))
    await ask_all(ledger, credit("10", citizen(1, lane=1), 8))
    clock.advance(timedelta(days=60))
    await ask_all(ledger, sweep("11", ME), expire("12", ME))
    await ask_all(ledger, credit("13", OTHER, 7, FOREVER))
    await ask_all(ledger, credit("14", OTHER, 1))
    return ledger


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Somebody with every right and the triggers switched off."""
    connection = await asyncpg.connect(database_url)
    for table in JOURNAL:
        await connection.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER USER")
    await connection.execute("ALTER TABLE ledger.lot DROP CONSTRAINT lot_balance_check")
    yield connection
    await connection.close()


@contextmanager
def another(server_url: str, admin: Admin, template_database: str) -> Iterator[str]:
    """A database more."""
    with copied(server_url, admin, template_database) as url:
        admin.run(_be_another(url))
        yield url
        admin.run(_end_branches(url))


async def _be_another(url: str) -> None:
    """Not the copy that it is: a database that is migrated by itself has an id of its own."""
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE ledger.place SET id = gen_random_uuid()")
    await connection.close()


async def _end_branches(url: str) -> None:
    """What a job that was stopped in the middle has left in doubt, and no process is there any more to settle."""
    connection = await asyncpg.connect(url)
    for row in await connection.fetch(PREPARED):
        await connection.execute(ROLL_BACK.format(row["gid"]))
    await connection.close()


@pytest.fixture
def away_url(server_url: str, admin: Admin, template_database: str) -> Iterator[str]:
    """The second database."""
    with another(server_url, admin, template_database) as url:
        yield url


@pytest.fixture
def one_url(server_url: str, admin: Admin, template_database: str) -> Iterator[str]:
    """That of a hub which has only one."""
    with another(server_url, admin, template_database) as url:
        yield url


@pytest.fixture
def away(away_url: str) -> dict[str, Any]:
    """The setting."""
    return {"partition_databases": {"8-15": away_url}}
