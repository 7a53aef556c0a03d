"""Every setting is told of on one page, and can be set in both deployments."""

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from hub.settings import PREFIX, Settings
from tests.deploy.parts import COMPOSE, ROOT, UNITS, components, credentials_of, secrets_of, services

PAGE: Final = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
ROW: Final = re.compile(r"^\| `MYKEY_(\w+)` \| .+ \| (.+) \| (.+) \|$", re.MULTILINE)
HUB_ENV: Final = (UNITS / "hub.env").read_text(encoding="utf-8")
OF_EVERY_PROCESS: Final = "every process"
READ_AS: Final = {
    "public_url": "own_url",
    "secret_key": "key",
    "pool_size": "pool_size_of",
    "pool_sizes": "pool_size_of",
}
FOR_REHEARSALS: Final = {"rehearsal_clock", "card_register", "demo_file"}
each_field = pytest.mark.parametrize("name", Settings.model_fields)


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def named_in(text: str) -> set[str]:
    return {name.lower() for name, _, _ in ROW.findall(text)}


YOURS: Final = named_in(section("What you set"))
SET_FOR_YOU: Final = named_in(section("What is set for you"))


def row_of(name: str) -> tuple[str, str]:
    """The default, and who reads it."""
    [(default, readers)] = [(found[1], found[2]) for found in ROW.findall(PAGE) if found[0].lower() == name]
    return default, readers


def test_the_page_has_every_setting_and_no_other() -> None:
    assert sorted(name.lower() for name, _, _ in ROW.findall(PAGE)) == sorted(Settings.model_fields)
    assert named_in(section("Where no point is real")) == FOR_REHEARSALS


@each_field
def test_its_default_is_the_one_that_is_told(name: str) -> None:
    field = Settings.model_fields[name]
    if name == "data_dir":
        return
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    told, _ = row_of(name)
    if value is None or value in ((), {}):
        assert told == "none"
    elif isinstance(value, str):
        assert told == f"`{value}`"
    else:
        assert float(told.replace(",", "")) == value


@each_field
def test_who_reads_it_is_told(name: str) -> None:
    """What the house reads is every process's."""
    _, readers = row_of(name)
    used = re.compile(rf"\bsettings\.{READ_AS.get(name, name)}\b")
    if readers == OF_EVERY_PROCESS:
        assert is_read_in(ROOT / "hub", used)
    else:
        folders = [folder for parent in ("workers", "connectors") for folder in (ROOT / parent).iterdir()]
        assert set(readers.split(", ")) == {folder.name for folder in folders if is_read_in(folder, used)}


def is_read_in(folder: Path, used: re.Pattern[str]) -> bool:
    return used.search(text_of(folder)) is not None


@cache
def text_of(folder: Path) -> str:
    """All that is written there."""
    return "\n".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))


@pytest.mark.parametrize("service", [*components(), "migrate"])
def test_what_is_in_env_reaches_every_container(service: str) -> None:
    assert services()[service]["env_file"] == [{"path": ".env", "required": False}]


@each_field
def test_compose_fixes_only_what_the_page_says_it_sets(name: str) -> None:
    """A variable that stands under `environment` goes before the same one of `.env`."""
    said = re.findall(rf"^ +{PREFIX}{name.upper()}: (.+)$", COMPOSE.read_text(encoding="utf-8"), re.MULTILINE)
    is_fixed = any(not value.startswith(f"${{{PREFIX}{name.upper()}:-") for value in said)
    is_handed_in = any(f"mykey_{name}" in secrets_of(service) for service in components().values())
    assert not (is_fixed or is_handed_in) or name in SET_FOR_YOU


@each_field
def test_it_can_be_set_for_the_units(name: str) -> None:
    units = [*UNITS.glob("mykey-hub-*@.service")]
    in_units = any(f"Environment={PREFIX}{name.upper()}=" in unit.read_text() for unit in units)
    in_units |= any(f"Environment='{PREFIX}{name.upper()}=" in unit.read_text() for unit in units)
    handed_in = any(f"mykey_{name}" in credentials_of(unit) for unit in units)
    in_file = re.search(rf"^#?{PREFIX}{name.upper()}=", HUB_ENV, re.MULTILINE) is not None
    assert in_file or in_units or handed_in or name in FOR_REHEARSALS | {"http_host"}
    assert in_file or name not in YOURS


def test_what_hub_env_shows_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    lines = re.findall(rf"^#?({PREFIX}\w+)=(.*)$", HUB_ENV, re.MULTILINE)
    for name, value in lines:
        monkeypatch.setenv(name, value.removeprefix("'").removesuffix("'"))  # as systemd reads it
    strong = SecretStr("0123456789abcdef" * 2)
    Settings(amqp_url=SecretStr("amqps://hub:secret@localhost/mykey"), secret_key=strong)
    assert len(lines) == len({name for name, _ in lines})


def test_files_that_settings_name_can_be_put_where_every_component_sees_them() -> None:
    for service in components().values():
        assert "./deploy/settings:/etc/mykey-hub:ro" in service["volumes"]


def test_the_dkim_key_is_handed_to_mail_alone() -> None:
    assert [name for name, service in services().items() if "dkim.key" in secrets_of(service)] == ["mail"]
