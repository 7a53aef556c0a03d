"""`mykey-hub terminals` against a registry at work in another process's place."""

import csv
import io
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console

from connectors.terminal import commands
from hub.asking import BadFileError, carry_out
from hub.errors import HubError
from hub.settings import Settings
from tests.running import SECRET_KEY, running

CITY = "232343"
PLAN = """kind,place,issuer_id,point_use_too,mobile,count
service_id,中央図書館,000123,true,,2
grant,市民課,,,true,1
"""


@pytest.fixture
async def settings(database_url: str) -> AsyncIterator[Settings]:
    async with running(database_url, "registry"):
        yield Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))


async def run(settings: Settings, *words: str) -> str:
    """What a command shows."""
    console = Console(record=True, width=240, file=io.StringIO())
    await carry_out(commands._parser().parse_args(words), settings, console, commands.ASKER)
    return console.export_text()


async def test_from_the_plan_to_the_list_that_is_handed_out(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "plan.csv"
    file.write_text(PLAN, encoding="utf-8-sig")
    assert "3 still to be issued" in await run(settings, "plan", CITY, "--file", str(file))
    listed = tmp_path / "list.csv"
    assert "3 terminals are in" in await run(settings, "issue", CITY, "--csv", str(listed))
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600
    rows = list(csv.reader(listed.read_text("utf-8-sig").splitlines()))
    ids = sorted(row[0] for row in rows[1:])
    assert len(ids) == 3
    shown = await run(settings, "list", CITY)
    assert all(terminal_id in shown for terminal_id in ids)
    assert not any(row[1] in shown for row in rows[1:])
    assert "0 still to be issued" in await run(settings, "plan", CITY)
    assert ids[0] in await run(settings, "renew", ids[0])
    await run(settings, "suspend", ids[0], "--reason", "盗難")
    assert "suspended (盗難)" in await run(settings, "list", CITY)
    await run(settings, "resume", ids[0])
    assert "suspended" not in await run(settings, "list", CITY)


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "000000"),
        ("issue", CITY),
        ("renew", "T1"),
        ("renew", "T232343ZZZZZZ"),
        ("resume", "T232343ZZZZZZ"),
        ("plan", CITY, "--file", "/nowhere.csv"),
    ],
)
async def test_what_cannot_be_is_said(settings: Settings, words: tuple[str, ...]) -> None:
    with pytest.raises(HubError):
        await run(settings, *words)


async def test_nothing_is_issued_without_a_place_for_the_list(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "plan.csv"
    file.write_text(PLAN, encoding="utf-8")
    await run(settings, "plan", CITY, "--file", str(file))
    with pytest.raises(BadFileError):
        await run(settings, "issue", CITY, "--csv", str(file))
    assert "3 still to be issued" in await run(settings, "plan", CITY)


@pytest.mark.parametrize("cell", ["1,x", "１", "-1", "1.0", "9999"])
async def test_a_count_is_a_whole_number(settings: Settings, tmp_path: Path, cell: str) -> None:
    file = tmp_path / "plan.csv"
    file.write_text(f"kind,place,count\nvoucher,商工会,{cell}\n", encoding="utf-8")
    with pytest.raises(HubError):
        await run(settings, "plan", CITY, "--file", str(file))
