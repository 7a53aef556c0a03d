"""How fast messages flow: counted in memory, written by each process every few seconds, added up by whoever reads.

Nothing is written for a message. The time from said to done is read off the message's id, which tells the millisecond
in which it was said.
"""

import asyncio
import json
import time
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import ceil
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

import structlog

from hub.database import UNREACHABLE, Database

log = structlog.get_logger()
Item = TypeVar("Item")

WRITE_EVERY_S: Final = 2.0
WINDOW: Final = 5
"""What is written is about so many last intervals: ten seconds."""
SAMPLES: Final = 16
"""So many of a run, at even distances, are looked at and stand for their neighbours, which were said at about the same
time: each message by itself would cost half a microsecond."""
STALE_S: Final = 3 * WRITE_EVERY_S
"""What was written so long ago is not said any more: its process has nothing to do, or is gone."""
BOUNDS_MS: Final = tuple(1.5**n for n in range(40))
"""The buckets of the time from said to done: below 1 ms, below 1.5 ms … below two hours, and longer."""

WRITE: Final = """
WITH gone AS (DELETE FROM hub.flow WHERE written_at < now() - interval '1 minute')
INSERT INTO hub.flow (process_id, receiver, written_at, done_per_s, failed_per_s, in_work, critical)
SELECT $1, receiver, now(), done_per_s, failed_per_s, in_work, critical
FROM jsonb_to_recordset($2::jsonb)
    AS r (receiver text, done_per_s real, failed_per_s real, in_work int, critical int[])
ON CONFLICT (process_id, receiver) DO UPDATE SET written_at = excluded.written_at, done_per_s = excluded.done_per_s,
    failed_per_s = excluded.failed_per_s, in_work = excluded.in_work, critical = excluded.critical
"""
COMPLAIN: Final = "UPDATE hub.process SET complaint = $2 WHERE process_id = $1 AND complaint IS DISTINCT FROM $2"
READ: Final = "SELECT * FROM hub.flow WHERE written_at > now() - make_interval(secs => $1)"


def since_said_ms(message_id: UUID) -> float:
    """How long ago a message was said, by the clock of the machine that said it."""
    return time.time() * 1e3 - (message_id.int >> 80)


class Flow:
    """What one receiver does in this process."""

    def __init__(self) -> None:
        self.in_work = 0
        self.done = 0
        self.failed = 0
        self.critical = [0] * (len(BOUNDS_MS) + 1)

    @contextmanager
    def working(self, messages: int) -> Iterator[None]:
        """So many are in work meanwhile."""
        self.in_work += messages
        try:
            yield
        finally:
            self.in_work -= messages

    def was_done(self, run: Sequence[Item], waited_ms: Callable[[Item], float]) -> None:
        """This run has taken effect, each of it so long after it was said."""
        step = ceil(len(run) / SAMPLES)
        for first in range(0, len(run), step or 1):
            bucket = bisect_right(BOUNDS_MS, waited_ms(run[first]))
            self.critical[bucket] += min(step, len(run) - first)
        self.done += len(run)

    def take(self) -> "Interval":
        """What there was since the last time."""
        taken = Interval(self.done, self.failed, self.critical)
        self.done, self.failed, self.critical = 0, 0, [0] * len(self.critical)
        return taken


class Interval(NamedTuple):
    """What a receiver did between two writings."""

    done: int
    failed: int
    critical: list[int]


class FlowWriter:
    """Writes the rows of this process, where there is something to tell."""

    def __init__(self, process_id: UUID, flows: Mapping[str, Flow], complaint: Callable[[], str | None]) -> None:
        """`flows` are the process's own, by receiver; `complaint` is what it says of the way to the others."""
        self._process_id = process_id
        self._flows = flows
        self._complaint = complaint
        self._past: defaultdict[str, deque[Interval]] = defaultdict(lambda: deque(maxlen=WINDOW))

    async def run(self, database: Database) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.write(database)
            except UNREACHABLE as error:
                log.warning("flow_not_written", error=type(error).__qualname__)

    async def write(self, database: Database) -> None:
        """Once."""
        rows = [row for receiver, flow in self._flows.items() if (row := self._row(receiver, flow)) is not None]
        async with database.connection() as connection:
            await connection.execute(COMPLAIN, self._process_id, self._complaint())
            if rows:
                await connection.execute(WRITE, self._process_id, json.dumps(rows))

    def _row(self, receiver: str, flow: Flow) -> dict[str, object] | None:
        past = self._past[receiver]
        past.append(flow.take())
        window_s = WRITE_EVERY_S * WINDOW
        done, failed = sum(one.done for one in past), sum(one.failed for one in past)
        if not (done or failed or flow.in_work):
            return None
        return {
            "receiver": receiver,
            "done_per_s": done / window_s,
            "failed_per_s": failed / window_s,
            "in_work": flow.in_work,
            "critical": [sum(counts) for counts in zip(*(one.critical for one in past), strict=True)],
        }


class Flowing(NamedTuple):
    """What a receiver does now, in all processes: a second, in work, and half and 99 % done within so many ms."""

    done_per_s: float
    failed_per_s: float
    in_work: int
    critical_p50_ms: float | None
    critical_p99_ms: float | None


async def read(database: Database) -> dict[str, Flowing]:
    """Receiver → what flows there; receivers that do nothing are left out."""
    async with database.connection() as connection:
        rows = await connection.fetch(READ, STALE_S)
    found: dict[str, Flowing] = {}
    for receiver in {row["receiver"] for row in rows}:
        mine = [row for row in rows if row["receiver"] == receiver]
        critical = [sum(counts) for counts in zip(*(row["critical"] for row in mine), strict=True)]
        found[receiver] = Flowing(
            round(sum(row["done_per_s"] for row in mine), 1),
            round(sum(row["failed_per_s"] for row in mine), 1),
            sum(row["in_work"] for row in mine),
            percentile_ms(critical, 0.5),
            percentile_ms(critical, 0.99),
        )
    return found


def percentile_ms(counts: Sequence[int], share: float) -> float | None:
    """The time within which this share is done, read off the buckets; None where nothing was."""
    wanted = sum(counts) * share
    edges = pairwise((0.0, *BOUNDS_MS, BOUNDS_MS[-1]))
    passed = 0
    for count, (low, high) in zip(counts, edges, strict=True):
        if count and passed + count >= wanted:
            return round(low + (high - low) * (wanted - passed) / count, 1)
        passed += count
    return None
