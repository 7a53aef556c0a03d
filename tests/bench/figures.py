"""What a measurement gives, round by round, and what becomes of the rounds."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: the figure, and what a reader should know of it beside (refusals, latencies, processor time)."""

    value: float
    notes: Mapping[str, object] = field(default_factory=dict)


Measure = Callable[[], Awaitable[Measured]]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: a yardstick, or a figure with its goals as ratios to yardsticks."""

    key: str
    what: str
    unit: str
    goal: Mapping[str, float] = field(default_factory=dict)


ROWS: Final[Mapping[str, Row]] = {
    row.key: row
    for row in (
        Row("Y1", "pgbench, TPC-B-like, scale 50, 16 clients, -M prepared", "transactions/s"),
        Row("Y2", "raw COPY of the same transfer rows, 500 a transaction, 2 connections", "rows/s"),
        Row("Y5", "double entry in plain SQL, one transfer a transaction, 64 clients", "transfers/s"),
        Row("P1", "ledger posting, credits and uses 50/50, two processes", "transfers/s", {"Y1": 8.0, "Y2": 0.45}),
        Row("P2", "end to end: signed batches of 500 from 4 clients, events out, two hubs", "transfers/s", {"Y1": 3.0}),
    )
}


@dataclass(slots=True)
class Results:
    """All rounds so far."""

    rounds: dict[str, list[Measured]] = field(default_factory=dict)

    def add(self, key: str, measured: Measured) -> None:
        """One more round of a row."""
        self.rounds.setdefault(key, []).append(measured)

    def value(self, key: str) -> float:
        """The median of the rounds."""
        return median(one.value for one in self.rounds[key])

    def ratios(self, key: str) -> dict[str, float]:
        """Against each yardstick: the median of the ratios within one round, so that a machine's drift cancels out."""
        return {
            yardstick: median(
                one.value / other.value for one, other in zip(self.rounds[key], self.rounds[yardstick], strict=False)
            )
            for yardstick in ROWS
            if yardstick.startswith("Y") and yardstick in self.rounds
        }

    def as_json(self) -> dict[str, Any]:
        """What `.bench/latest.json` holds: one key a row that was run."""
        return {key: self._row(key) for key in ROWS if key in self.rounds}

    def _row(self, key: str) -> dict[str, Any]:
        row: dict[str, Any] = {"value": round(self.value(key), 1), "unit": ROWS[key].unit}
        if not key.startswith("Y"):
            row["vs"] = {name: round(ratio, 3) for name, ratio in self.ratios(key).items()}
            row["goal"] = dict(ROWS[key].goal)
        return {**row, "rounds": len(self.rounds[key])}
