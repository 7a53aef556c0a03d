"""Who may do what with the ledger's tables: grants for components, triggers for whoever has more than grants."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from hub.process import HubProcess
from hub.roles import component_url
from hub.settings import Settings
from tests.workers.ledger.world import ask, citizen, credit

JOURNAL = ("transfer", "block", "outcome")
CHANGES = ("UPDATE ledger.{} SET partition = partition", "DELETE FROM ledger.{}", "TRUNCATE ledger.{}")
STATE = ("head", "lot", "contra", "rollup", "pool", "hold", "coupon", "revoked", "correction")
TABLES = (*JOURNAL, *STATE)
FIXED = (
    "UPDATE ledger.hold SET counterparty_id = hold_id", "UPDATE ledger.hold SET expires_at = now()",
    "UPDATE ledger.hold SET number = '00000000'", "UPDATE ledger.hold SET points = points",
    "UPDATE ledger.hold SET part_points = part_points", "UPDATE ledger.coupon SET points = points",
    "UPDATE ledger.coupon SET last = last", "UPDATE ledger.revoked SET revoked_on = revoked_on",
    "UPDATE ledger.correction SET command_id = command_id",
    "UPDATE ledger.lot SET expires_on = expires_on", "UPDATE ledger.lot SET pool = pool",
    "UPDATE ledger.lot SET citizen_id = citizen_id", "UPDATE ledger.contra SET name = name",
    "UPDATE ledger.contra SET account = account",
)  # fmt: skip
"""What is never changed once it is there."""
OTHER_COMPONENTS = ("hub", "registry", "clockwork", "partner", "mail")

Connect = Callable[[str], "asyncpg.connection.Connection[asyncpg.Record]"]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("table", JOURNAL)
@pytest.mark.parametrize("change", CHANGES)
async def test_not_even_the_owner_changes_the_journal(
    database_url: str, ledger: HubProcess, table: str, change: str
) -> None:
    await ask(ledger, credit("1", citizen(1), 5))
    async with connected(database_url) as owner:
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await owner.execute(change.format(table))


@pytest.mark.parametrize("table", JOURNAL)
@pytest.mark.parametrize("change", CHANGES)
async def test_the_ledgers_role_may_only_add_to_the_journal(
    database_url: str, settings: Settings, table: str, change: str
) -> None:
    async with connected(component_url(database_url, "ledger", settings)) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(change.format(table))


@pytest.mark.parametrize("change", FIXED)
async def test_the_ledgers_role_changes_nothing_that_is_made_once(
    database_url: str, settings: Settings, change: str
) -> None:
    async with connected(component_url(database_url, "ledger", settings)) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(change)


@pytest.mark.parametrize("table", STATE)
async def test_the_ledgers_role_deletes_nothing(database_url: str, settings: Settings, table: str) -> None:
    async with connected(component_url(database_url, "ledger", settings)) as connection:
        for change in CHANGES[1:]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(change.format(table))


@pytest.mark.parametrize("component", OTHER_COMPONENTS)
async def test_no_other_component_sees_the_books(database_url: str, settings: Settings, component: str) -> None:
    async with connected(component_url(database_url, component, settings)) as connection:
        for table in TABLES:
            for statement in (f"SELECT FROM ledger.{table}", f"INSERT INTO ledger.{table} DEFAULT VALUES"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
