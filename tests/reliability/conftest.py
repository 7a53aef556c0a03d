"""Says in one line how much was run, and writes down what came of it."""

import pytest

from tests.reliability.report import PATH, REPORT, ROOT
from tests.reliability.sizes import FULL, MACHINE_EXAMPLES, PASSES, SEEDS


def pytest_sessionfinish() -> None:
    REPORT.write()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    how = "everything" if FULL else "a quick selection (make reliability runs everything)"
    passes = ", ".join(map(str, PASSES))
    size = f"{SEEDS} seeds, {MACHINE_EXAMPLES} examples, failpoints at pass {passes}"
    terminalreporter.write_line(f"reliability: {how}: {size}")
    if REPORT.runs:
        terminalreporter.write_line(f"reliability: what came of it is in {PATH.relative_to(ROOT)}")
