"""The agent's systemd unit is sound, and starts what is installed."""

import shutil
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.deploy.parts import ROOT

UNIT = ROOT / "deploy" / "agent" / "mykey-agent.service"
PROGRAM = "/opt/mykey-agent/bin/"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: units are not verified")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    text = UNIT.read_text().replace(PROGRAM, f"{ROOT}/.venv/bin/").replace(" pcscd.socket", "")
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", f"./{UNIT.name}"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )
    ours = [line for line in done.stderr.splitlines() if "mykey-agent" in line]
    assert (done.returncode, ours) == (0, [])


def test_it_starts_the_console_script() -> None:
    assert f"ExecStart={PROGRAM}mykey-agent run\n" in UNIT.read_text()
    assert [one.value for one in entry_points(group="console_scripts", name="mykey-agent")] == [
        "reader_agent.__main__:main"
    ]


def test_the_fingerprint_can_read_what_it_needs() -> None:
    text = UNIT.read_text()
    assert "ProcSubset" not in text
    assert "LoadCredential=board_serial:/sys/class/dmi/id/board_serial\n" in text
