"""The table from what must hold to the tests that would notice (docs/security.md) names tests that there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from unittest.mock import Mock

from hub.clock import SystemClock
from hub.component import Context
from hub.installed import installed
from hub.settings import Settings
from tests.connectors.doors.world import DOORS

TESTS: Final = Path(__file__).parent
TABLE: Final = TESTS.parent / "docs" / "security.md"
DOOR: Final = re.compile(r"\*\*(\w+)\*\*")
NAMED: Final = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
ROWS: Final = (
    *(f"A{number}" for number in range(1, 21)),
    *(f"B{number}" for number in range(21, 32)),
    *(f"F{number}" for number in range(1, 16)),
    "X15",
    *(f"C{number}" for number in range(1, 7)),
    *("I28", "I29", "I30", "I38", "I39", "I40"),
)


def rows() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each row's name, and the tests that it names."""
    for line in TABLE.read_text("utf-8").splitlines():
        cells = line.strip("| ").split(" | ")
        if line.startswith("| ") and cells[0] != "row":
            yield cells[0].partition(" ")[0], NAMED.findall(cells[-1])


def test_every_row_is_there_once_and_names_a_test() -> None:
    found = list(rows())
    assert tuple(name for name, _ in found) == ROWS
    assert [name for name, tests in found if not tests] == []


def test_every_door_is_named_with_where_it_is_tried(tmp_path: Path) -> None:
    head = TABLE.read_text("utf-8").partition("\n## ")[0]
    first, *others = [line for line in head.splitlines() if line.startswith("- ")]
    assert DOOR.findall(first) == list(DOORS)
    assert {*DOORS, *DOOR.findall("\n".join(others))} == {*_doors(tmp_path), "sandbox"}


def _doors(folder: Path) -> Iterator[str]:
    """The audiences of all that is installed."""
    for one in installed():
        made = one.factory(Context(Settings(data_dir=folder), SystemClock(), Mock(), Mock()))
        yield from (route.audience.name for route in made.routes)


def test_every_test_that_is_named_is_there() -> None:
    named = set(NAMED.findall(TABLE.read_text("utf-8")))
    known = {(file, name) for file in {file for file, _ in named} for name in _tests_in(TESTS / file)}
    assert sorted(named - known) == []


def _tests_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
