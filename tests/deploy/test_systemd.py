"""The systemd units are sound, and start what compose.yaml starts."""

import re
import shlex
import shutil
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from hub.installed import installed
from hub.settings import Settings, read_settings
from tests.deploy.parts import DEPLOY, ROOT, UNITS, components, credentials_of, make_secrets, secrets_of

COMPONENTS = [one.name for one in installed()]
NUMBERS = [f"{number:02}" for number in range(1, 17)]
TARGET = UNITS / "mykey-hub.target"
ROOTS_LIMIT = 1_024
OUTGOING_FROM = 32_768
PROGRAM = "/opt/mykey-hub/bin/"
each_component = pytest.mark.parametrize("component", COMPONENTS)


def unit_of(component: str) -> Path:
    return UNITS / f"mykey-hub-{component}@.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: units are not verified")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    shutil.copytree(UNITS, tmp_path, dirs_exist_ok=True)
    for unit in tmp_path.glob("*.service"):
        unit.write_text(unit.read_text().replace(PROGRAM, f"{ROOT}/.venv/bin/"))
    instances = [f"./mykey-hub-{name}@{number}.service" for name in COMPONENTS for number in (NUMBERS[0], NUMBERS[-1])]
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
    assert set(re.findall(rf"mykey-hub-{component}@(\d+)\.service", TARGET.read_text())) == set(NUMBERS[:2])


@each_component
def test_a_unit_is_given_what_the_service_is_given(component: str, tmp_path: Path) -> None:
    given = credentials_of(unit_of(component))
    handed = secrets_of(components()[component])
    # The authority is no secret, and a DKIM key, where there is one, is added by a drop-in (docs/settings.md).
    assert given == {name: file for name, file in handed.items() if name not in {"ca.pem", "dkim.key"}}
    assert set(given.values()) <= make_secrets(tmp_path)


def ports_of(component: str, name: str = r"\w+") -> list[list[str]]:
    """Of each instance: those of its unit."""
    bases = re.findall(rf"^Environment=MYKEY_{name}_PORT=(\S+)$", unit_of(component).read_text(), re.MULTILINE)
    return [[base.replace("%i", number) for base in bases] for number in NUMBERS]


def test_no_two_processes_want_the_same_port() -> None:
    """Nor one that is root's, or that PostgreSQL, RabbitMQ or an outgoing connection may have taken."""
    ports = [int(port) for component in COMPONENTS for each in ports_of(component) for port in each]
    assert len(ports) == len(set(ports))
    assert min(ports) >= ROOTS_LIMIT
    assert max(ports) < OUTGOING_FROM
    assert not {5432, 5671, 5672, 15671, 15672, 25672} & set(ports)


def test_nginx_knows_the_doors_of_the_target() -> None:
    text = (DEPLOY / "nginx" / "upstreams-local.conf").read_text()
    for component in COMPONENTS:
        doors = [port for each in ports_of(component, "HTTP")[:2] for port in each]
        assert doors == re.findall(rf"server 127\.0\.0\.1:({doors[0][:2]}\d\d) " if doors else r"(?!)", text)


@each_component
def test_a_component_starts_although_the_migration_failed_and_goes_on_by_its_own_look(component: str) -> None:
    """A dependency that fails at boot would end its start for good; on another machine there is no such unit."""
    lines = unit_of(component).read_text().splitlines()
    assert {"Wants=mykey-hub-migrate.service", "After=mykey-hub-migrate.service", "Restart=always"} <= set(lines)
    assert "--no-migrate" in components()[component]["command"]
    assert not [line for line in lines if line.startswith(("Requires=", "BindsTo=", "Requisite="))]


def test_a_new_version_is_migrated_as_the_target_is_restarted() -> None:
    assert "PartOf=mykey-hub.target" in (UNITS / "mykey-hub-migrate.service").read_text().splitlines()


def test_what_is_waited_for_on_this_machine_comes_first() -> None:
    (after,) = re.findall(
        r"^After=(.+)$", (UNITS / "mykey-hub-.service.d" / "10-common.conf").read_text(), re.MULTILINE
    )
    assert {"postgresql.service", "rabbitmq-server.service"} < set(after.split())


def test_the_settings_of_all_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in (UNITS / "hub.env").read_text().splitlines() if line and not line.startswith("#")]
    for line in lines:
        (word,) = shlex.split(line)
        name, _, value = word.partition("=")
        assert name.removeprefix("MYKEY_").lower() in Settings.model_fields
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MYKEY_AMQP_URL", "amqps://ledger:password@localhost:5671/mykey")
    made = read_settings()
    assert (made.http_host, made.proxy_networks) == ("127.0.0.1", (IPv4Network("127.0.0.1/32"),))
