"""What a session came to is written down whole, also where several processes share its tests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import pytest

from tests.reliability.cluster import ROOT

RUNS: Final = 6
CONFTEST: Final = """
    from pathlib import Path

    from tests.reliability import report
    from tests.reliability.conftest import *

    report.PATH = report.ROOT.joinpath(Path(__file__).parent, "latest.json")


    def pytest_terminal_summary():
        pass
"""
TESTS: Final = f"""
    import pytest

    from tests.reliability.checker import Violation
    from tests.reliability.history import History
    from tests.reliability.report import REPORT


    @pytest.mark.parametrize("seed", range({RUNS}))
    def test_one(seed):
        history = History(heal_to_drained_s=float(seed))
        REPORT.add("layer", seed, ["cut", "cut"], history, [Violation("I3", "has no outcome")] * (seed == 2))
        assert seed != 2
"""


@pytest.mark.parametrize("shared_out", [(), ("--numprocesses", "2", "--dist", "worksteal")])
def test_what_all_runs_came_to_is_in_one_report(tmp_path: Path, shared_out: tuple[str, ...]) -> None:
    (tmp_path / "conftest.py").write_text(dedent(CONFTEST), encoding="utf-8")
    (tmp_path / "test_some.py").write_text(dedent(TESTS), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "-c", os.devnull, *shared_out]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    told: dict[str, Any] = json.loads((tmp_path / "latest.json").read_text(encoding="utf-8"))
    assert told["faults"] == {"cut": 2 * RUNS}
    assert told["seeds"] == list(range(RUNS))
    assert (told["lost"], told["doubled"], told["violations"]) == (1, 0, 1)
    assert told["longest_drain_s"] == RUNS - 1
    assert sorted(run["seed"] for run in told["runs"]) == list(range(RUNS))
