"""Outside, in turn: one after the other to each destination, side by side to several; who is slow holds nobody up."""

import asyncio
from collections import Counter
from typing import Final

import pytest

from hub.errors import TransientError
from hub.transports import outside as outside_module
from schemas.message import Envelope
from schemas.notices import SendNotice
from tests.hub.parts import Probe, fake, key_in, notice, say
from tests.hub.transports.conftest import Start
from tests.hub.transports.test_outages import SIDES, side_of
from tests.waiting import wait_until

SLOW, QUICK = SIDES
SCHEDULED: Final = "SELECT attempts, reason FROM hub.delivery WHERE state = 'scheduled'"


class Endpoints:
    """Two endpoints: the one answers when it may, the other at once."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.now = Counter[str]()
        self.most = Counter[str]()
        self.may_answer = asyncio.Event()
        self.failing: set[int] = set()

    async def __call__(self, envelope: Envelope) -> None:
        assert isinstance(envelope.message, SendNotice)
        side = side_of(envelope.message)
        self.now[side] += 1
        self.most[side] = max(self.most[side], self.now[side])
        await (self.may_answer.wait() if side == SLOW else asyncio.sleep(0))
        self.now[side] -= 1
        if envelope.message.points in self.failing:
            self.failing.discard(envelope.message.points)
            raise TransientError("once")
        self.done.append(envelope.message.points)

    def of(self, side: int) -> list[int]:
        """What one of them has taken, in order."""
        return [n for n in self.done if n % 2 == side]


class Stopwatch:
    """Time passes for the transport only when the slow one answers for the first time."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    def monotonic(self) -> float:
        """Seconds."""
        return 2 * outside_module.TURN_LIMIT_S if self._endpoints.may_answer.is_set() else 0.0


async def test_what_is_for_one_destination_goes_out_in_order_one_by_one(start: Start) -> None:
    endpoints = Endpoints()
    endpoints.may_answer.set()
    mail = fake("mail", outside=endpoints, outside_limit=8, outside_in_turn=True, destination_of=side_of)
    async with start(fake("registry"), mail) as process:
        await say(process, *(notice(n, key_in(1)) for n in range(1, 101)))
        await process.drained(10)
    assert endpoints.of(1) == list(range(1, 101, 2))
    assert endpoints.of(0) == list(range(2, 101, 2))
    assert endpoints.most == {SLOW: 1, QUICK: 1}


async def test_a_slow_destination_holds_up_nobody_else(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in one lane. Two hundred for the quick one get through while the slow one answers once."""
    endpoints = Endpoints()
    monkeypatch.setattr(outside_module, "SLOW_REST_S", 0.2)
    monkeypatch.setattr(outside_module, "time", Stopwatch(endpoints))
    mail = fake("mail", outside=endpoints, outside_limit=8, outside_in_turn=True, destination_of=side_of)
    async with start(fake("registry"), mail) as process:
        await say(process, *(notice(n, key_in(1)) for n in range(1, 401)))
        await wait_until(lambda: len(endpoints.of(0)) >= 32)
        assert endpoints.of(1) == []
        asyncio.get_running_loop().call_later(0.1, endpoints.may_answer.set)
        await wait_until(lambda: len(endpoints.of(0)) == 200)
        assert len(endpoints.of(1)) < 200
        rows = await probe.connection.fetch(SCHEDULED)
        assert {row["attempts"] for row in rows} <= {0}
        assert all(row["reason"].startswith("SlowError") for row in rows)
        await wait_until(lambda: len(endpoints.of(1)) == 200, 30.0)
    assert endpoints.of(1) == list(range(1, 401, 2)), "put off, they keep their order"
    assert endpoints.most[SLOW] == 1


async def test_one_that_fails_is_tried_again_and_the_rest_goes_on(start: Start) -> None:
    endpoints = Endpoints()
    endpoints.may_answer.set()
    endpoints.failing = {3}
    mail = fake("mail", outside=endpoints, outside_limit=8, outside_in_turn=True, destination_of=side_of)
    async with start(fake("registry"), mail) as process:
        await say(process, *(notice(n, key_in(1)) for n in range(1, 11)))
        await wait_until(lambda: sorted(endpoints.done) == list(range(1, 11)))
    assert endpoints.of(1)[-1] == 3
