"""What `mykey-hub` says to somebody who does not know it yet, or has got it wrong."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.operations.work import NotPausableError
from hub.__main__ import COMMAND_GROUP, main
from hub.redriving import NoSuchDeliveryError
from hub.waterfall import NoSuchTraceError


@pytest.mark.parametrize(
    "error, words",
    [
        (NotPausableError("operations"), "operations: This component stays"),
        (NoSuchDeliveryError("1"), "1: No delivery of that id is waiting"),
        (NoSuchTraceError("nothing"), "nothing: The message store knows no such trace"),
        (NoSuchTraceError(), "NoSuchTraceError: The message store knows no such trace"),
        (NotPausableError("this is said in words"), "NotPausableError: this is said in words"),
    ],
)
def test_a_bare_id_is_told_with_what_is_the_matter_with_it(
    error: NotPausableError | NoSuchDeliveryError | NoSuchTraceError, words: str
) -> None:
    assert words in error.in_words()
    assert error.in_words().count(error.explanation()) <= 1


def test_running_what_is_not_there_names_what_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "nosuch"]) == 1
    said = capsys.readouterr().err
    assert "no component nosuch" in said
    assert "ledger, library, mail" in said


def test_the_help_of_run_names_the_components(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "ledger, library, mail" in " ".join(capsys.readouterr().out.split())


def test_the_help_has_a_line_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    told = {line.split()[0] for line in out.splitlines() if line.startswith("    ")}
    further = {"bench", "console", "demo", "offers", "parties", "sandbox", "story", "streets", "terminals", "verify"}
    assert further | {"run", "trace"} <= told
    for point in importlib.metadata.entry_points(group=COMMAND_GROUP):
        about = (point.load().__doc__ or "").partition("\n")[0]
        assert about in " ".join(out.split()), point.name


def test_a_benchmark_without_its_set_up_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "sqlalchemy.py").write_text("raise ModuleNotFoundError('No module', name='sqlalchemy')\n")
    path = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    done = subprocess.run(
        [sys.executable, "-m", "hub", "bench", "--help"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "make bench" in done.stderr
    assert "sqlalchemy" in done.stderr
    assert "Traceback" not in done.stderr
