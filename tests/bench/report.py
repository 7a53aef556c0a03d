"""The one table on the screen, and `.bench/latest.json`."""

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.figures import ROWS, Results

FOLDER: Final = Path(".bench")
MET, MISSED = "green", "red"


def show(results: Results, console: Console, settings: Mapping[str, str], about: str) -> None:
    """The table: medians, ratios against goals, and the raw figure of every round with what belongs to it."""
    goals = {name for key in results.rounds for name in ROWS[key].goal}
    yardsticks = [key for key in ROWS if key in results.rounds and (key.startswith("Y") or key in goals)]
    table = Table(title=_machine(about), caption=", ".join(f"{name}={value}" for name, value in settings.items()))
    for heading in ("", "what", "median", *(f"× {key}" for key in yardsticks), "rounds", "beside it, last round"):
        table.add_column(heading, overflow="fold")
    for key in ROWS:
        if key in results.rounds:
            table.add_row(*_cells(results, key, yardsticks))
    console.print(table)


def _cells(results: Results, key: str, yardsticks: list[str]) -> list[str]:
    row, rounds = ROWS[key], results.rounds[key]
    ratios = {} if key.startswith("Y") else results.ratios(key)
    raw = " ".join(f"{one.value:,.0f}" for one in rounds)
    beside = ", ".join(f"{name} {value}" for name, value in rounds[-1].notes.items())
    median = f"{results.value(key):,.0f} {row.unit}"
    return [key, row.what, median, *(_ratio(ratios, row.goal, name) for name in yardsticks), raw, beside]


def _ratio(ratios: Mapping[str, float], goal: Mapping[str, float], yardstick: str) -> str:
    if yardstick not in ratios:
        return ""
    told = f"{ratios[yardstick]:.2f}"
    if yardstick not in goal:
        return told
    met = ratios[yardstick] >= goal[yardstick]
    return f"[{MET if met else MISSED}]{told}[/] (goal {goal[yardstick]:g})"


def _machine(about: str) -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {about}"


def write(results: Results, extra: Path | None) -> None:
    """`.bench/latest.json`, and the same again where asked."""
    text = json.dumps(results.as_json(), indent=2) + "\n"
    FOLDER.mkdir(exist_ok=True)
    for path in (FOLDER / "latest.json", extra):
        if path is not None:
            path.write_text(text, encoding="utf-8")
