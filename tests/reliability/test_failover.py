"""F18: PostgreSQL is lost under load and its standby promoted, by the commands of docs/operations.md."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg
import pytest

from hub import migrations, postgres_config, postgres_folders
from hub.embedded_postgres import OWNER_ROLE, EmbeddedPostgres
from hub.postgres_config import Place
from hub.postgres_programs import find_programs
from tests.conftest import all_sources
from tests.reliability.operations import QUICK, run_commands, section
from tests.reliability.test_stopped_database import AFTER, BEFORE, Load, assert_posted_once, stop_immediately, two_doors
from tests.waiting import wait_until

PAGE: Final = "A standby"
LIMIT_S: Final = 60.0
"""L1."""
MEANWHILE: Final = 4
FENCED_S: Final = 2.0
IS_FOLLOWING: Final = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
IS_SYNCHRONOUS: Final = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


class Standby:
    """A server beside the first, made by the page's commands."""

    def __init__(self, primary: EmbeddedPostgres) -> None:
        self._primary = primary
        self._programs = find_programs()
        self.folder = postgres_folders.prepared(postgres_folders.temporary(), self._programs.account)
        self._socket_folder = postgres_folders.prepared_for_socket(self.folder, self._programs.account)
        self.url = urlunsplit(urlsplit(primary.url)._replace(query=f"host={self._socket_folder}"))

    @property
    def both_url(self) -> str:
        """The hub's: whichever of the two may be written to."""
        hosts = ",".join(parse_qs(urlsplit(url).query)["host"][0] for url in (self._primary.url, self.url))
        return urlunsplit(urlsplit(self.url)._replace(query=f"host={hosts}&target_session_attrs=read-write"))

    def start(self) -> None:
        """Made, started, followed."""
        make, synchronous, _ = section(PAGE)
        account = self._programs.account
        names = {"STANDBY": self.folder, "ACCOUNT": account.name if account else os.geteuid()}
        run_commands(make, MYKEY_DATABASE_URL=self._primary.url, **names)
        settings = {**postgres_config.tuned_settings(has_lz4=False), **QUICK}
        postgres_config.write(Place(self.folder, self._socket_folder, account), settings, OWNER_ROLE)
        options = f"-c config_file={self.folder}/postgresql.conf"
        self._ctl("start", f"--options={options}", f"--log={self.folder}/data/server.log", "--wait")
        asyncio.run(self._is(IS_FOLLOWING))
        run_commands(synchronous, MYKEY_DATABASE_URL=self._primary.url)
        asyncio.run(self._is(IS_SYNCHRONOUS))

    def promote(self) -> None:
        """By the page's command, as the server's own account."""
        *_, promote = section(PAGE)
        assert promote.split()[:2] == ["pg_ctl", "promote"]
        self._ctl("promote", "--wait")

    def stop(self) -> None:
        """And remove everything."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._ctl("stop", "--mode=immediate")
        shutil.rmtree(self.folder)

    def _ctl(self, command: str, *options: str) -> None:
        self._programs.run("pg_ctl", [command, f"--pgdata={self.folder}/data", *options], timeout_s=LIMIT_S)

    async def _is(self, question: str) -> None:
        connection = await asyncpg.connect(self._primary.url)
        try:
            await wait_until(lambda: connection.fetchval(question), LIMIT_S)
        finally:
            await connection.close()


@pytest.fixture
def primary() -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres.temporary(QUICK)
    try:
        asyncio.run(migrations.migrate(made.start(), all_sources()))
        yield made
    finally:
        made._delete_on_stop = True
        made.stop()


async def fail_over(primary: EmbeddedPostgres, standby: Standby, load: Load) -> None:
    """Under load: the first server is gone at once, its standby promoted, and both doors are back."""
    await wait_until(lambda: len(load.answered) >= BEFORE, LIMIT_S)
    await asyncio.to_thread(stop_immediately, primary)
    load.sent_away.clear()
    await wait_until(lambda: all(load.sent_away[door] >= MEANWHILE for door in range(2)), LIMIT_S)
    for seen in load.back:
        seen.clear()
    await asyncio.to_thread(standby.promote)
    await wait_until(lambda: all(load.back), LIMIT_S)
    await wait_until(lambda: sum(map(len, load.back)) >= AFTER, LIMIT_S)


async def play(primary: EmbeddedPostgres, standby: Standby) -> Load:
    """The load and the failover; at its end everything is asked once more."""
    async with two_doors(standby.both_url) as (load, _):
        loading = asyncio.create_task(load.run())
        try:
            await fail_over(primary, standby, load)
        finally:
            load.ended = True
            await loading
        for number, results in load.answered.items():
            assert {one["status"] for one in results} == {"posted"}
            assert await load.ask(number % 2, number) == [one | {"replayed": True} for one in results]
    return load


async def acknowledges_nothing(url: str) -> None:
    """Somebody has started it as it was."""
    connection = await asyncpg.connect(url)
    try:
        with pytest.raises(TimeoutError):
            await connection.execute("CREATE TABLE written_alone ()", timeout=FENCED_S)
    finally:
        connection.terminate()


@pytest.mark.timeout(300)
def test_a_standby_that_is_promoted_has_everything_that_was_answered(primary: EmbeddedPostgres) -> None:
    with ExitStack() as stack:
        standby = Standby(primary)
        stack.callback(standby.stop)
        standby.start()
        load = asyncio.run(play(primary, standby))
        asyncio.run(assert_posted_once(standby.url, load))
        asyncio.run(acknowledges_nothing(primary.start()))
