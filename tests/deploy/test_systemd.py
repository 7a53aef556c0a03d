"""The systemd units are sound, and start what compose.yaml starts."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hub.installed import installed
from tests.deploy.parts import ROOT, UNITS, components, credentials_of, make_secrets, secrets_of

COMPONENTS = [one.name for one in installed()]
PROGRAM = "/opt/mykey-hub/bin/"
each_component = pytest.mark.parametrize("component", COMPONENTS)


def unit_of(component: str) -> Path:
    return UNITS / f"mykey-hub-{component}@.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: units are not verified")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    shutil.copytree(UNITS, tmp_path, dirs_exist_ok=True)
    for unit in tmp_path.glob("*.service"):
        unit.write_text(unit.read_text().replace(PROGRAM, f"{ROOT}/.venv/bin/"))
    instances = [f"./mykey-hub-{name}@{number}.service" for name in COMPONENTS for number in (1, 2)]
    done = subprocess.run(
        ["systemd-analyze", "verify", "mykey-hub.target", "mykey-hub-migrate.service", *instances],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )
    ours = [line for line in done.stderr.splitlines() if "mykey-hub" in line]
    assert (done.returncode, ours) == (0, [])


@each_component
def test_a_unit_starts_what_the_service_starts(component: str) -> None:
    text = unit_of(component).read_text()
    words = " ".join(components()[component]["command"])
    assert f"ExecStart={PROGRAM}mykey-hub {words}\n" in text
    assert set(re.findall(rf"mykey-hub-{component}@(\d)\.service", (UNITS / "mykey-hub.target").read_text())) == {
        "1",
        "2",
    }


@each_component
def test_a_unit_is_given_what_the_service_is_given(component: str, tmp_path: Path) -> None:
    given = credentials_of(unit_of(component))
    assert given == {name: file for name, file in secrets_of(components()[component]).items() if name != "ca.pem"}
    assert set(given.values()) <= make_secrets(tmp_path)


def test_no_two_processes_want_the_same_port() -> None:
    ports = [
        port.replace("%i", number)
        for component in COMPONENTS
        for port in re.findall(r"^Environment=MYKEY_\w+_PORT=(\S+)$", unit_of(component).read_text(), re.MULTILINE)
        for number in ("1", "2")
    ]
    assert len(ports) == len(set(ports))
