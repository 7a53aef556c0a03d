"""Work outside: with no transaction open, tried again later, marked in groups, one slow message no obstacle."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from hub.errors import NotYetError, PermanentError, TransientError
from hub.transports import outside as outside_module
from hub.transports.outside import MARK_LIMIT
from schemas.message import Envelope
from schemas.notices import SendNotice
from tests.hub.parts import Probe, fake, key_in, notice, say
from tests.hub.transports.conftest import Start
from tests.waiting import wait_until

RIPEN: Final = "UPDATE hub.delivery SET due_at = now() WHERE state = 'scheduled'"
DONE: Final = "SELECT * FROM hub.outside_done"
FORGET_TYPE: Final = "UPDATE hub.message SET type = 'jp.mykey.gone.v1' WHERE id = $1"


class Outside:
    """Something outside that notes what it was asked, and fails or waits as told."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.ids: list[UUID] = []
        self.failing: dict[int, Exception] = {}
        self.slow: set[int] = set()
        self.may_go_on = asyncio.Event()
        self.at_once = Counter[str]()

    async def __call__(self, envelope: Envelope) -> None:
        assert isinstance(envelope.message, SendNotice)
        n = envelope.message.points
        self.ids.append(envelope.id)
        self.at_once["now"] += 1
        self.at_once["most"] = max(self.at_once["most"], self.at_once["now"])
        try:
            await asyncio.sleep(0)
            if n in self.slow:
                await self.may_go_on.wait()
            if n in self.failing:
                raise self.failing[n]
        finally:
            self.at_once["now"] -= 1
        self.done.append(n)


async def test_each_is_done_once_with_its_own_id(start: Start, probe: Probe) -> None:
    outside = Outside()
    async with start(fake("registry"), fake("mail", outside=outside)) as process:
        ids = await say(process, *(notice(n) for n in range(1, 201)))
        await process.drained(10)

    assert sorted(outside.done) == list(range(1, 201))
    assert sorted(outside.ids) == sorted(ids)
    assert await probe.deliveries() == []


async def test_when_it_was_done_is_kept_and_how_long_that_took(start: Start, probe: Probe) -> None:
    outside = Outside()
    outside.slow, outside.failing = {1}, {2: PermanentError("closed")}
    async with start(fake("registry"), fake("mail", outside=outside)) as process:
        slow, _ = await say(process, notice(1, key_in(1)), notice(2, key_in(2)))
        await wait_until(lambda: probe.deliveries("parked"))
        await wait_until(lambda: slow in outside.ids)
        asyncio.get_running_loop().call_later(0.1, outside.may_go_on.set)
        await process.drained(10)

    (done,) = await probe.connection.fetch(DONE)
    assert done["message_id"] == slow
    assert done["took_s"] >= 0.1


async def test_no_more_are_in_work_at_once_than_the_component_says(start: Start) -> None:
    outside = Outside()
    async with start(fake("registry"), fake("mail", outside=outside, outside_limit=3)) as process:
        await say(process, *(notice(n, key_in(2)) for n in range(1, 31)))
        await process.drained(10)

    assert outside.at_once["most"] == 3


async def test_a_slow_one_does_not_stop_other_lanes_nor_its_lane_s_neighbours(start: Start, probe: Probe) -> None:
    outside = Outside()
    outside.slow = {1}
    async with start(fake("registry"), fake("mail", outside=outside, outside_limit=2)) as process:
        await say(process, notice(1, key_in(1)), notice(2, key_in(1)), *(notice(n, key_in(n)) for n in range(3, 16)))
        await wait_until(lambda: len(outside.done) == 14)
        await wait_until(lambda: _deliveries(probe, 1))  # other lanes are marked, too
        outside.may_go_on.set()
        await process.drained(5)

    assert len(outside.done) == 15


async def test_what_fails_for_now_is_tried_again_under_the_same_id(start: Start, probe: Probe) -> None:
    outside = Outside()
    outside.failing = {2: TransientError("busy", retry_after_s=90)}
    async with start(fake("registry"), fake("mail", outside=outside)) as process:
        ids = await say(process, *(notice(n, key_in(3)) for n in (1, 2, 3)))
        await wait_until(lambda: probe.deliveries("scheduled"))
        (waiting,) = await probe.deliveries("scheduled")
        assert waiting["due_at"] - datetime.now(UTC) > timedelta(seconds=80)
        assert waiting["reason"] == "TransientError: busy"
        outside.failing = {}
        await probe.connection.execute(RIPEN)
        await wait_until(lambda: 2 in outside.done)
        await process.drained(5)

    assert outside.done == [1, 3, 2]
    assert outside.ids == [*ids, ids[1]]


