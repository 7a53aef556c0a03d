"""A sandbox is nowhere but where it made everything itself."""

import shutil
from pathlib import Path

import asyncpg
import pytest
from aiohttp import ClientSession

from connectors.sandbox import commands, place
from connectors.sandbox.hosting import sandbox
from connectors.sandbox.place import SandboxRefusedError
from demo.ports import free_port
from hub import migrations
from hub.installed import UnknownComponentError, installed
from tests.connectors.sandbox.somebody import Somebody
from tests.running import SECRET_KEY


def test_a_database_that_is_named_is_never_touched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MYKEY_DATABASE_URL", "postgresql://owner@db.example/mykey")
    monkeypatch.setenv("MYKEY_SECRET_KEY", SECRET_KEY)
    assert commands.main(["--keep", str(tmp_path / "new")]) == 1
    assert "MYKEY_DATABASE_URL" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_a_folder_of_somebody_else_is_left_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text(SECRET_KEY)
    assert commands.main(["--keep", str(tmp_path)]) == 1
    assert "no sandbox" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]
    assert commands.main(["--keep", str(tmp_path / "secret_key")]) == 1


async def test_a_real_hubs_database_is_recognised_wherever_it_lies(empty_database_url: str) -> None:
    await migrations.migrate(empty_database_url, migrations.installed_sources())
    with pytest.raises(SandboxRefusedError):
        await place._migrate(empty_database_url)
    connection = await asyncpg.connect(empty_database_url)
    try:
        assert await connection.fetchval("SELECT to_regnamespace('sandbox')") is None
    finally:
        await connection.close()


def test_no_process_of_a_real_hub_hosts_it() -> None:
    with pytest.raises(UnknownComponentError):
        installed(["sandbox"])
    assert "sandbox" not in {source.name for source in migrations.installed_sources()}


@pytest.mark.loopback
@pytest.mark.timeout(300)
async def test_one_that_is_kept_goes_on_where_it_was(tmp_path: Path) -> None:
    kept, port = tmp_path / "kept", free_port()
    try:
        async with sandbox(kept, port) as url, ClientSession() as session:
            before = await Somebody.new(session, url)
            moved = await before.sandbox("POST", "/clock", {"days": 3})
        async with sandbox(kept, port) as url, ClientSession() as session:
            after = Somebody(session, url, before.told)
            assert (await after.sandbox("GET", "/clock"))["now"] > moved["now"]
            assert (await after.ask("GET", "/api/partner/webhook")).status == 404
            assert await after.balances("hanako") == {"reserve": 1_200}
            await Somebody.new(session, url, name="もう一社")
    finally:
        # For root the server lives elsewhere, and the folder is a link to it.
        shutil.rmtree((kept / "postgres").resolve(), ignore_errors=True)
