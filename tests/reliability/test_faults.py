"""docs/reliability.md: every fault has a row, and every test that a row names is there."""

import re
from importlib import import_module
from typing import Final

import pytest

from tests.reliability.cluster import ROOT

PAGE: Final = ROOT / "docs" / "reliability.md"
TEST: Final = re.compile(r"`(tests/[a-z0-9_/]+)\.py::(test_\w+)`")
FAULT: Final = re.compile(r"^\| F(\d+)(?:–F(\d+))? \|.*$", re.MULTILINE)
FAULTS: Final = frozenset(range(1, 38)) - {10, 24}
"""10 and 24 stand for nothing."""

NAMED: Final = sorted(set(TEST.findall(PAGE.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path, name", NAMED, ids=[name for _, name in NAMED])
def test_the_test_that_names_it_is_there(path: str, name: str) -> None:
    assert callable(getattr(import_module(path.replace("/", ".")), name))


def test_every_fault_has_a_test() -> None:
    rows = list(FAULT.finditer(PAGE.read_text(encoding="utf-8")))
    covered = {number for row in rows for number in range(int(row[1]), int(row[2] or row[1]) + 1)}
    assert covered == FAULTS
    assert all(TEST.search(row[0]) for row in rows)
