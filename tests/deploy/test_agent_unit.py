"""The agent's systemd unit is sound, and starts what is installed."""

import shutil
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.deploy.parts import ROOT

UNIT = ROOT / "deploy" / "agent" / "mykey-agent.service"
MERGE_FOLDER = UNIT.with_name(f"{UNIT.name}.d") / "merge-folder.conf"
PROGRAM = "/opt/mykey-agent/bin/"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: units are not verified")
@pytest.mark.parametrize("drop_in", [None, MERGE_FOLDER])
def test_systemd_finds_no_fault(drop_in: Path | None, tmp_path: Path) -> None:
    text = UNIT.read_text().replace(PROGRAM, f"{ROOT}/.venv/bin/").replace(" pcscd.socket", "")
    (tmp_path / UNIT.name).write_text(text)
    if drop_in is not None:
        folder = tmp_path / f"{UNIT.name}.d"
        folder.mkdir()
        shutil.copy(drop_in, folder)
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
        "reader_agent.__main__:program"
    ]


def test_the_merge_folder_can_be_written_to() -> None:
    """All is read-only for the unit by itself; its drop-in opens the folder that docs/streets.md names."""
    assert "ProtectSystem=strict\n" in UNIT.read_text()
    lines = MERGE_FOLDER.read_text().splitlines()
    assert {"[Service]", "ReadWritePaths=-/srv/merge", "SupplementaryGroups=merge"} <= set(lines)
    assert 'merge_folder = "/srv/merge"' in (ROOT / "docs" / "terminals.md").read_text()
    assert "mykey-agent.service.d/merge-folder.conf" in (ROOT / "docs" / "streets.md").read_text()


def test_the_fingerprint_can_read_what_it_needs() -> None:
    text = UNIT.read_text()
    assert "ProcSubset" not in text
    assert "LoadCredential=board_serial:/sys/class/dmi/id/board_serial\n" in text
