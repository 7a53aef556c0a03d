"""A hub that comes up in any order: `migrate` waits for PostgreSQL, and nobody works on less than his program needs."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from hub import migrations
from hub.__main__ import main
from hub.database import answering
from hub.embedded_postgres import EmbeddedPostgres
from hub.errors import TransientError
from hub.migrations import NotMigratedError
from hub.serving import migrated_before
from hub.settings import Settings
from tests.hub.test_looking import ADD_LATER, FORGET_LATEST, IS_APPLIED, asked
from tests.running import SECRET_KEY
from tests.waiting import wait_until

END_LIMIT_S: Final = 60.0
NOBODY: Final = "postgresql://mykey_owner@/mykey?host=/nowhere"
RUN: Final = ("run", "clockwork", "--no-http", "--no-migrate")
BEFORE_GRANTS: Final = "REVOKE SELECT ON hub.migration FROM mykey_component"
FORGET_LATEST_OF_CLOCKWORK: Final = FORGET_LATEST.replace("'hub'", "'clockwork'")


@pytest.fixture
def server() -> Iterator[tuple[EmbeddedPostgres, str]]:
    """A server of the test's own, which has been there and is not now, and the URL of its owner."""
    with EmbeddedPostgres.temporary() as made:
        url = made.url
        made._delete_on_stop = False
        made.stop()
        made._delete_on_stop = True
        yield made, url


async def test_migrate_waits_for_a_server_that_comes_later(
    server: tuple[EmbeddedPostgres, str], tmp_path: Path
) -> None:
    postgres, url = server
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub", "migrate", stdout=log, stderr=log, env=_environment(url)
        )
    try:
        await wait_until(lambda: "waiting_for_postgresql" in (tmp_path / "log").read_text(), END_LIMIT_S)
        await asyncio.to_thread(postgres.start)
        async with asyncio.timeout(END_LIMIT_S):
            assert await process.wait() == 0, (tmp_path / "log").read_text()
        await migrations.check(url, migrations.installed_sources())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _environment(database_url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MYKEY_")}
    return {**kept, "MYKEY_DATABASE_URL": database_url, "MYKEY_SECRET_KEY": SECRET_KEY}


async def test_waiting_for_postgresql_has_a_limit() -> None:
    with pytest.raises(TransientError, match="did not answer within 0 s"):
        await answering(NOBODY, limit_s=0)


async def test_a_server_that_does_not_want_us_is_not_waited_for(database_url: str) -> None:
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await answering(database_url.replace("/mykey_test_", "/none_"))


@pytest.mark.parametrize("forget", [FORGET_LATEST, FORGET_LATEST_OF_CLOCKWORK])
def test_a_component_does_not_work_on_less_than_its_program_needs(
    forget: str, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _set(monkeypatch, database_url)
    latest = str(asked(database_url, forget))
    assert main(RUN) == 1
    said = capsys.readouterr().err
    assert f"{latest} is not applied" in said
    assert "mykey-hub migrate" in said
    assert asked(database_url, IS_APPLIED, latest) == 0


@pytest.mark.parametrize("state", ["empty", "of a release that did not tell"])
def test_nor_on_what_was_never_migrated(
    state: str,
    empty_database_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = empty_database_url if state == "empty" else database_url
    if state != "empty":
        asked(url, BEFORE_GRANTS)
    _set(monkeypatch, url)
    assert main(RUN) == 1
    said = capsys.readouterr().err
    assert said.startswith("NotMigratedError: ")
    assert "Traceback" not in said


def _set(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("MYKEY_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("MYKEY_DATABASE_URL", database_url)


async def test_a_later_release_may_have_migrated_it(database_url: str) -> None:
    await asyncio.to_thread(asked, database_url, ADD_LATER)
    async with migrated_before(_settings(database_url), ["clockwork", "ledger"]) as url:
        assert url == database_url


async def test_while_one_of_several_databases_is_away_the_others_are_worked_on(database_url: str) -> None:
    async with migrated_before(_settings(database_url, {"8-15": NOBODY}), ["ledger"]) as url:
        assert url == database_url


async def test_each_of_several_databases_that_answers_is_to_be_migrated(
    database_url: str, empty_database_url: str
) -> None:
    with pytest.raises(NotMigratedError):
        async with migrated_before(_settings(database_url, {"8-15": empty_database_url}), ["ledger"]):
            pass


async def test_where_the_hubs_own_database_is_away_it_is_said_so() -> None:
    with pytest.raises(TransientError, match="the database is away"):
        async with migrated_before(_settings(NOBODY), ["ledger"]):
            pass


def _settings(database_url: str, elsewhere: dict[str, str] | None = None) -> Settings:
    return Settings.model_validate(
        {"database_url": database_url, "secret_key": SECRET_KEY, "partition_databases": elsewhere or {}}
    )
