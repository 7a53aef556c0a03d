"""Where a sandbox lives: a folder and a database of its own making, and on no other will it start."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from hub import migrations
from hub.embedded_postgres import EmbeddedPostgres
from hub.errors import PermanentError
from hub.migrations import MigrationSource
from hub.settings import Settings, read_settings

NAME: Final = "sandbox"
NAMED: Final = "MYKEY_DATABASE_URL"
"""Of the component, of its schema, and of the file by which its folder is known."""
CLOCK_FILE: Final = "clock"
ANCHORS_FOLDER: Final = "anchors"


_NO_FLUSH: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""What goes with us need not outlive a power cut."""


class SandboxRefusedError(PermanentError):
    """A sandbox works on a folder and a database that it has made itself, and on no other."""


class Place(NamedTuple):
    """A sandbox's own settings, its database's owner, and whether it has lived here before."""

    settings: Settings
    owner_url: str
    folder: Path


@asynccontextmanager
async def opened(kept: Path | None, port: int) -> AsyncIterator[Place]:
    """In the folder `kept`, or in one that goes with us. Raises SandboxRefusedError."""
    _refuse_a_named_database()
    if kept is None:
        with TemporaryDirectory(prefix="mykey-sandbox-") as name:
            async with _running(Path(name), EmbeddedPostgres.temporary(_NO_FLUSH), port) as place:
                yield place
        return
    _claim(kept)
    async with _running(kept, EmbeddedPostgres(kept / "postgres"), port) as place:
        yield place


def _refuse_a_named_database() -> None:
    if os.environ.get(NAMED) or read_settings().database_url is not None:
        raise SandboxRefusedError(f"{NAMED} is set, and a sandbox works on a database of its own only: unset it")


def _claim(folder: Path) -> None:
    """A new or empty folder becomes a sandbox's, one that is one stays it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            (folder / NAME).touch(mode=0o600)
        if not (folder / NAME).is_file():
            raise SandboxRefusedError(f"{folder} holds something, and it is no sandbox: name a new folder")
    except OSError as error:
        raise SandboxRefusedError(f"{folder}: {error.strerror}") from error


@asynccontextmanager
async def _running(folder: Path, server: EmbeddedPostgres, port: int) -> AsyncIterator[Place]:
    url = await asyncio.to_thread(server.start)
    try:
        await _migrate(url)
        yield Place(_settings(folder, port), url, folder)
    finally:
        await asyncio.to_thread(server.stop)


async def _migrate(url: str) -> None:
    """Nothing is changed in a database that somebody else has made: a real one, copied here."""
    known = await migrations.components_of(url)
    if known and NAME not in known:
        raise SandboxRefusedError("the database in this folder is a real hub's: a sandbox makes its own")
    own = MigrationSource(NAME, Path(__file__).parent / "migrations")
    await migrations.migrate(url, [own, *migrations.installed_sources()])


def _settings(folder: Path, port: int) -> Settings:
    """Whatever a real hub on this machine has of secrets and servers is none of ours."""
    anchors = folder / ANCHORS_FOLDER
    anchors.mkdir(mode=0o700, exist_ok=True)
    return Settings.model_validate(
        {
            "data_dir": folder,
            "database_url": None,
            "secret_key": None,
            "role_passwords": {},
            "transport": "postgres",
            "amqp_url": None,
            "http_port": port,
            "rehearsal_clock": folder / CLOCK_FILE,
            "card_anchors": anchors,
            "card_register": None,
            "demo_file": None,
            "checkpoint_mail_to": None,
            "operator_mail_to": None,
        }
    )
