"""Another side that is down: what is for it waits and burns nothing, the rest flows, one probe at a time goes out."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from hub import outages
from hub.component import Installed, Unasked
from hub.database import Database
from hub.errors import NoAnswerError, NotYetError, OutsideDownError, PermanentError, TransientError
from hub.metrics import OUTAGES, OUTAGES_BEGUN
from hub.outages import Outage, OutageLimits
from hub.process import HubProcess
from hub.transports.outside import PROBES_LIMIT, OutsideReceiver
from schemas.message import Envelope
from schemas.notices import SendNotice
from schemas.outages import OutageBegan, OutageEnded
from tests.hub.parts import PARTY, Probe, fake, key_in, notice, say
from tests.hub.transports.conftest import Start
from tests.waiting import wait_until

RECEIVER: Final = "mail.outside"
SIDES: Final = ("airline", "card")
OUTAGE_ROWS: Final = "SELECT * FROM hub.outage ORDER BY id"
SAID: Final = "SELECT count(*) FROM hub.message WHERE type = $1"
LEASES_RUN_OUT: Final = "UPDATE hub.outage SET probe_after = now()"
PUT_OFF_BY: Final = "SELECT bool_and(probe_after > now() + make_interval(secs => $1)) FROM hub.outage"
NEXT_PROBE: Final = "SELECT probe_after FROM hub.outage"
NEXT_PROBE_IS_LATER: Final = "SELECT probe_after > $1::timestamptz + make_interval(secs => $2) FROM hub.outage"
END_IT: Final = "UPDATE hub.outage SET ended_at = now() WHERE ended_at IS NULL"


@pytest.fixture
def start(start: Start) -> Start:
    """Probes that do not come to lie far apart, so that a slow machine changes nothing."""
    return partial(start, outage_probe_limit_s=0.2)


class GoneError(PermanentError):
    """The other side says no."""

    answered = True


class BusyError(TransientError):
    """The other side says not now."""

    answered = True


def side_of(message: SendNotice) -> str:
    """Odd numbers are for the airline, even ones for the card company."""
    return SIDES[1 - message.points % 2]


class Sides:
    """Two other sides; what reached them, and what was tried in vain."""

    def __init__(self, *down: str) -> None:
        self.down = set(down)
        self.silent: set[str] = set()
        self.done: list[int] = []
        self.tried: list[tuple[float, int]] = []
        self.failing: dict[int, Exception] = {}
        self.unasked: set[int] = set()
        self.at_once = 0
        self.most_at_once = 0
        self.retry_after_s = 0.1

    async def __call__(self, envelope: Envelope) -> Unasked | None:
        assert isinstance(envelope.message, SendNotice)
        n, side = envelope.message.points, side_of(envelope.message)
        if n in self.unasked:
            return Unasked.UNASKED
        if side in self.down | self.silent:
            await self._try_in_vain(n, side)
        if n in self.failing:
            raise self.failing[n]
        self.done.append(n)
        return None

    async def _try_in_vain(self, n: int, side: str) -> None:
        self.tried.append((time.monotonic(), n))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        if side in self.down:
            raise OutsideDownError("no connection", destination=side, retry_after_s=self.retry_after_s)
        raise NoAnswerError("silence", destination=side, retry_after_s=self.retry_after_s)


class Hanging(Sides):
    """Sides that take what is sent once they are up, and never answer until they are well."""

    def __init__(self, *down: str) -> None:
        super().__init__(*down)
        self.is_well = False
        self.hanging = 0
        self.hangs = asyncio.Event()

    async def __call__(self, envelope: Envelope) -> Unasked | None:
        if self.down or self.is_well:
            return await super().__call__(envelope)
        self.hangs.set()
        self.hanging += 1
        await asyncio.Event().wait()
        return None


class Thorough(Sides):
    """Sides that take their time with whatever they are asked once they are up."""

    TAKES_S: Final = 0.6

    async def __call__(self, envelope: Envelope) -> Unasked | None:
        if not self.down:
            await asyncio.sleep(self.TAKES_S)
        return await super().__call__(envelope)


def two_sides(sides: Sides, outside_limit: int = 4) -> Any:  # noqa: ANN401 - as `fake` returns it
    """The component that talks to them."""
    return fake("mail", outside=sides, outside_limit=outside_limit, destination_of=side_of)


def patient(sides: Sides) -> Installed:
    """The same, which says how long one message may take."""
    component = two_sides(sides)
    return Installed(component.name, lambda context: replace(component.factory(context), outside_try_limit_s=60.0))


async def held(probe: Probe) -> list[int]:
    """How many messages each held delivery has."""
    return [len(row["message_ids"]) for row in await probe.deliveries("held")]


async def is_held(probe: Probe, count: int) -> bool:
    return sum(await held(probe)) == count


async def rows(probe: Probe) -> Sequence[Any]:
    return await probe.connection.fetch(OUTAGE_ROWS)


async def said(probe: Probe) -> tuple[int, int]:
    """How often an outage was said to begin, and to end."""
    began, ended = [await probe.connection.fetchval(SAID, kind.TYPE) for kind in (OutageBegan, OutageEnded)]
    return began, ended


async def test_what_is_for_a_side_that_is_down_waits_and_the_rest_of_its_lane_flows(start: Start, probe: Probe) -> None:
    sides = Sides("airline")
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, *(notice(n, key_in(1)) for n in range(1, 201)))
        await wait_until(lambda: is_held(probe, 100))
        assert sides.done == list(range(2, 201, 2))
        await say(process, *(notice(n, key_in(1)) for n in range(201, 211)))
        await wait_until(lambda: is_held(probe, 105))
        assert sides.done == list(range(2, 211, 2))
        await process.drained(5)
        waiting = await probe.deliveries()
        assert {(one["state"], one["destination"], one["attempts"]) for one in waiting} == {("held", "airline", 0)}
        sides.down.clear()
        await wait_until(lambda: len(sides.done) == 210)
        await process.drained(5)

    assert sides.done[105:] == list(range(1, 211, 2)), "in the order in which they were said"
    assert await probe.deliveries() == []


class Blocked(Sides):
    """The card company takes its time, all at once."""

    def __init__(self, *down: str) -> None:
        super().__init__(*down)
        self.goes_on = asyncio.Event()

    async def __call__(self, envelope: Envelope) -> Unasked | None:
        assert isinstance(envelope.message, SendNotice)
        if side_of(envelope.message) == "card":
            await self.goes_on.wait()
        return await super().__call__(envelope)


async def test_what_was_held_goes_before_what_was_said_while_it_was(start: Start, probe: Probe) -> None:
    """Also where the outage ends while a lane is at a run that began before."""
    sides = Blocked("airline")
    async with start(fake("registry"), two_sides(sides, outside_limit=64)) as process:
        await say(process, *(notice(n, key_in(1)) for n in range(1, 10, 2)))
        await wait_until(lambda: is_held(probe, 5))
        await say(process, *(notice(n, key_in(1)) for n in (*range(2, 142, 2), 11, 13)))
        await wait_until(lambda: _in_work(process, 64))
        sides.down.clear()
        await wait_until(lambda: _is_over(probe))
        sides.goes_on.set()
        await wait_until(lambda: len([n for n in sides.done if n % 2]) == 7)
        await process.drained(5)
    assert [n for n in sides.done if n % 2] == [1, 3, 5, 7, 9, 11, 13]


def _in_work(process: HubProcess, count: int) -> bool:
    (receiver,) = (one for one in process.receivers_of("mail") if one.receiver == RECEIVER)
    return receiver.flow.in_work >= count


async def _is_over(probe: Probe) -> bool:
    return all(row["ended_at"] for row in await rows(probe)) and not await held(probe)


async def test_both_sides_of_one_delivery_may_be_down_and_come_back_one_after_the_other(
    start: Start, probe: Probe
) -> None:
    sides = Sides(*SIDES)
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, *(notice(n, key_in(1)) for n in range(1, 101)))
        await wait_until(lambda: is_held(probe, 100))
        assert {one["destination"] for one in await probe.deliveries("held")} == set(SIDES)
        sides.down.remove("card")
        await wait_until(lambda: len(sides.done) == 50)
        assert sides.done == list(range(2, 101, 2))
        sides.down.clear()
        await wait_until(lambda: len(sides.done) == 100)
        await process.drained(5)

    assert await said(probe) == (2, 2)


async def test_one_probe_at_a_time_goes_out_over_all_lanes_and_processes(start: Start, probe: Probe) -> None:
    sides = Sides("airline")
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(start(fake("registry"), two_sides(sides)))
        second = await stack.enter_async_context(start(two_sides(sides)))
        await wait_until(lambda: _share(first.receivers_of("mail")[-1], second.receivers_of("mail")[-1]))
        await say(first, *(notice(n, key_in(n % 16)) for n in range(1, 321, 2)))
        await wait_until(lambda: is_held(probe, 160), 10)
        sides.most_at_once = 0
        before = len(sides.tried)
        await wait_until(lambda: len(sides.tried) >= before + 4, 10)
        took_s = sides.tried[before + 3][0] - sides.tried[before][0]
        sides.down.clear()
        await wait_until(lambda: len(sides.done) == 160, 10)
        (row,) = await rows(probe)

    assert sides.most_at_once == 1
    assert took_s > 0.3
    assert row["probes"] >= 5
    assert sorted(sides.done) == list(range(1, 321, 2))
    assert await said(probe) == (1, 1), "by one of the two"
    assert [one for one in await probe.deliveries() if one["attempts"]] == []


def _share(*receivers: Any) -> bool:  # noqa: ANN401 - receivers
    return all(len(one.lanes.epochs) == 8 for one in receivers)


async def test_it_is_told_once_when_it_begins_and_once_when_it_is_over(start: Start, probe: Probe) -> None:
    sides = Sides("airline")
    begun = OUTAGES_BEGUN.labels(RECEIVER)._value.get()
    with capture_logs() as logs:
        async with start(fake("registry"), two_sides(sides)) as process:
            await say(process, *(notice(n, key_in(n % 16)) for n in range(1, 33)))
            await wait_until(lambda: is_held(probe, 16))
            await wait_until(lambda: OUTAGES.labels(RECEIVER)._value.get() == 1)
            (listed,) = await outages.listed(process.database_of("mail"))
            sides.down.clear()
            await wait_until(lambda: len(sides.done) == 32)
            await wait_until(lambda: OUTAGES.labels(RECEIVER)._value.get() == 0)
            (over,) = await outages.listed(process.database_of("mail"))

    told = [(one["event"], one["destination"]) for one in logs if one["event"] in {"outage_began", "outage_ended"}]
    assert told == [("outage_began", "airline"), ("outage_ended", "airline")]
    assert OUTAGES_BEGUN.labels(RECEIVER)._value.get() == begun + 1
    assert (listed.receiver, listed.destination, listed.error, listed.ended_at, listed.held) == (
        RECEIVER,
        "airline",
        "OutsideDownError",
        None,
        16,
    )
    assert isinstance(over, Outage)
    assert over.ended_at is not None
    assert (over.id, over.held) == (listed.id, 0)
    assert await said(probe) == (1, 1)


async def test_no_answer_several_times_in_a_row_is_an_outage_and_fewer_are_not(start: Start, probe: Probe) -> None:
    sides = Sides()
    sides.silent = {"airline"}
    async with start(fake("registry"), two_sides(sides, 1), outage_no_answer_limit=3) as process:
        await say(process, notice(1, key_in(1)), notice(3, key_in(1)))
        await wait_until(lambda: _attempts(probe, [1, 1]))
        assert await rows(probe) == []
        await say(process, notice(5, key_in(1)), notice(7, key_in(1)))
        await wait_until(lambda: rows(probe))
        assert (await rows(probe))[0]["error"] == "NoAnswerError"
        await wait_until(lambda: _are_held_with(probe, 0))
        sides.silent.clear()
        await wait_until(lambda: sorted(sides.done) == [1, 3, 5, 7], 20)


async def _attempts(probe: Probe, wanted: list[int]) -> bool:
    return [row["attempts"] for row in await probe.deliveries()] == wanted


async def _are_held_with(probe: Probe, attempts: int) -> bool:
    return attempts in [row["attempts"] for row in await probe.deliveries("held")]


async def test_an_answer_in_between_begins_the_count_anew(start: Start, probe: Probe) -> None:
    sides = Sides()
    sides.retry_after_s = 3_600
    async with start(fake("registry"), two_sides(sides, 1), outage_no_answer_limit=2) as process:
        for n in (1, 5, 9):
            sides.silent = {"airline"}
            await say(process, notice(n, key_in(1)))
            await wait_until(partial(_was_tried, sides, n))
            sides.silent = set()
            await say(process, notice(n + 2, key_in(1)))
            await wait_until(partial(_is_done, sides, n + 2))

    assert await rows(probe) == []


@pytest.mark.parametrize("refusal", [GoneError("554"), BusyError("451", retry_after_s=3_600)])
async def test_a_refusal_in_between_is_an_answer_too(start: Start, probe: Probe, refusal: Exception) -> None:
    sides = Sides()
    sides.retry_after_s = 3_600
    async with start(fake("registry"), two_sides(sides, 1), outage_no_answer_limit=2) as process:
        for n in (1, 5, 9):
            sides.silent = {"airline"}
            await say(process, notice(n, key_in(1)))
            await wait_until(partial(_was_tried, sides, n))
            sides.silent, sides.failing = set(), {n + 2: refusal}
            await say(process, notice(n + 2, key_in(1)))
            await wait_until(partial(_waits, probe, (n + 3) // 2))

    assert await rows(probe) == []


@pytest.mark.parametrize("failure", [PermanentError("no address"), NotYetError("its turn", retry_after_s=3_600)])
async def test_what_fails_before_anybody_is_asked_is_no_answer(start: Start, probe: Probe, failure: Exception) -> None:
    sides = Sides()
    sides.retry_after_s = 3_600
    sides.silent = {"airline"}
    async with start(fake("registry"), two_sides(sides, 1), outage_no_answer_limit=2) as process:
        await say(process, notice(1, key_in(1)))
        await wait_until(partial(_waits, probe, 1))
        sides.silent, sides.failing = set(), {3: failure}
        await say(process, notice(3, key_in(1)))
        await wait_until(partial(_waits, probe, 2))
        sides.silent = {"airline"}
        await say(process, notice(5, key_in(1)))
        await wait_until(lambda: rows(probe))


async def _waits(probe: Probe, count: int) -> bool:
    """Whether so many have failed: each loses its place, and is scheduled or parked by itself."""
    return len([row for row in await probe.deliveries() if row["state"] in {"scheduled", "parked"}]) == count


def _was_tried(sides: Sides, n: int) -> bool:
    return bool(sides.tried) and sides.tried[-1][1] == n


def _is_done(sides: Sides, n: int) -> bool:
    return n in sides.done


async def test_only_what_gets_through_ends_it(start: Start, probe: Probe) -> None:
    """A probe that fails for itself, or that asked nobody, is settled by itself and tells nothing."""
    sides = Sides("airline")
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, *(notice(n, key_in(1)) for n in (1, 3, 5, 7, 9)))
        await wait_until(lambda: is_held(probe, 5))
        sides.failing = {1: PermanentError("bad"), 3: TransientError("later", retry_after_s=3_600)}
        sides.unasked = {5}
        sides.down.clear()
        await wait_until(lambda: len(sides.done) == 2, 10)
        await process.drained(5)
        (row,) = await rows(probe)
        states = sorted((one["state"], one["attempts"]) for one in await probe.deliveries())

    assert row["ended_at"] is not None
    assert row["probes"] >= 4
    assert states == [("parked", 1), ("scheduled", 1)]
    assert sides.done == [7, 9]


async def test_sides_for_which_nothing_waits_any_more_keep_no_probe_from_the_others(start: Start, probe: Probe) -> None:
    """More of them than are probed at once: what was held for each asked nobody after all."""
    away, moot, done = set(range(1, PROBES_LIMIT + 6)), set[int](), list[int]()

    async def outside(envelope: Envelope) -> Unasked | None:
        assert isinstance(envelope.message, SendNotice)
        n = envelope.message.points
        if n in moot:
            return Unasked.UNASKED
        if n in away:
            raise OutsideDownError("no connection", destination=f"t{n}", retry_after_s=0.1)
        done.append(n)
        return None

    many = fake("mail", outside=outside, outside_limit=4, destination_of=lambda message: f"t{message.points}")
    async with start(fake("registry"), many) as process:
        await say(process, *(notice(n, key_in(1)) for n in sorted(away)))
        await wait_until(lambda: is_held(probe, len(away)))
        moot |= away
        await wait_until(lambda: is_held(probe, 0), 15)
        away.add(99)
        await say(process, notice(99, key_in(1)))
        await wait_until(lambda: is_held(probe, 1))
        away.clear()
        await wait_until(lambda: done == [99], 15)


async def test_a_message_that_is_never_answered_does_not_hold_the_others(start: Start, probe: Probe) -> None:
    sides = Sides()
    sides.failing = {1: NoAnswerError("silence", destination="airline", retry_after_s=0.1)}
    async with start(fake("registry"), two_sides(sides), outage_no_answer_limit=2) as process:
        await say(process, notice(1, key_in(1)))
        await wait_until(lambda: is_held(probe, 1), 15)
        await say(process, *(notice(n, key_in(n)) for n in range(3, 33, 2)))
        await wait_until(lambda: sorted(sides.done) == list(range(3, 33, 2)), 15)


async def test_an_outage_that_nothing_waits_for_any_more_ends_and_is_told_of(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.outages.UNASKED_LIMIT_S", 0.5)
    monkeypatch.setattr("hub.outages.RELEASE_EVERY_S", 0.1)
    sides = Sides("airline")
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, notice(1, key_in(1)))
        await wait_until(lambda: is_held(probe, 1))
        sides.unasked = {1}
        await wait_until(lambda: _all_over(probe))
        assert sides.done == []
        sides.down.clear()
        await say(process, notice(3, key_in(1)))
        await wait_until(lambda: sides.done == [3])
    assert await said(probe) == (1, 1)


async def _all_over(probe: Probe) -> bool:
    return all(row["ended_at"] is not None for row in await rows(probe))


async def test_a_process_that_starts_during_an_outage_sends_probes_only(start: Start, probe: Probe) -> None:
    sides = Sides("airline")
    sides.retry_after_s = 3_600
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, *(notice(n, key_in(1)) for n in (1, 3, 5)))
        await wait_until(lambda: is_held(probe, 3))
        await say(process, *(notice(n, key_in(2)) for n in (7, 9, 11)))
        await wait_until(lambda: is_held(probe, 6))
    before = len(sides.tried)

    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, notice(13, key_in(3)))
        await wait_until(lambda: is_held(probe, 7))
        assert len(sides.tried) == before
        sides.down.clear()
        await probe.connection.execute(LEASES_RUN_OUT)
        await wait_until(lambda: len(sides.done) == 7)


async def test_a_process_that_has_just_won_its_lanes_knows_of_an_outage(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = Sides("airline")
    sides.retry_after_s = 3_600
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, notice(1, key_in(1)))
        await wait_until(lambda: is_held(probe, 1))
    monkeypatch.setattr(OutsideReceiver, "_look", lambda _self: asyncio.Event().wait())
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, notice(3, key_in(2)))
        await wait_until(lambda: is_held(probe, 2))
    assert [n for _, n in sides.tried] == [1]


async def test_of_many_who_would_probe_one_may_and_after_its_lease_another(start: Start, probe: Probe) -> None:
    """A prober that is gone holds nobody up for longer than its lease."""
    sides = Sides("airline")
    sides.retry_after_s = 3_600
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, notice(1, key_in(1)))
        await wait_until(lambda: is_held(probe, 1))
        database = process.database_of("registry")
        others = [outages.Outages(RECEIVER, database, OutageLimits()) for _ in range(8)]
        for _ in range(3):
            await probe.connection.execute(LEASES_RUN_OUT)
            claims = await asyncio.gather(*(one.claim("airline") for one in others))
            claimed = [one for one in claims if one is not None]
            assert len(claimed) <= 1
            if not claimed:  # the process itself was faster, and puts the next probe off by what it is told
                await wait_until(lambda: probe.connection.fetchval(PUT_OFF_BY, 1_000))
        assert await others[0].claim("card") is None
        (row,) = await rows(probe)
        assert row["probes"] == 3
        sides.down.clear()
        await probe.connection.execute(LEASES_RUN_OUT)
        await wait_until(lambda: sides.done == [1])


async def test_nothing_is_held_any_more_for_an_outage_that_somebody_has_ended(start: Start, probe: Probe) -> None:
    """What is set aside is so under the outage's lock; one ended by hand lets go of everything within seconds."""
    sides = Sides("airline")
    sides.retry_after_s = 3_600
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, *(notice(n, key_in(1)) for n in (1, 3, 5)))
        await wait_until(lambda: is_held(probe, 3))
        sides.down.clear()
        await probe.connection.execute(END_IT)
        await say(process, notice(7, key_in(1)))
        await wait_until(lambda: sorted(sides.done) == [1, 3, 5, 7], 15)


