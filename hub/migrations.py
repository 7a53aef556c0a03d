"""The smallest migration runner: numbered SQL files, one folder and one schema for each component.

Files are named `NNNN_what_it_does.sql`, from 0001 on without gaps, and are never changed once applied: a
change is a new file. Each runs once, in a transaction of its own, as the owner role, with the component's
schema as its search path; so it holds no BEGIN or COMMIT. What a component may do with its tables is what
its files GRANT to `mykey_<component>`: USAGE on its schema comes by itself, and PUBLIC has nothing.
"""

import asyncio
import hashlib
import importlib.metadata
import importlib.resources
import importlib.util
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources.abc import Traversable
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import asyncpg
from pydantic import SecretStr

from hub.errors import PermanentError, TransientError
from hub.roles import ensure_roles, role_of

ENTRY_POINT_GROUP = "mykey_hub.components"
HUB = "hub"

_FILE_NAME = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9_]+\.sql")
# Any number will do, as long as nobody else in the database uses it.
_LOCK_KEY = 0x6D796B6579
_LOCK_TIMEOUT_S = 300
_TABLE_LOCK_TIMEOUT = "1s"
"""Whoever comes after a file that waits for a table waits too, so it does not wait for longer."""
_AGAIN_AFTER_S = 4.0
_TABLES_LIMIT_S = 240.0
"""Below what another `migrate` waits for this one."""
_CONNECT_TIMEOUT_S = 30

_NO_HUB = (
    "this database holds no hub: start it first (`mykey-hub up`), or set MYKEY_DATABASE_URL, or MYKEY_DATA_DIR, to the"
    " hub's own"
)
_PENDING = (
    "{component}: {file} is not applied to this database, and this program needs it: use the program of the release"
    " that runs, or upgrade the hub (`mykey-hub migrate`, then its processes)"
)

_NO_ROLE = "this database does not let the component in: run `mykey-hub migrate`, which sets its role and password"
_OLDER = "this database was last migrated by an older program: run `mykey-hub migrate` of this release first"

_IN_USE = (
    "{component}: {file} could not lock its tables for {seconds:.0f} s: a dump, `mykey-hub verify` or somebody's open"
    " transaction has them in use. Nothing of it was changed; run `mykey-hub migrate` again when that has ended"
)

_LOCK_SQL = "SELECT pg_advisory_lock($1)"

_NOTHING_FOR_PUBLIC_SQL = """
DO $$ BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON ROUTINES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TYPES FROM PUBLIC;
"""

_CREATE_SCHEMA_SQL = """
DO $$
DECLARE
  schema_name text := current_setting('mykey.schema_name');
  role_name text := current_setting('mykey.role_name');
BEGIN
  EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', schema_name);
  EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', schema_name);
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', schema_name, role_name);
END $$
"""

_CREATE_TABLE_SQL = """
CREATE TABLE IF NOT EXISTS hub.migration (
  component text NOT NULL,
  number integer NOT NULL CHECK (number >= 1),
  name text NOT NULL,
  sha256 bytea NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (component, number)
);
GRANT SELECT ON hub.migration TO mykey_component;
"""

_APPLIED_SQL = "SELECT name, sha256 FROM hub.migration WHERE component = $1 ORDER BY number"
_APPLIED_TO_ALL_SQL = "SELECT component, number FROM hub.migration WHERE component = ANY ($1)"
_COMPONENTS_SQL = "SELECT DISTINCT component FROM hub.migration"
_RECORD_SQL = "INSERT INTO hub.migration (component, number, name, sha256) VALUES ($1, $2, $3, $4)"
_SET_LOCAL_SQL = "SELECT set_config($1, $2, true)"


class MigrationRefusedError(PermanentError):
    """The SQL files do not continue what was applied to this database; nothing was changed."""


class NotMigratedError(PermanentError):
    """The database lacks what this program needs: run `mykey-hub migrate`, or a program of the hub's own release."""


class TablesInUseError(TransientError):
    """Somebody keeps tables locked that a file changes; the files before it stay applied."""


class MigrationSource(NamedTuple):
    """A component's SQL files.

    Attributes: name: the component, which is also its schema. folder: where its numbered files are; a
    component without tables needs none, it gets its role all the same.
    """

    name: str
    folder: Traversable


