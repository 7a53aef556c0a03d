"""Counting failures: a long run of tries against a plain model of the same rules, and many at once."""

import asyncio
import random
from datetime import datetime, timedelta
from functools import partial

import pytest

from hub.apart import committed
from hub.clock import AdjustableClock
from hub.keys import Keys
from hub.process import HubProcess
from hub.transaction import Transaction
from tests.running import SECRET_KEY
from workers.registry import tries
from workers.registry.tries import WINDOW, Counter, Tries

STEPS = 400
SOURCE, ACCOUNT, DEVICE, ALL = 5, 4, 2, 12


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Tries:
    for limit, value in (("SOURCE", SOURCE), ("ACCOUNT", ACCOUNT), ("DEVICE", DEVICE), ("GLOBAL", ALL)):
        monkeypatch.setattr(tries, f"{limit}_LIMIT", value)
    return Tries(Keys(SECRET_KEY.encode()).hasher("registry.failed-try"))


class Model:
    """The rules as one would tell them: what failed since its window began."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[datetime, int]] = {}

    def begin(self, limits: dict[str, int], now: datetime) -> bool:
        open_counts = {what: self._of(what, now) for what in limits}
        if any(count >= limits[what] for what, (_since, count) in open_counts.items()):
            return False
        for what, (since, count) in open_counts.items():
            self.counts[what] = (since, count + 1)
        return True

    def was_right(self, limits: dict[str, int]) -> None:
        for what in limits:
            since, count = self.counts[what]
            self.counts[what] = (since, max(0, count - 1))

    def _of(self, what: str, now: datetime) -> tuple[datetime, int]:
        since, count = self.counts.get(what, (now, 0))
        return (since, count) if count and since > now - WINDOW else (now, 0)


async def attempt(counting: Tries, counters: list[Counter], now: datetime, tx: Transaction, *, is_right: bool) -> bool:
    tx.now = now
    may = await counting.begin(counters, tx)
    if may and is_right:
        await counting.was_right(counters, tx)
    return may


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_counted_as_the_model_does(registry: HubProcess, counting: Tries, seed: int) -> None:
    # From the process's own time on: what is past by its clock, it forgets by itself.
    chance, model, now = random.Random(seed), Model(), registry.clock.now()
    outcomes = set()
    for _ in range(STEPS):
        now += timedelta(seconds=chance.choice((0, 1, 30, 300)))
        source, account = f"source-{chance.randrange(4)}", f"account-{chance.randrange(5)}"
        device = b"known" if chance.random() < 0.5 else None
        counters = counting.counters(source, account.encode(), device)
        limits = {f"device {account}": DEVICE} if device else {source: SOURCE, account: ACCOUNT, "all": ALL}
        is_right = chance.random() < 0.3

        may = await committed(
            registry.database_of("registry"), partial(attempt, counting, counters, now, is_right=is_right)
        )
        assert may == model.begin(limits, now)
        if may and is_right:
            model.was_right(limits)
        outcomes.add((may, device is not None))
    assert len(outcomes) == 4


async def test_many_at_once_do_not_slip_by(registry: HubProcess, counting: Tries) -> None:
    counters = counting.counters("source", b"account", None)
    database = registry.database_of("registry")
    may = await asyncio.gather(*(committed(database, lambda tx: counting.begin(counters, tx)) for _ in range(40)))
    assert sum(may) == ACCOUNT


async def test_a_clock_that_stands_still_counts_too(registry: HubProcess, counting: Tries) -> None:
    assert isinstance(registry.clock, AdjustableClock)
    database = registry.database_of("registry")
    counters = counting.counters("source", b"account", b"device")
    may = [await committed(database, lambda tx: counting.begin(counters, tx)) for _ in range(DEVICE + 1)]
    assert may == [True] * DEVICE + [False]
