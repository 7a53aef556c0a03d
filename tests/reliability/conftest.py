"""Says in one line how much was run."""

import pytest

from tests.reliability.sizes import FULL, MACHINE_EXAMPLES, PASSES, SEEDS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    how = "everything" if FULL else "a quick selection (make reliability runs everything)"
    passes = ", ".join(map(str, PASSES))
    size = f"{SEEDS} seeds, {MACHINE_EXAMPLES} examples, failpoints at pass {passes}"
    terminalreporter.write_line(f"reliability: {how}: {size}")
