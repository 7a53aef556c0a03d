"""F26: no space left where PostgreSQL, the logs or a drop folder live; room is made, and all goes on by itself.

The volumes are real and small (tmpfs), which takes root.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg
import pytest

from hub import migrations
from hub.database import UNREACHABLE
from hub.embedded_postgres import EmbeddedPostgres
from hub.postgres_programs import EmbeddedPostgresError
from schemas.uplink import MergeTrouble
from tests.conftest import all_sources
from tests.connectors.partner.test_killed import hub
from tests.connectors.partner.town import Partner, settle
from tests.reader_agent.test_merge_files import at_work, file, names
from tests.reliability.operations import QUICK
from tests.reliability.test_stopped_database import Load, assert_posted_once
from tests.running import running
from tests.waiting import wait_until

DATABASE_SIZE: Final = "400m"
DROP_SIZE: Final = "64k"
NO_ROOM: Final = Path("/dev/full")
"""Linux's own: every write to it finds the disk full."""
BEFORE, MEANWHILE, AFTER = 20, 8, 20
LIMIT_S: Final = 60.0
"""L1."""
LOOK_S: Final = 0.2
CHUNK_BYTES: Final = 1 << 20


@contextmanager
def volume(size: str) -> Iterator[Path]:
    """A folder with a disk of its own."""
    folder = Path(tempfile.mkdtemp(prefix="mykey-volume-"))
    folder.chmod(0o755)
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder], capture_output=True, check=False
    )
    try:
        if mounted.returncode:
            pytest.skip("a small disk can only be made by root")
        yield folder
    finally:
        if not mounted.returncode:
            subprocess.run(["/bin/umount", "--lazy", folder], check=True)
        shutil.rmtree(folder)


def fill(folder: Path) -> Path:
    """To the last byte; room is made by removing what is returned."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as writing:
        for chunk in (CHUNK_BYTES, 1):
            try:
                while writing.write(bytes(chunk)) == chunk:
                    pass
            except OSError:
                continue
    assert shutil.disk_usage(folder).free == 0
    return ballast


@contextmanager
def database_on(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres.temporary({**QUICK, "max_wal_size": "64MB"}, folder)
    try:
        asyncio.run(migrations.migrate(server.start(), all_sources()))
        yield server
    finally:
        server._delete_on_stop = True
        server.stop()


async def is_up(server: EmbeddedPostgres) -> bool:
    """Whether it answers, after its service manager has started it again where it has ended for want of room."""
    try:
        connection = await asyncpg.connect(server.url, timeout=LIMIT_S)
    except (*UNREACHABLE, EmbeddedPostgresError):
        assert server._guard is not None
        if server._guard.poll() is not None:
            server._delete_on_stop = False
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
        return False
    await connection.close()
    return True


async def play(server: EmbeddedPostgres, folder: Path) -> Load:
    """Load; no room; room again. The hub's own log has none from the beginning."""
    async with running(server.url, "registry", "ledger") as process:
        keys = await settle(process)
    no_room = os.open(NO_ROOM, os.O_WRONLY)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
        hub(server.url, errors_to=no_room) as (process, url),
    ):
        load = Load([Partner(session, url, "airline", keys["airline"])])
        loading = asyncio.create_task(load.run())
        try:
            await wait_until(lambda: len(load.answered) >= BEFORE, LIMIT_S)
            ballast = fill(folder)
            await wait_until(lambda: load.sent_away[0] >= MEANWHILE, LIMIT_S)
            assert load.refusals, "nobody was told to come back later"
            ballast.unlink()
            await wait_until(lambda: is_up(server), LIMIT_S, LOOK_S)
            load.back[0].clear()
            await wait_until(lambda: len(load.back[0]) >= AFTER, LIMIT_S)
        finally:
            load.ended = True
            await loading
        assert process.returncode is None, "the hub has ended"
        for number, results in load.answered.items():
            assert {one["status"] for one in results} == {"posted"}
            assert await load.ask(0, number) == [one | {"replayed": True} for one in results]
    os.close(no_room)
    return load


@pytest.mark.timeout(300)
@pytest.mark.skipif(not NO_ROOM.exists(), reason="/dev/full is Linux's")
def test_a_full_database_disk_and_a_full_log_lose_nothing() -> None:
    with volume(DATABASE_SIZE) as folder, database_on(folder) as server:
        load = asyncio.run(play(server, folder))
        asyncio.run(assert_posted_once(server.url, load))


async def test_a_full_drop_folder_has_no_part_of_a_file() -> None:
    with volume(DROP_SIZE) as folder:
        (folder / "own").symlink_to(tempfile.mkdtemp(prefix="mykey-own-"))
        async with at_work(folder) as shop:
            await shop.drop.connected(shop.tell)
            ballast = fill(folder)
            assert await shop.ask(file(content=bytes(1024))) == [MergeTrouble.full]
            assert names(shop.folder) == []
            ballast.unlink()
            assert await shop.ask(file(content=bytes(1024))) == [None]
        shutil.rmtree((folder / "own").resolve())