async def test_what_may_not_be_tried_yet_loses_no_attempt(start: Start, probe: Probe) -> None:
    outside = Outside()
    outside.failing = {2: NotYetError("its turn", retry_after_s=90)}
    async with start(fake("registry"), fake("mail", outside=outside)) as process:
        await say(process, *(notice(n, key_in(3)) for n in (1, 2, 3)))
        await wait_until(lambda: probe.deliveries("scheduled"))
        (waiting,) = await probe.deliveries("scheduled")
        assert waiting["due_at"] - datetime.now(UTC) > timedelta(seconds=80)
        assert (waiting["attempts"], waiting["reason"]) == (0, "NotYetError: its turn")
        outside.failing = {}
        await probe.connection.execute(RIPEN)
        await wait_until(lambda: 2 in outside.done)
        await process.drained(5)


async def test_what_fails_because_our_database_is_away_is_tried_again(start: Start, probe: Probe) -> None:
    outside = Outside()
    outside.failing = {1: asyncpg.ConnectionDoesNotExistError("cut"), 2: ConnectionRefusedError()}
    async with start(fake("registry"), fake("mail", outside=outside)) as process:
        ids = await say(process, notice(1), notice(2))
        await wait_until(lambda: set(ids) <= set(outside.ids))
        await process.drained(10)
        assert {row["state"] for row in await probe.deliveries()} == {"scheduled"}


async def test_what_can_not_work_is_parked_and_so_is_what_nobody_classified(start: Start, probe: Probe) -> None:
    outside = Outside()
    outside.failing = {2: PermanentError("no such mailbox"), 3: KeyError("who knows")}
    async with start(fake("registry"), fake("mail", outside=outside)) as process:
        await say(process, *(notice(n, key_in(3)) for n in (1, 2, 3, 4)))
        await process.drained(5)

    reasons = [row["reason"] for row in await probe.deliveries("parked")]
    assert reasons == ["PermanentError: no such mailbox", "UnclassifiedError: KeyError"]
    assert outside.done == [1, 4]


async def test_an_unreadable_one_is_parked(start: Start, probe: Probe) -> None:
    outside = Outside()
    async with start(fake("registry")) as process:
        _, broken = await say(process, notice(1, key_in(1)), notice(2, key_in(1)))
    await probe.connection.execute(FORGET_TYPE, broken)

    async with start(fake("mail", outside=outside)) as process:
        await process.drained(5)

    (parked,) = await probe.deliveries("parked")
    assert parked["message_ids"] == [broken]
    assert outside.done == [1]


async def test_successes_are_marked_in_groups(start: Start, probe: Probe) -> None:
    outside = Outside()
    outside.slow = {MARK_LIMIT + 1}
    async with start(fake("registry"), fake("mail", outside=outside)) as process:
        await say(process, *(notice(n, key_in(1)) for n in range(1, 2 * MARK_LIMIT + 1)))
        await wait_until(lambda: _left(probe, MARK_LIMIT))
        assert outside.done == list(range(1, MARK_LIMIT + 1))
        outside.may_go_on.set()
        await process.drained(5)

    assert outside.done == list(range(1, 2 * MARK_LIMIT + 1))


async def test_a_graceful_stop_ends_what_is_begun_and_begins_nothing_more(start: Start, probe: Probe) -> None:
    outside = Outside()
    outside.slow = {1}
    async with start(fake("registry"), fake("mail", outside=outside)) as process:
        await say(process, *(notice(n, key_in(1)) for n in range(1, 11)))
        await wait_until(lambda: outside.ids)
        asyncio.get_running_loop().call_later(0.2, outside.may_go_on.set)

    assert outside.done == [1]
    (waiting,) = await probe.deliveries("due")
    assert len(waiting["message_ids"]) == 9

    async with start(fake("mail", outside=outside)) as process:
        await process.drained(5)
    assert outside.done == list(range(1, 11))


def test_the_number_a_crash_could_repeat_is_small() -> None:
    assert outside_module.MARK_LIMIT <= 64


async def _deliveries(probe: Probe, count: int) -> bool:
    return len(await probe.deliveries()) == count


async def _left(probe: Probe, count: int) -> bool:
    return sum(len(row["message_ids"]) for row in await probe.deliveries()) == count
