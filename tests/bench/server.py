"""The server that everything in one call is measured on: the embedded PostgreSQL with its own settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from hub import migrations
from hub.clock import business_date_of
from hub.embedded_postgres import OWNER_ROLE, EmbeddedPostgres
from tests.bench import seeding

DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")
SHOWN: Final = (*DURABLE, "shared_buffers", "max_wal_size", "checkpoint_timeout", "wal_compression", "commit_delay")
CONNECT_LIMIT_S: Final = 30.0

Connection: TypeAlias = "asyncpg.Connection[Any]"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `hub_url` is the owner's URL of the hub's database."""

    hub_url: str
    bin_path: Path
    data_path: Path

    @property
    def socket_folder(self) -> str:
        """Where it listens."""
        return self.hub_url.partition("host=")[2]

    @property
    def owner(self) -> str:
        """The owner's role."""
        return OWNER_ROLE

    def url_of(self, database: str) -> str:
        """The owner's URL of another database."""
        return urlunsplit(urlsplit(self.hub_url)._replace(path=f"/{database}"))


@contextmanager
def started() -> Iterator[Server]:
    """A server of its own for this call, on this machine's disk; gone afterwards."""
    with EmbeddedPostgres.temporary() as running:
        yield Server(running.url, running.bin_path, running.data_path)


async def connected(url: str) -> Connection:
    """A connection, not cut off by long statements."""
    return await asyncpg.connect(url, timeout=CONNECT_LIMIT_S)


async def settings_of(connection: Connection) -> dict[str, str]:
    """The settings that matter, as the server has them. Raises NotDurableError."""
    found = {name: str(await connection.fetchval("SELECT current_setting($1)", name)) for name in SHOWN}
    off = [name for name in DURABLE if found[name] != "on"]
    if off:
        raise NotDurableError(", ".join(off))
    return found


class NotDurableError(Exception):
    """A figure from a server that may lose a commit is no figure: these settings must be on."""


async def prepare(server: Server, citizens: int) -> None:
    """The hub's database, with its components' tables and the lots that lie there beforehand."""
    await migrations.migrate(server.hub_url, migrations.installed_sources())
    connection = await connected(server.hub_url)
    try:
        now = datetime.now(UTC)
        await seeding.seed(connection, citizens, now, business_date_of(now))
    finally:
        await connection.close()


async def even_out(connection: Connection) -> None:
    """Before every measurement: nothing of the one before is left to be written."""
    await connection.execute("CHECKPOINT")


async def create_database(server: Server, name: str) -> None:
    """A database of a yardstick's own."""
    connection = await connected(server.hub_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
