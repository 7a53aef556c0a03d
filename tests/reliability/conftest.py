"""Puts what takes long first, says in one line how much was run, and writes down what came of it.

Where several processes share the tests, each hands on what its runs came to with the test's own outcome; the one that
gathers the outcomes writes it down.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

import pytest

from tests.reliability.report import PATH, REPORT, ROOT
from tests.reliability.sizes import FULL, MACHINE_EXAMPLES, MERGES, MODE, PASSES, SEEDS

SAYS: Final = {
    "quick": "a quick selection (make reliability runs everything)",
    "full": "everything (make reliability LONG=yes: more of it)",
    "long": "everything, for long",
}
PROPERTY: Final = "reliability"
LONG_FIRST: Final = (
    "test_networks",
    "test_sim",
    "test_merges",
    "test_machine",
    "test_chaos",
    "test_planted_processes",
    "test_planted_broker",
)
SHORT_LAST: Final = ("test_doors", "test_planted", "test_faults")
"""So that, of several processes, none is left with the longest when the others have ended."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if FULL:
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    name = item.path.stem
    if name in LONG_FIRST:
        return LONG_FIRST.index(name) - len(LONG_FIRST)
    return SHORT_LAST.index(name) + 1 if name in SHORT_LAST else 0


@pytest.fixture(autouse=True)
def handed_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the test's runs came to goes with its outcome."""
    yield
    request.node.user_properties.extend((PROPERTY, run) for run in REPORT.take())


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        REPORT.gather(cast("dict[str, Any]", run) for name, run in report.user_properties if name == PROPERTY)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):  # one of several processes is not who writes
        REPORT.write()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passes = ", ".join(map(str, PASSES))
    size = f"{SEEDS} seeds, {MACHINE_EXAMPLES} examples, {MERGES} merges, failpoints at pass {passes}"
    terminalreporter.write_line(f"reliability: {SAYS[MODE]}: {size}")
    if REPORT.gathered:
        terminalreporter.write_line(f"reliability: what came of it is in {PATH.relative_to(ROOT)}")
