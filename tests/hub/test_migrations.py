"""Migrations run once, in order, whole; what was applied is never changed; roles may do what is granted, no more."""

import asyncio
import base64
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from hub import migrations, roles
from hub.migrations import Applied, MigrationRefusedError, MigrationSource, TablesInUseError, migrate
from hub.roles import MissingRolePasswordError, component_url, owner_url
from hub.settings import Settings
from tests.conftest import Admin, all_sources, with_database
from tests.waiting import wait_until

STRONG = SecretStr("0123456789abcdef0123456789abcdef")

Writes = Callable[..., MigrationSource]
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = $1::regclass AND NOT granted)"


@pytest.fixture
def source(tmp_path: Path) -> Writes:
    """Writes a component's files, given as keyword arguments `n0001_name="SQL"`, into a folder of the test's."""

    def write(component: str, **files: str) -> MigrationSource:
        folder = tmp_path / component
        folder.mkdir(exist_ok=True)
        for name, sql in files.items():
            (folder / f"{name.removeprefix('n')}.sql").write_bytes(sql.encode())
        return MigrationSource(component, folder)

    return write


@pytest.fixture(autouse=True)
def name(admin: Admin) -> Iterator[str]:
    """A component's name of the test's own, because roles belong to the whole server.

    Made first, so it goes last: a role can only be dropped once no database grants it anything.
    """
    made = f"t{uuid4().hex[:12]}"
    yield made
    admin.execute(f"DROP ROLE IF EXISTS mykey_{made}")


def rename(source: MigrationSource, old: str, new: str) -> None:
    Path(str(source.folder), old).rename(Path(str(source.folder), new))


async def fetch(url: str, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql, *arguments)]
    finally:
        await connection.close()


async def test_files_are_applied_in_order_once(empty_database_url: str, source: Writes, name: str) -> None:
    files = source(
        name,
        n0001_base="CREATE TABLE line (text text); INSERT INTO line VALUES ('first');",
        n0002_more="INSERT INTO line VALUES ('second');",
    )
    assert await migrate(empty_database_url, [files]) == [
        Applied(name, "0001_base.sql"),
        Applied(name, "0002_more.sql"),
    ]
    assert await migrate(empty_database_url, [files]) == []
    assert await fetch(empty_database_url, f"SELECT text FROM {name}.line") == [("first",), ("second",)]  # noqa: S608


async def test_a_new_file_is_applied_on_top(empty_database_url: str, source: Writes, name: str) -> None:
    await migrate(empty_database_url, [source(name, n0001_base="CREATE TABLE line ()")])
    more = source(name, n0002_more="ALTER TABLE line ADD text text")
    assert await migrate(empty_database_url, [more]) == [Applied(name, "0002_more.sql")]


