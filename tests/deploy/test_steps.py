"""The steps of docs/deployment.md, "With systemd", done as they stand, in a folder instead of `/`."""

import asyncio
import os
import pwd
import re
import shlex
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pytest

from hub.embedded_postgres import EmbeddedPostgres
from hub.roles import scram_verifier
from tests.deploy.deployed import BIN
from tests.deploy.parts import DEPLOY, ROOT, UNITS, credentials_of
from tests.hub.test_migrations import fetch, salt_of

SECTION: Final = (ROOT / "docs" / "deployment.md").read_text("utf-8").partition("## With systemd\n")[2]
FILES_ONLY: Final = re.compile(r"(?!systemctl |(OWNER|BACKUP)_PASSWORD=)")
LIMIT_S: Final = 60.0
PASSWORD: Final = "0123456789abcdef'0123456789abcdef"


def has_users() -> bool:
    """Root, and those to whom files are given."""
    with suppress(KeyError):
        return os.geteuid() == 0 and all(pwd.getpwnam(name) for name in ("postgres", "rabbitmq"))
    return False


def blocks(title: str) -> list[str]:
    """The commands under a step's or a chapter's title."""
    found = SECTION.partition(title)[2]
    assert found, title
    return re.findall(r"^```sh\n(.+?)^```$", re.split(r"\n(?:\*\*\d\.|#)", found)[0], re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks as `/` does after steps 2 to 6."""
    root = tmp_path_factory.mktemp("machine")
    for there in ("postgresql/17/main/conf.d", "rabbitmq", "nginx", "systemd/system"):
        (root / "etc" / there).mkdir(parents=True)
    lines = [line for step in range(2, 7) for block in blocks(f"**{step}. ") for line in block.splitlines()]
    script = "\n".join(line for line in lines if FILES_ONLY.match(line))
    here = script.replace("/etc/", f"{root}/etc/").replace("/opt/mykey-hub/bin", str(BIN))
    here = here.replace("#/etc/rabbitmq", f"#{root}/etc/rabbitmq")
    subprocess.run(["sh", "-eu", "-c", here], check=True, cwd=ROOT, timeout=LIMIT_S)  # noqa: S607
    return root


needs_users = pytest.mark.skipif(
    not has_users(), reason="not root, or no postgres and rabbitmq here: no steps are tried"
)


def seen(machine: Path, path: str) -> tuple[str, str, int]:
    """Owner, group and mode of a file that is to be there."""
    file = machine / path.removeprefix(str(machine)).lstrip("/")
    return file.owner(), file.group(), stat.S_IMODE(file.stat().st_mode)


@needs_users
def test_postgresql_can_read_what_is_its_own(machine: Path) -> None:
    text = (machine / "etc/postgresql/17/main/conf.d/mykey-hub.conf").read_text()
    (certificate,), (key,) = (
        re.findall(rf"^ssl_{name}_file = '(.+)'$", text, re.MULTILINE) for name in ("cert", "key")
    )
    assert seen(machine, certificate) == ("postgres", "postgres", 0o644)
    assert seen(machine, key) == ("postgres", "postgres", 0o600)
    assert seen(machine, "etc/postgresql/17/main/pg_hba.conf") == ("postgres", "postgres", 0o640)


@needs_users
def test_rabbitmq_can_read_what_is_its_own(machine: Path) -> None:
    text = (machine / "etc/rabbitmq/rabbitmq.conf").read_text()
    named = re.findall(r"= (/\S+)$", text, re.MULTILINE)
    assert len(named) == 4
    assert {seen(machine, path) for path in named} == {("root", "rabbitmq", 0o640)}


@needs_users
def test_nginx_and_the_units_find_what_they_name(machine: Path) -> None:
    text = (machine / "etc/nginx/nginx.conf").read_text()
    assert text == (DEPLOY / "nginx" / "nginx-local.conf").read_text()
    named = re.findall(r"ssl_certificate(?:_key)? (\S+);", text)
    named += [f"/etc/nginx/{name}" for name in re.findall(r"include (\w[\w.-]+);", text)]
    installed = machine / "etc/systemd/system"
    for unit in installed.glob("*.service"):
        named += [f"/etc/mykey-hub/secrets/{file}" for file in credentials_of(unit).values()]
    common = (installed / "mykey-hub-.service.d" / "10-common.conf").read_text()
    named += re.findall(r"^EnvironmentFile=(\S+)$", common, re.MULTILINE)
    named += re.findall(r"^MYKEY_\w+_FILE=(\S+)$", (machine / "etc/mykey-hub/hub.env").read_text(), re.MULTILINE)
    assert [path for path in named if not (machine / path.lstrip("/")).is_file()] == []
    assert {path.name for path in UNITS.glob("*.*")} - {"hub.env"} == {path.name for path in installed.iterdir()}
    assert seen(machine, "etc/mykey-hub/secrets") == ("root", "root", 0o700)
    assert seen(machine, "etc/mykey-hub/ca.pem") == ("root", "root", 0o644)


def test_another_machine_gets_what_its_units_read_and_nothing_else() -> None:
    text = "\n".join(blocks("**The second machine**")).replace("\\\n", "")
    (packed,) = (line.partition("|")[0] for line in text.splitlines() if line.startswith("tar -c "))
    (copied,) = (line for line in text.splitlines() if line.startswith("install ") and "mykey-hub.target" in line)
    units = [ROOT / word for word in shlex.split(copied) if word.endswith("@.service")]
    assert "mykey-hub-migrate" not in copied
    given = {f"secrets/{file}" for unit in units for file in credentials_of(unit).values()}
    assert set(shlex.split(packed)[2:]) == {"ca.pem", "hub.env"} | given


async def test_the_owner_is_made_with_the_password_that_it_is_given() -> None:
    """As by hand; the names are another's here, because the tests' server has its own."""
    text = (DEPLOY / "postgres" / "owner.sh").read_text()
    here = text.replace("mykey_owner", "made_owner").replace("DATABASE mykey ", "DATABASE made ")
    with EmbeddedPostgres.temporary() as server:
        host = unquote(server.url.partition("host=")[2])
        given = {"PATH": f"{server.bin_path}:{os.defpath}", "PGHOST": host, "PGUSER": "mykey_owner"}
        await asyncio.to_thread(_run, here, {**given, "OWNER_PASSWORD": PASSWORD})
        ((kept,),) = await fetch(server.url, "SELECT rolpassword FROM pg_authid WHERE rolname = 'made_owner'")
        ((owner,),) = await fetch(
            server.url, "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'made'"
        )
    assert kept == scram_verifier(PASSWORD, salt_of(kept))
    assert owner == "made_owner"


def _run(script: str, environment: dict[str, str]) -> None:
    subprocess.run(["sh", "-s"], input=script, text=True, check=True, env=environment, timeout=LIMIT_S)  # noqa: S607
