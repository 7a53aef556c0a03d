"""A paused component begins nothing, loses nothing, burns no attempt, and goes on in order."""

import asyncio
from typing import Final

import pytest

from hub.bus import Bus
from hub.component import Component, Context, Installed
from hub.errors import ComponentPausedError, OutsideDownError
from schemas.message import Envelope
from schemas.points import BalanceOf
from tests.hub.parts import Probe, at_work, fake, key_in, notice, say
from tests.waiting import wait_until

PAUSE: Final = "INSERT INTO hub.pause (component, operator, reason) VALUES ($1, 'root', 'repair')"
RESUME: Final = "DELETE FROM hub.pause"


async def test_what_is_under_way_outside_ends_and_the_rest_waits_in_order(probe: Probe) -> None:
    began: list[int] = []
    may_end = asyncio.Event()

    async def outside(envelope: Envelope) -> None:
        began.append(getattr(envelope.message, "points", 0))
        await may_end.wait()

    key = key_in(3)
    async with at_work(probe.url, fake("ledger"), fake("mail", outside=outside)) as process:
        await say(process, *(notice(n, key) for n in range(1, 6)))
        await wait_until(lambda: began)
        await probe.connection.execute(PAUSE, "mail")
        await wait_until(lambda: process.pauses.has("mail"))
        may_end.set()
        await wait_until(lambda: _open(probe, 4))
        await say(process, notice(6, key))
        assert began == [1]

        await probe.connection.execute(RESUME)
        await process.drained(5)

    assert began == [1, 2, 3, 4, 5, 6]


async def _open(probe: Probe, count: int) -> bool:
    return sum(len(row["message_ids"]) for row in await probe.deliveries()) == count


async def test_a_paused_component_probes_nobody(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.transports.receiver.POLL_S", 0.05)
    tried: list[int] = []
    done: list[int] = []
    is_down = True

    async def outside(envelope: Envelope) -> None:
        tried.append(getattr(envelope.message, "points", 0))
        if is_down:
            raise OutsideDownError(destination="smtp", retry_after_s=0.1)
        done.append(tried[-1])

    mail = fake("mail", outside=outside, destination_of=lambda _message: "smtp")
    async with at_work(probe.url, fake("ledger"), mail, outage_probe_limit_s=0.1) as process:
        await say(process, notice(1))
        await wait_until(lambda: len(tried) > 2)
        await probe.connection.execute(PAUSE, "mail")
        await wait_until(lambda: process.pauses.has("mail"))
        before = len(tried)
        await asyncio.sleep(1)  # ten probes: a pause that does not hold shows here
        assert len(tried) <= before + 1, "a probe that had begun may end"

        is_down = False
        await probe.connection.execute(RESUME)
        await wait_until(lambda: done)


async def test_who_needs_a_paused_component_waits_and_burns_no_attempt(probe: Probe) -> None:
    done: list[int] = []
    buses: list[Bus] = []

    async def outside(envelope: Envelope) -> None:
        await buses[0].call(BalanceOf(citizen_id=envelope.subject), 5)
        done.append(getattr(envelope.message, "points", 0))

    made = fake("mail", outside=outside)

    def build(context: Context) -> Component:
        buses.append(context.bus)
        return made.factory(context)

    await probe.connection.execute(PAUSE, "ledger")
    async with at_work(probe.url, fake("ledger")), at_work(probe.url, Installed("mail", build)) as process:
        await say(process, notice(1))
        with pytest.raises(ComponentPausedError):
            await process.call(BalanceOf(citizen_id=key_in(1)), 5)
        assert [(row["state"], row["attempts"]) for row in await probe.deliveries()] == [("due", 0)]

        await probe.connection.execute(RESUME)
        await wait_until(lambda: done, 15)
    assert await probe.connection.fetchval("SELECT count(*) FROM hub.outage") == 0, "who is paused is not down"