class SqlFile(NamedTuple):
    """One numbered file; its hash takes every line ending as LF."""

    name: str
    number: int
    sql: str
    sha256: bytes


class Applied(NamedTuple):
    """One file that this run applied."""

    component: str
    name: str


async def migrate(
    owner_url: str,
    components: Sequence[MigrationSource],
    role_passwords: Mapping[str, SecretStr] | None = None,
) -> list[Applied]:
    """Bring a database to the state of the files, in the order of the components; safe at every start.

    Args:
        owner_url: a role that owns the database and may create roles.
        components: the hub first; all roles are made before the first file runs.
        role_passwords: component → password, for servers that ask for one.

    Returns:
        What was applied now, in order; empty when there was nothing to do.

    Raises:
        MigrationRefusedError: a name does not fit, numbers have gaps, or an applied file was changed or is
        gone. TablesInUseError: see there. asyncpg.PostgresError: a file failed; it left nothing behind, the
        files before it stay applied.
    """
    files = {source.name: read_files(source) for source in components}
    connection = await asyncpg.connect(owner_url, timeout=_CONNECT_TIMEOUT_S)
    try:
        await connection.execute(_LOCK_SQL, _LOCK_KEY, timeout=_LOCK_TIMEOUT_S)
        names = _names(components)
        await ensure_roles(connection, names, role_passwords or {})
        await _ensure_schemas(connection, names)
        pending = {name: await _pending(connection, name, found) for name, found in files.items()}
        return [await _apply(connection, name, file) for name, waiting in pending.items() for file in waiting]
    finally:
        # Closing also gives the lock back, whatever happened.
        await connection.close()


async def check(owner_url: str, components: Sequence[MigrationSource]) -> None:
    """See that a database is in the state of the files; nothing is changed.

    Raises:
        NotMigratedError: it holds no hub, or files are still to be applied. MigrationRefusedError: as `migrate`.
    """
    files = {source.name: read_files(source) for source in components}
    connection = await asyncpg.connect(owner_url, timeout=_CONNECT_TIMEOUT_S)
    try:
        pending = {name: await _pending(connection, name, found) for name, found in files.items()}
    except asyncpg.UndefinedTableError as error:
        raise NotMigratedError(_NO_HUB) from error
    finally:
        await connection.close()
    for name, waiting in pending.items():
        if waiting:
            raise NotMigratedError(_PENDING.format(component=name, file=waiting[0].name))


async def check_as_component(url: str, components: Sequence[str], sources: Sequence[MigrationSource]) -> None:
    """See that a database lacks nothing of these sources which these components, and the hub, need; asked as `url`.

    It may have more: a later release has migrated it, beside which this one still works.

    Raises:
        NotMigratedError: files are still to be applied, or the role was never made.
    """
    needed = [HUB, *components]
    applied = await _applied_to_all(url, needed)
    for source in sources:
        for file in read_files(source) if source.name in needed else ():
            if (source.name, file.number) not in applied:
                raise NotMigratedError(_PENDING.format(component=source.name, file=file.name))


async def _applied_to_all(url: str, components: Sequence[str]) -> frozenset[tuple[str, int]]:
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_S)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise NotMigratedError(_NO_ROLE) from error
    try:
        rows = await connection.fetch(_APPLIED_TO_ALL_SQL, components, timeout=_CONNECT_TIMEOUT_S)
    except asyncpg.UndefinedTableError as error:
        raise NotMigratedError(_NO_HUB) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise NotMigratedError(_OLDER) from error
    finally:
        await connection.close()
    return frozenset((row["component"], row["number"]) for row in rows)


async def components_of(owner_url: str) -> frozenset[str]:
    """Whose files were ever applied to this database; nobody's where it is new."""
    connection = await asyncpg.connect(owner_url, timeout=_CONNECT_TIMEOUT_S)
    try:
        rows = await connection.fetch(_COMPONENTS_SQL)
    except asyncpg.UndefinedTableError:
        return frozenset()
    finally:
        await connection.close()
    return frozenset(row["component"] for row in rows)


async def make_roles(
    owner_url: str, components: Sequence[MigrationSource], role_passwords: Mapping[str, SecretStr] | None = None
) -> None:
    """Make the roles alone, as `migrate` does: a backup of a database names them and does not carry them."""
    connection = await asyncpg.connect(owner_url, timeout=_CONNECT_TIMEOUT_S)
    try:
        await ensure_roles(connection, _names(components), role_passwords or {})
    finally:
        await connection.close()


