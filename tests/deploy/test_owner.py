"""`mykey-hub-owner`: an operator's commands beside the units, with the owner's password."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.parts import DEPLOY, UNITS, make_secrets

LIMIT_S = 30.0
SHOW = '#!/bin/sh\necho "$*"\nenv\n'
READ = f"""#!{sys.executable}
from hub.settings import read_settings
settings = read_settings()
print(*settings.proxy_networks, settings.mail_from_name)
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """As /etc/mykey-hub is, and a program that shows what it was given."""
    make_secrets(tmp_path / "secrets")
    settings = (UNITS / "hub.env").read_text(encoding="utf-8")
    touched = tmp_path / "touched"
    (tmp_path / "hub.env").write_text(
        f'{settings}MYKEY_POOL_SIZES={{"ledger": 8}}\nMYKEY_MAIL_FROM_NAME=$(touch {touched})\n'
    )
    (tmp_path / "program").write_text(SHOW)
    (tmp_path / "program").chmod(0o755)
    return tmp_path


def run(etc: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "MYKEY_HUB_ETC": str(etc), "MYKEY_HUB_PROGRAM": str(etc / "program")}
    command = [str(DEPLOY / "mykey-hub-owner"), "parties", "list"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S)


def test_the_command_has_the_units_settings_and_the_owner_s_url(etc: Path) -> None:
    done = run(etc)
    assert done.returncode == 0, done.stderr
    words, *lines = done.stdout.splitlines()
    given = dict(line.split("=", 1) for line in lines)
    assert words == "parties list"
    assert given["MYKEY_DATABASE_URL"] == (etc / "secrets" / "owner_url").read_text()
    assert given["MYKEY_SECRET_KEY"] == (etc / "secrets" / "secret_key").read_text()
    assert json.loads(given["MYKEY_ROLE_PASSWORDS"]) == json.loads((etc / "secrets" / "role_passwords").read_text())
    assert json.loads(given["MYKEY_POOL_SIZES"]) == {"ledger": 8}
    assert given["MYKEY_TRANSPORT"] == "postgres"


def test_the_program_reads_the_shipped_settings(etc: Path) -> None:
    (etc / "hub.env").write_text((UNITS / "hub.env").read_text(encoding="utf-8"))
    (etc / "program").write_text(READ)
    done = run(etc)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("127.0.0.1/32 ")


@pytest.mark.parametrize(
    "written, given",
    [
        ("'[\"127.0.0.1/32\"]'", '["127.0.0.1/32"]'),
        ('"a b"', "a b"),
        ("''", ""),
        ("'", "'"),
        ("'a\"", "'a\""),
        ("a='b'", "a='b'"),
    ],
)
def test_a_value_is_read_as_systemd_does(written: str, given: str, etc: Path) -> None:
    (etc / "hub.env").write_text(f"MYKEY_MAIL_FROM_NAME={written}")
    assert f"\nMYKEY_MAIL_FROM_NAME={given}\n" in run(etc).stdout


def test_nothing_in_the_settings_is_run(etc: Path) -> None:
    assert "MYKEY_MAIL_FROM_NAME=$(touch " in run(etc).stdout
    assert not (etc / "touched").exists()


@pytest.mark.parametrize("missing", ["secret_key", "owner_url", "role_passwords"])
def test_without_a_secret_nothing_is_begun(missing: str, etc: Path) -> None:
    (etc / "secrets" / missing).unlink()
    done = run(etc)
    assert done.returncode != 0
    assert done.stdout == ""
    assert missing in done.stderr