class Late:
    """A database whose answers to questions arrive when `arrive` is set."""

    def __init__(self, database: Database) -> None:
        self.transaction = database.transaction
        self.is_asked, self.arrive = asyncio.Event(), asyncio.Event()
        self._connection = database.connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Late"]:
        async with self._connection() as self._asked:
            yield self

    async def fetch(self, *question: Any) -> object:  # noqa: ANN401 - the driver's
        answer = await self._asked.fetch(*question)
        self.is_asked.set()
        await self.arrive.wait()
        return answer

    async def fetchval(self, *question: Any) -> object:  # noqa: ANN401 - the driver's
        return await self._asked.fetchval(*question)


async def test_what_was_found_meanwhile_is_not_forgotten_by_an_older_look(start: Start, probe: Probe) -> None:
    async with start(fake("registry")) as process:
        database = process.database_of("registry")
        late = Late(database)
        ours = outages.Outages(RECEIVER, cast("Database", late), OutageLimits())
        looking = asyncio.create_task(ours.refresh([]))
        await late.is_asked.wait()
        assert ours.blames(OutsideDownError("no connection", destination="airline"), time.monotonic())
        await ours.begin_suspected()
        late.arrive.set()
        await looking
        assert ours.is_open("airline")
        await ours.refresh([])
        assert ours.is_open("airline")
        await probe.connection.execute(END_IT)
        await ours.refresh([])
        assert not ours.is_open("airline")


