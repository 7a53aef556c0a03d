"""`mykey-hub-owner`: an operator's commands beside the units, with the owner's password."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.deploy.parts import DEPLOY, UNITS, make_secrets

LIMIT_S = 30.0
SHOW = '#!/bin/sh\necho "$*"\nenv\n'


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