async def test_a_failing_file_leaves_nothing_behind(empty_database_url: str, source: Writes, name: str) -> None:
    broken = source(name, n0001_base="CREATE TABLE a ()", n0002_broken="CREATE TABLE b (); SELECT 1/0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_database_url, [broken])
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = $1"
    assert await fetch(empty_database_url, tables, name) == [("a",)]
    mended = source(name, n0002_broken="CREATE TABLE b ()")
    assert await migrate(empty_database_url, [mended]) == [Applied(name, "0002_broken.sql")]


async def test_a_changed_file_is_refused(empty_database_url: str, source: Writes, name: str) -> None:
    await migrate(empty_database_url, [source(name, n0001_base="CREATE TABLE a ()")])
    changed = source(name, n0001_base="CREATE TABLE a (b int)", n0002_more="CREATE TABLE c ()")
    with pytest.raises(MigrationRefusedError, match="not the same"):
        await migrate(empty_database_url, [changed])
    assert await fetch(empty_database_url, "SELECT FROM pg_tables WHERE tablename = 'c'") == []


async def test_line_endings_are_no_change(empty_database_url: str, source: Writes, name: str) -> None:
    await migrate(empty_database_url, [source(name, n0001_base="CREATE TABLE a\n()\n")])
    assert await migrate(empty_database_url, [source(name, n0001_base="CREATE TABLE a\r\n()\r\n")]) == []


async def test_a_renamed_or_missing_file_is_refused(empty_database_url: str, source: Writes, name: str) -> None:
    files = source(name, n0001_base="CREATE TABLE a ()")
    await migrate(empty_database_url, [files])
    await asyncio.to_thread(rename, files, "0001_base.sql", "0001_other.sql")
    with pytest.raises(MigrationRefusedError, match="not the same"):
        await migrate(empty_database_url, [files])
    await asyncio.to_thread(rename, files, "0001_other.sql", "gone")
    with pytest.raises(MigrationRefusedError, match="program is old"):
        await migrate(empty_database_url, [files])


@pytest.mark.parametrize(
    "files",
    [
        {"n0002_first": ""},
        {"n0001_a": "", "n0003_b": ""},
        {"n0001_a": "", "n0001_b": ""},
        {"n0000_a": ""},
        {"n1_a": ""},
        {"n0001-a": ""},
        {"n0001_A": ""},
        {"n00001_a": ""},
    ],
)
async def test_gaps_and_wrong_names_are_refused_before_anything_is_done(
    files: dict[str, str], empty_database_url: str, source: Writes, name: str
) -> None:
    with pytest.raises(MigrationRefusedError):
        await migrate(empty_database_url, [source(name, **files)])
    assert await fetch(empty_database_url, "SELECT FROM pg_namespace WHERE nspname = $1", name) == []


def test_other_files_may_lie_beside(source: Writes) -> None:
    files = source("beside", n0001_base="")
    Path(str(files.folder), "README.md").write_text("why")
    assert [file.name for file in migrations.read_files(files)] == ["0001_base.sql"]


async def test_a_component_without_files_gets_its_role(empty_database_url: str, tmp_path: Path, name: str) -> None:
    nothing = MigrationSource(name, tmp_path / "nothing")
    assert await migrate(empty_database_url, [nothing]) == []
    assert await fetch(component_url(empty_database_url, name, Settings()), "SELECT 1") == [(1,)]


async def test_many_at_once_apply_each_file_once(empty_database_url: str, source: Writes, name: str) -> None:
    steps = {f"n{n:04}_step": f"CREATE TABLE t{n} ()" for n in range(1, 6)}
    files = source(name, **steps)
    runs = await asyncio.gather(*(migrate(empty_database_url, [files]) for _ in range(8)))
    applied = list(itertools.chain.from_iterable(runs))
    assert [one.name for one in applied] == sorted(f"{step.removeprefix('n')}.sql" for step in steps)


async def test_databases_of_one_server_are_migrated_at_once(
    server_url: str, admin: Admin, source: Writes, name: str
) -> None:
    databases = [f"mykey_test_{uuid4().hex}" for _ in range(6)]
    for database in databases:
        await asyncio.to_thread(admin.execute, f"CREATE DATABASE {database}")
    try:
        files = [source(name, n0001_base="CREATE TABLE a ()")]
        urls = [with_database(server_url, database) for database in databases]
        for _ in range(3):
            await asyncio.gather(*(migrate(url, files, {name: STRONG}) for url in urls))
    finally:
        for database in databases:
            await asyncio.to_thread(admin.execute, f"DROP DATABASE {database} WITH (FORCE)")


async def test_a_component_may_do_what_is_granted_and_no_more(
    empty_database_url: str, source: Writes, name: str
) -> None:
    files = source(
        name,
        n0001_base="CREATE TABLE open (n int); CREATE TABLE closed (n int);"
        f"GRANT SELECT, INSERT ON open TO mykey_{name};"
        "CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    )
    await migrate(empty_database_url, [files])
    url = component_url(empty_database_url, name, Settings())
    await fetch(url, f"INSERT INTO {name}.open VALUES (1)")  # noqa: S608
    assert await fetch(url, f"SELECT n FROM {name}.open") == [(1,)]  # noqa: S608
    for forbidden in (
        f"UPDATE {name}.open SET n = 2",  # noqa: S608
        f"DELETE FROM {name}.open",  # noqa: S608
        f"TRUNCATE {name}.open",
        f"DROP TABLE {name}.open",
        f"ALTER TABLE {name}.open DISABLE TRIGGER ALL",
        f"SELECT n FROM {name}.closed",  # noqa: S608
        f"SELECT {name}.secret()",
        f"CREATE TABLE {name}.mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE SCHEMA mine",
        "SELECT FROM hub.migration",
        "SET ROLE mykey_hub",
        "CREATE ROLE mine",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await fetch(url, forbidden)


async def test_what_the_hub_grants_to_all_components_reaches_each(
    empty_database_url: str, source: Writes, name: str
) -> None:
    shared = "CREATE TABLE shared (n int); GRANT USAGE ON SCHEMA hub TO mykey_component;"
    hub = source("hub", n0001_base=f"{shared} GRANT SELECT ON shared TO mykey_component;")
    await migrate(empty_database_url, [hub, MigrationSource(name, hub.folder / "none")])
    assert await fetch(component_url(empty_database_url, name, Settings()), "SELECT FROM hub.shared") == []


async def test_an_owner_that_is_no_superuser_is_enough(
    empty_database_url: str, template_database: str, admin: Admin, source: Writes, name: str
) -> None:
    assert template_database  # It has made the roles that all databases share.
    owner = f"o{uuid4().hex[:12]}"
    database = empty_database_url.partition("?")[0].rpartition("/")[2]
    for sql in (
        f"CREATE ROLE {owner} LOGIN CREATEROLE NOSUPERUSER",
        f"ALTER DATABASE {database} OWNER TO {owner}",
        # On a server of its own the owner makes the group; here another test's owner already has.
        f"GRANT mykey_component TO {owner} WITH ADMIN OPTION",
        f"GRANT mykey_hub TO {owner} WITH ADMIN OPTION",
    ):
        await asyncio.to_thread(admin.execute, sql)
    try:
        parts = urlsplit(empty_database_url)
        url = urlunsplit(parts._replace(netloc=f"{owner}@{parts.netloc.rpartition('@')[2]}"))
        assert await fetch(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
        sql = f"CREATE TABLE a (n int); GRANT SELECT ON a TO mykey_{name};"
        files = source(name, n0001_base=sql)
        assert await migrate(url, [files], {name: STRONG}) == [Applied(name, "0001_base.sql")]
        assert await migrate(url, [files], {name: STRONG}) == []
        assert await fetch(component_url(url, name, Settings()), f"SELECT n FROM {name}.a") == []  # noqa: S608
    finally:
        await asyncio.to_thread(admin.execute, f"DROP DATABASE {database} WITH (FORCE)")
        await asyncio.to_thread(admin.execute, f"DROP ROLE mykey_{name}")
        await asyncio.to_thread(admin.execute, f"DROP ROLE {owner}")


async def test_the_server_keeps_the_password_we_mean(empty_database_url: str, tmp_path: Path, name: str) -> None:
    await migrate(empty_database_url, [MigrationSource(name, tmp_path)], {name: STRONG})
    kept = "SELECT rolpassword FROM pg_authid WHERE rolname = $1"
    ((ours,),) = await fetch(empty_database_url, kept, f"mykey_{name}")
    # The server computes the same from the password itself and the salt of ours.
    assert ours == roles.scram_verifier(STRONG.get_secret_value(), salt_of(ours))
    assert ours != roles.scram_verifier("another password", salt_of(ours))


def salt_of(verifier: str) -> bytes:
    return base64.b64decode(verifier.split("$")[1].split(":")[1])


async def test_everything_installed_is_in_the_template(database_url: str) -> None:
    assert await migrate(database_url, all_sources()) == []
    expected = {(source.name, len(migrations.read_files(source))) for source in all_sources()}
    counted = await fetch(database_url, "SELECT component, count(*) FROM hub.migration GROUP BY component")
    assert set(counted) == {(component, count) for component, count in expected if count}


async def test_no_component_is_a_superuser_or_more(database_url: str) -> None:
    powers = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
    sql = f"SELECT rolname FROM pg_roles WHERE rolname ~ '^mykey_' AND rolname <> 'mykey_owner' AND ({powers})"  # noqa: S608
    assert await fetch(database_url, sql) == []


@pytest.mark.parametrize("component", ["", "Ledger", "a-b", "component", "1st", "x" * 60, 'x"; DROP TABLE a'])
def test_what_cannot_name_a_role_names_no_component(component: str) -> None:
    with pytest.raises(ValueError, match="name of a component"):
        roles.role_of(component)


def test_a_component_connects_as_itself() -> None:
    local = "postgresql://mykey_owner@/mykey?host=/run/mykey/socket"
    assert component_url(local, "ledger", Settings()) == "postgresql://mykey_ledger@/mykey?host=/run/mykey/socket"
    remote = "postgresql://owner:p%40ss@db.internal:5433/mykey?sslmode=require"
    with pytest.raises(MissingRolePasswordError, match="ledger"):
        component_url(remote, "ledger", Settings())
    given = Settings(role_passwords={"ledger": SecretStr("correct:horse@battery/")})
    assert component_url(remote, "ledger", given) == (
        "postgresql://mykey_ledger:correct%3Ahorse%40battery%2F@db.internal:5433/mykey?sslmode=require"
    )


@pytest.mark.parametrize(
    "url, as_owner",
    [
        (
            "postgresql://mykey_owner@there/mykey?sslmode=require",
            "postgresql://mykey_owner:p%40ss@there/mykey?sslmode=require",
        ),
        ("postgresql://mykey_owner:other@there/mykey", "postgresql://mykey_owner:other@there/mykey"),
        ("postgresql://another@there/mykey", "postgresql://another@there/mykey"),
    ],
)
def test_the_owner_has_one_password_wherever_partitions_live(url: str, as_owner: str) -> None:
    assert owner_url(url, "postgresql://mykey_owner:p%40ss@here:5432/mykey") == as_owner
    assert owner_url(url, "postgresql://mykey_owner@here:5432/mykey") == url


async def test_a_file_that_gave_way_to_the_hub_at_work_is_run_again(
    empty_database_url: str, source: Writes, name: str
) -> None:
    """Both hold what the other waits for; PostgreSQL ends whoever waited first, which is the file."""
    await migrate(empty_database_url, [source(name, n0001_tables="CREATE TABLE a (); CREATE TABLE b ();")])
    more = source(name, n0002_locks="LOCK TABLE a; LOCK TABLE b; ALTER TABLE b ADD COLUMN c int;")
    at_work = await asyncpg.connect(empty_database_url)
    try:
        async with at_work.transaction():
            await at_work.execute(f"LOCK TABLE {name}.b")
            migrating = asyncio.create_task(migrate(empty_database_url, [more]))
            await wait_until(lambda: _waits(at_work, f"{name}.b"))
            await at_work.execute(f"LOCK TABLE {name}.a")
        assert [one.name for one in await migrating] == ["0002_locks.sql"]
    finally:
        await at_work.close()


async def test_while_a_file_waits_for_a_table_the_hub_goes_on(
    empty_database_url: str, source: Writes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump holds what it reads until its end, and whoever asks behind a file that waits would wait as long."""
    monkeypatch.setattr("hub.migrations._AGAIN_AFTER_S", 0.2)
    await migrate(empty_database_url, [source(name, n0001_tables="CREATE TABLE a ();")])
    more = source(name, n0002_column="ALTER TABLE a ADD COLUMN c int;")
    dump, at_work = [await asyncpg.connect(empty_database_url) for _ in range(2)]
    try:
        async with dump.transaction():
            await dump.execute(f"LOCK TABLE {name}.a IN ACCESS SHARE MODE")
            migrating = asyncio.create_task(migrate(empty_database_url, [more]))
            await wait_until(lambda: _waits(dump, f"{name}.a"))
            await at_work.execute(f"SELECT FROM {name}.a", timeout=5)
            assert not migrating.done()
        assert [one.name for one in await migrating] == ["0002_column.sql"]
    finally:
        await dump.close()
        await at_work.close()


async def test_a_file_that_is_kept_from_its_tables_says_so(
    empty_database_url: str, source: Writes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.migrations._TABLES_LIMIT_S", 0.0)
    await migrate(empty_database_url, [source(name, n0001_tables="CREATE TABLE a ();")])
    more = source(name, n0002_column="ALTER TABLE a ADD COLUMN c int;")
    dump = await asyncpg.connect(empty_database_url)
    try:
        async with dump.transaction():
            await dump.execute(f"LOCK TABLE {name}.a IN ACCESS SHARE MODE")
            with pytest.raises(TablesInUseError, match=r"0002_column\.sql"):
                await migrate(empty_database_url, [more])
    finally:
        await dump.close()


async def _waits(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> bool:
    return bool(await connection.fetchval(WAITING, table))
