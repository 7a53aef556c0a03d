"""What compose.yaml and the units say, and what `mykey-hub secrets` makes for them."""

import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from hub.__main__ import main

ROOT: Final = Path(__file__).parent.parent.parent
DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final = ROOT / "compose.yaml"
UNITS: Final = DEPLOY / "systemd"
MADE: Final = "deploy/secrets/"
COMMAND: Final = "mykey-hub"

Service = dict[str, Any]


def compose() -> dict[str, Any]:
    """The document, anchors and defaults put in; to be changed as one likes."""
    return deepcopy(_read())


@cache
def _read() -> dict[str, Any]:
    text = re.sub(r"\$\{\w+:-([^}]*)\}", lambda found: found[1] or '""', COMPOSE.read_text(encoding="utf-8"))
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return loaded


def services() -> dict[str, Service]:
    """By name."""
    found: dict[str, Service] = compose()["services"]
    return found


def components() -> dict[str, Service]:
    """The services that run a component, by its name."""
    return {service["command"][1]: service for service in services().values() if _command(service)[:1] == ["run"]}


def run_by_hand() -> Service:
    """Where an operator's commands run."""
    return services()["hub"]


def _command(service: Service) -> list[str]:
    return [str(word) for word in service.get("command", [])]


def secrets_of(service: Service) -> dict[str, str]:
    """The name in the container → the file in deploy/secrets."""
    declared = compose()["secrets"]
    named = [{"source": one, "target": one} if isinstance(one, str) else one for one in service.get("secrets", [])]
    return {one["target"]: declared[one["source"]]["file"].removeprefix(MADE) for one in named}


def make_secrets(folder: Path, *options: str) -> set[str]:
    """What `mykey-hub secrets` makes: the names of its files."""
    assert main(["secrets", str(folder), *options]) == 0
    return {path.name for path in folder.iterdir()}


def credentials_of(unit: Path) -> dict[str, str]:
    """The same for a unit, those of all units included."""
    text = unit.read_text() + (UNITS / "mykey-hub-.service.d" / "10-common.conf").read_text()
    return dict(re.findall(r"^LoadCredential=(\S+):/etc/mykey-hub/secrets/(\S+)$", text, re.MULTILINE))
