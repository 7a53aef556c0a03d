"""`mykey-hub streets`: from the settings to a key that the street's own program takes, and what is refused."""

import io
import os
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from rich.console import Console

from connectors.street import commands
from hub.accounts import account_name
from hub.asking import carry_out
from hub.errors import HubError
from hub.settings import Settings
from schemas.municipalities import Registered
from schemas.streets import GiveMergeBack
from street_software import settings as of_street
from tests.running import SECRET_KEY, running

STREET = 'issuer_id = "000777"\ncode = "honmachi"\nname = "本町商店街"\n[layout]\nmode = "{mode}"\n'


@pytest.fixture
async def settings(database_url: str) -> AsyncIterator[Settings]:
    async with running(database_url, "street"):
        yield Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))


async def run(settings: Settings, *words: str) -> str:
    """What a command shows."""
    console = Console(record=True, width=240, file=io.StringIO())
    await carry_out(commands._parser().parse_args(words), settings, console, commands.ASKER)
    return console.export_text()


@pytest.mark.parametrize("mode", ["aes-128-cbc-hmac-sha256", "aes-256-gcm"])
async def test_a_key_that_is_drawn_is_one_that_the_streets_program_takes(
    mode: str, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text(STREET.format(mode=mode), encoding="utf-8")
    registered = await run(settings, "register", str(tmp_path / "settings.toml"))
    assert registered.startswith("honmachi ")
    assert await run(settings, "register", str(tmp_path / "settings.toml")) == registered
    assert "本町商店街" in await run(settings, "list")
    for word, other, told in (
        ("honmachi", "ekimae", "issuer_id 000777 is taken by the street honmachi"),
        ("000777", "000778", "honmachi has the issuer_id 000777"),
    ):
        (tmp_path / "other.toml").write_text(STREET.format(mode=mode).replace(word, other), encoding="utf-8")
        with pytest.raises(HubError, match=told):
            await run(settings, "register", str(tmp_path / "other.toml"))
    (tmp_path / "other.toml").unlink()
    out = tmp_path / "key.toml"
    key = ("key", "honmachi", "2017-1", "--from", "2017-04-01", "--to", "2018-05-01T00:00:00+09:00", "--out", str(out))
    shown = await run(settings, *key)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    lines = f'street = "honmachi"\ndrop_folder = "drop"\nmode = "{mode}"\n{out.read_text(encoding="utf-8")}'
    (tmp_path / of_street.CONFIG_FILE).write_text(lines, encoding="utf-8")
    (found,) = of_street.load(tmp_path).keys
    assert found.valid_from == datetime(2017, 3, 31, 15, tzinfo=UTC)
    assert found.cipher_key.hex() not in shown
    with pytest.raises(HubError):  # the file is there
        await run(settings, *key)
    with pytest.raises(HubError):  # and the key's id is taken
        await run(settings, *key[:-1], str(tmp_path / "other.toml"))
    assert not (tmp_path / "other.toml").exists(), "a key that nobody knows is not left behind"
    assert out.exists()
    await run(settings, "end-key", "honmachi", "2017-1", "--at", "2017-12-01")
    with pytest.raises(HubError):
        await run(settings, "end-key", "honmachi", "2017-1", "--at", "2016-12-01")
    assert "取引済番号" in await run(settings, "merges", "honmachi")
    assert "取引済番号" in await run(settings, "merges", registered.split()[1]), "as mails name it"
    with pytest.raises(HubError):
        await run(settings, "redeliver", str(uuid4()))
    with pytest.raises(HubError):
        await run(settings, "merges", "ekimae")


class _Told:
    """A bus that has one merge, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[GiveMergeBack] = []

    async def call(self, message: object, _deadline_s: float) -> object:
        if isinstance(message, GiveMergeBack):
            self.told.append(message)
        return Registered()

    async def send(self, _commands: object) -> None:
        """The audit, see tests/connectors/operations/test_written_down.py."""


async def test_points_are_given_back_by_the_account_and_not_by_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def merge_id(_bus: object, _number: str) -> UUID:
        return uuid4()

    monkeypatch.setattr(commands, "_merge_id", merge_id)
    monkeypatch.setenv("LOGNAME", "somebody.else")
    bus: Any = _Told()
    options = commands._parser().parse_args(["return", "1", "--reason", "the street has closed"])
    await options.command(bus, options, Console(file=io.StringIO()))

    assert [one.operator for one in bus.told] == [account_name(os.getuid())]