async def test_a_probe_that_hangs_is_given_up_and_counts_as_one_in_vain(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transports.outside.PROBE_TIMEOUT_S", 0.2)
    sides = Hanging("airline")
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, notice(1, key_in(1)))
        await wait_until(lambda: is_held(probe, 1))
        sides.down.clear()
        await wait_until(lambda: _says(probe, "NoAnswerError"))
        sides.is_well = True
        await wait_until(lambda: sides.done == [1], 10)


async def test_a_probe_may_take_as_long_as_its_component_says_that_a_try_takes(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transports.outside.PROBE_TIMEOUT_S", Thorough.TAKES_S / 4)
    sides = Thorough("airline")
    async with start(fake("registry"), patient(sides)) as process:
        await say(process, *(notice(n, key_in(1)) for n in (1, 3, 5)))
        await wait_until(lambda: is_held(probe, 3))
        sides.down.clear()
        await wait_until(lambda: len(sides.done) == 3)
        await process.drained(5)
    assert sides.done == [1, 3, 5]
    assert await said(probe) == (1, 1)


async def test_whoever_is_still_at_its_probe_keeps_the_right_to_it(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes; and whoever is gone does not keep it for so long."""
    monkeypatch.setattr("hub.outages.PROBE_LEASE_S", 1.0)
    monkeypatch.setattr("hub.outages.PROBE_RENEW_S", 0.1)
    sides = Hanging("airline")
    async with AsyncExitStack() as stack:
        first, _ = [await stack.enter_async_context(start(*both, patient(sides))) for both in ((fake("registry"),), ())]
        await say(first, *(notice(n, key_in(n % 16)) for n in range(1, 32, 2)))
        await wait_until(lambda: is_held(probe, 16))
        sides.down.clear()
        await asyncio.wait_for(sides.hangs.wait(), 10)
        begun = await probe.connection.fetchval(NEXT_PROBE)
        await wait_until(lambda: probe.connection.fetchval(NEXT_PROBE_IS_LATER, begun, 2.0))
        assert sides.hanging == 1
        sides.is_well = True


async def _says(probe: Probe, error: str) -> bool:
    return [row["error"] for row in await rows(probe)] == [error]


async def test_a_side_that_is_down_holds_up_no_stop(start: Start, probe: Probe) -> None:
    sides = Sides("airline")
    sides.retry_after_s = 3_600
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, notice(1, key_in(1)), notice(2, key_in(2)))
        await wait_until(lambda: is_held(probe, 1))
        await wait_until(lambda: sides.done == [2])
        began_s = time.monotonic()

    assert time.monotonic() - began_s < 10


async def test_a_probe_that_hangs_holds_up_no_stop_and_another_may_go_at_once(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transports.outside.PROBE_END_S", 0.2)
    sides = Hanging("airline")
    async with start(fake("registry"), two_sides(sides)) as process:
        await say(process, notice(1, key_in(1)))
        await wait_until(lambda: is_held(probe, 1))
        sides.down.clear()
        await asyncio.wait_for(sides.hangs.wait(), 10)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 10
    assert not await probe.connection.fetchval(PUT_OFF_BY, 1.0)
    assert await is_held(probe, 1)


def test_probes_come_to_lie_further_apart_up_to_the_limit_or_what_is_asked_for() -> None:
    limits = OutageLimits(probe_limit_s=60.0)
    down = OutsideDownError(destination="smtp", retry_after_s=5.0)
    assert [limits.wait_s(down, probes) for probes in (0, 1, 2, 3, 4, 99)] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    assert limits.wait_s(OutsideDownError(destination="smtp", retry_after_s=120.0), 3) == 120.0
    assert limits.wait_s(OutsideDownError(destination="smtp", retry_after_s=1e9), 0) == 3_600.0
    assert limits.wait_s(None, 7) == 0.0


def test_a_side_is_named_by_whoever_found_it_down() -> None:
    assert OutsideDownError(destination=str(PARTY)).destination == str(UUID(int=7))
