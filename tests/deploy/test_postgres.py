"""The commands of docs/operations.md on a server that deploy/postgres has set up, by its roles and their passwords."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from hub.postgres_programs import find_programs
from schemas.values import LANES
from tests.deploy.deployed import Container
from tests.deploy.parts import Service, make_secrets, run_by_hand, services
from tests.deploy.postgres import FOLDER, HOST, DeployedPostgres
from tests.reliability.operations import backup_folder, run_commands, section

pytestmark = pytest.mark.timeout(300)
MOMENT: Final = "SELECT pg_create_restore_point('here')"
SPREAD: Final = "SELECT count(*) FROM ledger.head"
SET_THE_OLD_ONE_ASIDE: Final = "ALTER DATABASE mykey RENAME TO before"


def making_the_database() -> str:
    """The statement of owner.sh that the page sends a superuser to."""
    found = re.search("^CREATE DATABASE .+;$", (FOLDER / "owner.sh").read_text(), re.MULTILINE)
    assert found is not None
    return found[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedPostgres]:
    """Migrated, by the owner."""
    secrets = tmp_path_factory.mktemp("secrets")
    make_secrets(secrets)
    made = DeployedPostgres.made(secrets)
    try:
        made.start()
        made.set_up()
        migrate = Container(services()["migrate"], tmp_path_factory.mktemp("run") / "migrate", secrets, owner(made))
        assert asyncio.run(migrate.run()) == 0, migrate.log
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def books(server: DeployedPostgres) -> Iterator[DeployedPostgres]:
    """Another server, set up with the same secrets, for partitions."""
    made = DeployedPostgres.made(server.secrets)
    try:
        made.start()
        made.set_up()
        yield made
    finally:
        made.stop()


@pytest.fixture
def backup() -> Iterator[Path]:
    with backup_folder() as folder:
        yield folder


def owner(server: DeployedPostgres) -> dict[str, str]:
    return {"mykey_database_url": server.url_of("owner_url")}


def run(server: DeployedPostgres, commands: str, **names: object) -> str:
    """As the page has its names on such a server."""
    secrets = {
        "MYKEY_SECRET_KEY": (server.secrets / "secret_key").read_text(),
        "MYKEY_ROLE_PASSWORDS": (server.secrets / "role_passwords").read_text(),
    }
    urls = {"MYKEY_DATABASE_URL": server.url_of("owner_url"), "MYKEY_BACKUP_URL": server.url_of("backup_url")}
    return run_commands(commands, **secrets, **urls, SUPERUSER_URL=server.superuser_url, **names)


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def test_a_base_backup_is_taken_and_a_moment_named(server: DeployedPostgres, backup: Path) -> None:
    take, name, *_ = section("A base backup with a WAL archive")
    run(server, take, BACKUP=backup)
    run(server, name)
    assert (backup / "base" / "backup_manifest").exists()


def test_a_standby_is_made_and_followed(server: DeployedPostgres, tmp_path: Path) -> None:
    make, synchronous, _ = section("A standby")
    account = find_programs().account
    run(server, make, STANDBY=tmp_path, ACCOUNT=account.uid if account else "$(id -u)")
    assert "user=mykey_backup" in (tmp_path / "data" / "postgresql.auto.conf").read_text()
    run(server, synchronous)
    undone = 'psql --quiet --dbname="$SUPERUSER_URL" -c "ALTER SYSTEM RESET synchronous_standby_names"'
    run(server, f'{undone} -c "SELECT pg_reload_conf()" -o /dev/null')


def test_a_dump_is_restored_into_an_empty_database_of_the_owner_s(server: DeployedPostgres, backup: Path) -> None:
    dump, restore, check = section("A dump")
    run(server, dump, BACKUP=backup)
    over_it = server.superuser_url.replace("/mykey?", "/postgres?")
    asyncio.run(execute(over_it, SET_THE_OLD_ONE_ASIDE, making_the_database()))
    run(server, restore, BACKUP=backup)
    assert "everything adds up" in run(server, check)


def test_an_operator_s_commands_get_in_by_the_owner_s_password(server: DeployedPostgres, tmp_path: Path) -> None:
    hub = Container(run_by_hand(), tmp_path / "hub", server.secrets, owner(server))
    asyncio.run(hub.does("console", "flow"))


def test_the_role_for_backups_reads_no_table_and_the_owner_copies_no_server(server: DeployedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        asyncio.run(execute(server.url_of("backup_url").replace("/postgres?", "/mykey?"), "SELECT"))
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        asyncio.run(execute(server.url_of("owner_url").replace("/mykey?", "/postgres?"), "SELECT"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(execute(server.url_of("owner_url"), MOMENT))


def test_nobody_gets_in_without_tls_or_by_a_wrong_password(server: DeployedPostgres) -> None:
    rules = [line.split() for line in (FOLDER / "pg_hba.conf").read_text().splitlines() if not line.startswith("#")]
    assert {(one[0], one[-1]) for one in rules} == {
        ("local", "peer"),
        ("hostssl", "scram-sha-256"),
        ("host", "reject"),
    }
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(execute(server.url_of("owner_url").replace("@", "x@", 1), "SELECT"))


def test_the_role_for_backups_is_made_once_and_its_password_anew(server: DeployedPostgres) -> None:
    server.run_script("backup.sh")
    asyncio.run(execute(server.url_of("backup_url"), MOMENT))


def test_partitions_live_in_another_database_without_a_password_in_the_setting(
    server: DeployedPostgres, books: DeployedPostgres, tmp_path: Path
) -> None:
    """Whoever is the owner puts its password in, and a component its own role."""
    place = f"postgresql://mykey_owner@{HOST}:{books.port}/mykey?sslmode=disable"
    told = {"MYKEY_PARTITION_DATABASES": json.dumps({"8-15": place})}
    migrate = Container(_told(services()["migrate"], told), tmp_path / "migrate", server.secrets, owner(server))
    assert asyncio.run(migrate.run()) == 0, migrate.log
    hub = Container(_told(run_by_hand(), told), tmp_path / "hub", server.secrets, owner(server))
    assert "partition 8: " in asyncio.run(hub.does("spread"))
    assert "everything adds up" in asyncio.run(hub.does("verify"))
    assert asyncio.run(_fetched(books.url_of("owner_url"), SPREAD)) == LANES


def _told(service: Service, settings: dict[str, str]) -> Service:
    return {**service, "environment": service.get("environment", {}) | settings}


async def _fetched(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()
