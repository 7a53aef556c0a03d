"""Commands that look at a hub, or ask it, change no database: neither a running one's nor one that is no hub's."""

import asyncio
from typing import Final

import asyncpg
import pytest

from hub.__main__ import main
from tests.running import SECRET_KEY

COMMANDS: Final = [("console", "flow"), ("trace", "t-1"), ("parties", "list")]
SCHEMAS: Final = "SELECT count(*) FROM pg_namespace WHERE nspname = 'hub'"
FORGET_LATEST: Final = """
DELETE FROM hub.migration
WHERE component = 'hub' AND number = (SELECT max(number) FROM hub.migration WHERE component = 'hub') RETURNING name
"""
IS_APPLIED: Final = "SELECT count(*) FROM hub.migration WHERE component = 'hub' AND name = $1"
ADD_LATER: Final = "INSERT INTO hub.migration VALUES ('hub', 9999, '9999_later.sql', '')"


def asked(database_url: str, sql: str, *values: object) -> object:
    """One value out of the database."""

    async def fetched() -> object:
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetchval(sql, *values)
        finally:
            await connection.close()

    return asyncio.run(fetched())


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYKEY_SECRET_KEY", SECRET_KEY)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_database_stays_empty(
    command: tuple[str, ...],
    empty_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MYKEY_DATABASE_URL", empty_database_url)
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "NotMigratedError: this database holds no hub" in said
    assert "MYKEY_DATABASE_URL" in said
    assert asked(empty_database_url, SCHEMAS) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hub_of_an_older_release_is_not_migrated(
    command: tuple[str, ...], database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MYKEY_DATABASE_URL", database_url)
    latest = str(asked(database_url, FORGET_LATEST))
    assert main(command) == 1
    said = capsys.readouterr().err
    assert latest in said
    assert "mykey-hub migrate" in said
    assert asked(database_url, IS_APPLIED, latest) == 0


def test_a_hub_of_a_newer_release_is_left_to_its_own_program(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MYKEY_DATABASE_URL", database_url)
    asked(database_url, ADD_LATER)
    assert main(["console", "flow"]) == 1
    assert "use the one of the hub's release" in capsys.readouterr().err


def test_a_hub_of_this_release_is_looked_at(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYKEY_DATABASE_URL", database_url)
    assert main(["console", "flow"]) == 0


def test_where_no_database_answers_it_is_said_so(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MYKEY_DATABASE_URL", database_url.replace("host=", "host=/nowhere"))
    assert main(["trace", "t-1"]) == 1
    assert "the database is away" in capsys.readouterr().err