def read_files(source: MigrationSource) -> list[SqlFile]:
    """A component's files in order.

    Raises:
        MigrationRefusedError: an SQL file's name does not fit, or the numbers are not 1, 2, 3, ….
    """
    if not source.folder.is_dir():
        return []
    found = sorted(
        (_read(source, entry) for entry in source.folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    for expected, file in enumerate(found, start=1):
        if file.number != expected:
            raise MigrationRefusedError(f"{source.name}: {file.name} stands where number {expected:04} should be")
    return found


def installed_sources() -> list[MigrationSource]:
    """The hub and every installed component, with the folder `migrations` of its package, whether it exists or not."""
    hub = MigrationSource(HUB, importlib.resources.files("hub") / "sql" / "migrations")
    points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    folders = ((point.name, _package_folder(point.module)) for point in sorted(points, key=lambda p: p.name))
    return [hub, *(MigrationSource(name, folder / "migrations") for name, folder in folders if folder is not None)]


def _package_folder(module: str) -> Traversable | None:
    """The folder of the package in which a component's module lies; the module itself is not imported."""
    package = module.rpartition(".")[0] or module
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None
    places: Iterable[str] = (spec.submodule_search_locations or ()) if spec else ()
    return next((Path(place) for place in places), None)


def _read(source: MigrationSource, entry: Traversable) -> SqlFile:
    match = _FILE_NAME.fullmatch(entry.name)
    if match is None:
        raise MigrationRefusedError(f"{source.name}: {entry.name} is not named NNNN_what_it_does.sql")
    content = entry.read_bytes().replace(b"\r\n", b"\n")
    return SqlFile(entry.name, int(match["number"]), content.decode(), hashlib.sha256(content).digest())


def _names(components: Sequence[MigrationSource]) -> list[str]:
    return list(dict.fromkeys([HUB, *(source.name for source in components)]))


async def _ensure_schemas(connection: asyncpg.Connection, components: Sequence[str]) -> None:
    async with connection.transaction():
        await connection.execute(_NOTHING_FOR_PUBLIC_SQL)
        for name in components:
            await connection.execute(_SET_LOCAL_SQL, "mykey.schema_name", name)
            await connection.execute(_SET_LOCAL_SQL, "mykey.role_name", role_of(name))
            await connection.execute(_CREATE_SCHEMA_SQL)
        await connection.execute(_CREATE_TABLE_SQL)


async def _pending(connection: asyncpg.Connection, component: str, files: Sequence[SqlFile]) -> Sequence[SqlFile]:
    applied = await connection.fetch(_APPLIED_SQL, component)
    for row, file in zip_longest(applied, files[: len(applied)]):
        if file is None:
            raise MigrationRefusedError(
                f"{component}: {row['name']} was applied to this database but is not here: the program is old,"
                " use the one of the hub's release"
            )
        if (row["name"], row["sha256"]) != (file.name, file.sha256):
            raise MigrationRefusedError(
                f"{component}: {row['name']} was applied to this database, and {file.name} is not the same:"
                " put it back as it was and make the change in a new file"
            )
    return files[len(applied) :]


async def _apply(connection: asyncpg.Connection, component: str, file: SqlFile) -> Applied:
    """Again where the file and whoever is at work were in each other's way: the hub must not stand still behind it."""
    give_up_s = time.monotonic() + _TABLES_LIMIT_S
    while True:
        try:
            return await _apply_once(connection, component, file)
        except (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError) as error:
            if time.monotonic() > give_up_s:
                found = _IN_USE.format(component=component, file=file.name, seconds=_TABLES_LIMIT_S)
                raise TablesInUseError(found) from error
        await asyncio.sleep(_AGAIN_AFTER_S)


async def _apply_once(connection: asyncpg.Connection, component: str, file: SqlFile) -> Applied:
    async with connection.transaction():
        await connection.execute(_SET_LOCAL_SQL, "search_path", component)
        await connection.execute(_SET_LOCAL_SQL, "lock_timeout", _TABLE_LOCK_TIMEOUT)
        await connection.execute(file.sql)
        await connection.execute(_RECORD_SQL, component, file.number, file.name, file.sha256)
    return Applied(component, file.name)
