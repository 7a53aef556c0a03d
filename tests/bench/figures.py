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


class NotMeasuredError(Exception):
    """There is no figure here, and this is why, in one line."""


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
        Row("Y1", "pgbench, TPC-B-like, scale 50, 16 clients, 2 threads", "transactions/s"),
        Row("Y2", "raw COPY of the same transfer rows, 500 a transaction, 2 connections", "rows/s"),
        Row("Y3", "FastStream, SQLAlchemy: a request, a message, a transaction for each transfer", "transfers/s"),
        Row("Y4", "RabbitMQ's ceiling: aio-pika, 100 confirms in flight, quorum queue", "messages/s"),
        Row("Y5", "double entry in plain SQL, one transfer a transaction, 64 clients", "transfers/s"),
        Row("P1", "ledger posting, credits and uses 50/50, two processes", "transfers/s", {"Y1": 8.0, "Y2": 0.45}),
        Row(
            "P2",
            "end to end: signed batches of 500 from 4 clients, events out, two hubs",
            "transfers/s",
            {"Y1": 3.0, "Y3": 20.0},
        ),
        Row("P3", "as P2, over RabbitMQ, every component apart, two of each", "transfers/s", {"Y1": 2.0, "Y4": 1.5}),
        Row("P4", "as P1, with one partner and one store", "transfers/s", {"P1": 0.9}),
        Row("P5", "as P1, with the transfers of --transfers behind it", "transfers/s", {"P1": 0.9}),
        Row(
            "P7",
            "a signed file of --rows transfers, one hub: upload to last outcome (goal 15,000; 250 MiB)",
            "rows/s",
        ),
        Row("P8", "expiry of due lots beside a live load", "lots/s"),
        Row("P9", "My Page, pages a second of one core (goal 200; p99 at most 15 ms)", "pages/s"),
        Row("P10", "mail, one process, letters signed with RSA-2048, into a local sink (goal 500)", "notices/s"),
        Row("P11", "make run in a new clone with an empty home: until the first page (goal at most 60)", "s"),
        Row(
            "checkout",
            "orders at 100/s, authorise to capture: p99 over Y1's p50 at 1 client (at most 60)",
            "ms",
        ),
        Row("world_to_any", "one partner credits any citizen", "transfers/s"),
        Row("world_to_bank", "one partner credits one citizen of each process", "transfers/s"),
        Row("any_to_bank", "any citizen uses points at one store", "transfers/s"),
        Row("single_hot_account", "one citizen of each process, credits and uses", "transfers/s"),
        Row("zipf", "Zipf 1.0 over 100,000 citizens, open loop, 2,000/s asked for", "transfers/s"),
        Row("hundred_point_lots", "1,000,000 points out of 10,000 lots in one move", "ms"),
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
        """Against each yardstick, and what its goal names.

        The median of the ratios within one round, so that a machine's drift cancels out.
        """
        return {
            other: median(
                one.value / beside.value for one, beside in zip(self.rounds[key], self.rounds[other], strict=False)
            )
            for other in ROWS
            if (other.startswith("Y") or other in ROWS[key].goal) and other in self.rounds
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
