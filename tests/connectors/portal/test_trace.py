"""The table from screens to routes, handlers and tests (docs/screen-trace.md) says what is."""

import ast
import re
from pathlib import Path
from typing import Final, NamedTuple
from unittest.mock import Mock

from connectors.portal.component import component
from hub.clock import SystemClock
from hub.component import Context
from hub.settings import Settings

ROOT: Final = Path(__file__).parents[3]
TABLE: Final = ROOT / "docs" / "screen-trace.md"
TESTS: Final = Path(__file__).parent
CHECKOUT_TESTS: Final = TESTS.parent / "checkout"
SCREENS: Final = {1, *range(12, 13), *range(14, 22), *range(40, 64)}
"""画面 of this audience; 13 is the reader agent's."""


class Row(NamedTuple):
    screens: str
    route: str
    handler: str
    test: str


def rows() -> list[Row]:
    cells = [line.strip("| ").split(" | ") for line in TABLE.read_text("utf-8").splitlines() if line.startswith("|")]
    return [Row(*(["", *row] if len(row) == 3 else row)) for row in cells[2:]]


def routes(folder: Path) -> dict[str, str]:
    """Each route, without the patterns of its parameters, and the handler behind its guard."""
    made = component(Context(Settings(data_dir=folder), SystemClock(), Mock(), Mock()))
    found: dict[str, str] = {}
    for route in made.routes:
        kept = [cell.cell_contents for cell in getattr(route.handler, "__closure__", None) or ()]
        handlers = [one for one in kept if hasattr(one, "__qualname__")]
        path = re.sub(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}", r"{\1}", route.full_path)
        for handler in handlers:
            module = str(handler.__module__).removeprefix("connectors.portal.")
            found[f"{route.method} {path}"] = f"{module}.{handler.__qualname__}"
    return found


def test_every_route_is_in_the_table_with_its_handler(tmp_path: Path) -> None:
    assert {row.route: row.handler for row in rows()} == routes(tmp_path)


def test_every_screen_has_a_route() -> None:
    found: set[int] = set()
    for row in rows():
        for first, last in re.findall(r"(\d+)(?:–(\d+))?", row.screens):
            found |= set(range(int(first), int(last or first) + 1))
    assert found >= SCREENS


def _named(file: Path) -> str:
    """As the table names it: one of another folder with its folder."""
    return file.name if file.parent == TESTS else f"{file.parent.name}/{file.name}"


def test_every_test_that_is_named_is_there() -> None:
    known = {
        f"{_named(file)}::{node.name}"
        for folder in (TESTS, CHECKOUT_TESTS)
        for file in folder.glob("test_*.py")
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert sorted({row.test for row in rows()} - known) == []
