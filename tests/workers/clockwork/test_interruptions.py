"""Lost answers, and two clockworks at once: everything is done, and nothing twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeVar
from uuid import UUID

import pytest
from pydantic import SecretStr

from hub.bus import Bus
from hub.clock import AdjustableClock, start_of_day
from hub.component import Component, Context, Installed
from hub.errors import DeadlineExceededError, TransientError
from hub.installed import installed
from hub.process import HubProcess
from hub.settings import Settings
from hub.transports.remote_calls import RemoteFailedError
from schemas.message import Answered, Command
from schemas.points import HeldByPool, PostingCommand
from schemas.values import LANES, RESERVE, scheme_pool
from tests.running import SECRET_KEY, running
from tests.workers.clockwork.world import BASE, DEADLINE_S, LAST_DAY_HELD, OTHER_BASE, START, World
from workers.clockwork import work
from workers.clockwork.component import component
from workers.clockwork.work import Clockwork

Answer = TypeVar("Answer")

SAME_LANE = [LANES * n for n in range(1, 11)]
TICK_LIMIT = 200


class Flaky(Bus):
    """A bus that loses every fifth answer, after its commit: a page takes four at the most."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._asked = 0

    async def call(self, message: Answered[Answer], deadline_s: float) -> Answer:
        return (await self.call_many([message], deadline_s))[0]

    async def call_many(self, messages: Sequence[Answered[Answer]], deadline_s: float) -> list[Answer]:
        answers = await self._bus.call_many(messages, deadline_s)
        self._asked += 1
        if self._asked % 5 == 0:
            raise DeadlineExceededError
        return answers

    async def send(self, commands: Sequence[Command]) -> None:
        await self._bus.send(commands)


class Failing(Bus):
    """A bus on which whatever is asked for one citizen fails for good, and with it all that is asked beside it."""

    def __init__(self, bus: Bus, citizen_id: UUID) -> None:
        self._bus = bus
        self._citizen_id = citizen_id

    async def call(self, message: Answered[Answer], deadline_s: float) -> Answer:
        return (await self.call_many([message], deadline_s))[0]

    async def call_many(self, messages: Sequence[Answered[Answer]], deadline_s: float) -> list[Answer]:
        if any(isinstance(one, PostingCommand) and one.citizen_id == self._citizen_id for one in messages):
            raise RemoteFailedError("CheckViolationError")
        return await self._bus.call_many(messages, deadline_s)

    async def send(self, commands: Sequence[Command]) -> None:
        await self._bus.send(commands)


class Held:
    """A process whose clockwork only moves when the test says so."""

    def __init__(self) -> None:
        self.context: Context | None = None

    def build(self, context: Context) -> Component:
        """The component without its job."""
        self.context = context
        return replace(component(context), jobs=())

    def clockwork(self, *, flaky: bool = False, failing: UUID | None = None) -> Clockwork:
        """A clockwork of this process; as many as wanted."""
        assert self.context is not None
        context = self.context
        if failing is not None:
            return Clockwork(replace(context, bus=Failing(context.bus, failing)))
        return Clockwork(replace(context, bus=Flaky(context.bus)) if flaky else context)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
async def world(database_url: str, held: Held, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Ten citizens of one lane, pages of three, points of both kinds, all reminded of and due in April."""
    monkeypatch.setattr(work, "PAGE_LIMIT_LOTS", 3)
    clock = AdjustableClock(START)
    settings = Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))
    components = [*installed(("registry", "ledger")), Installed("clockwork", held.build)]
    async with HubProcess(settings, clock, components, database_url) as process:
        world = await World.opened(process, clock, database_url)
        await world.register(*SAME_LANE)
        await world.credit(RESERVE, 100, *SAME_LANE)
        await world.credit(scheme_pool(OTHER_BASE), 300, *SAME_LANE)
        yield world


async def tick_until_done(clockwork: Clockwork) -> int:
    """Tick as the job does; returns how often a tick could not go on."""
    for failed in range(TICK_LIMIT):
        try:
            await clockwork.tick()
        except TransientError:
            continue
        return failed
    raise AssertionError(TICK_LIMIT)


async def live_through_april(world: World, *clockworks: Clockwork) -> int:
    """The day of the reminders, then the day after; returns how many ticks could not go on."""
    failed = 0
    for ahead in (timedelta(days=17), timedelta(days=40)):
        world.clock.move_to(START + ahead)
        failed += sum(await asyncio.gather(*map(tick_until_done, clockworks)))
    return failed


async def check_all_done_once(world: World) -> None:
    for what in ("notices.points-moving-soon", "notices.points-expiring-soon", "points.moved", "points.expired"):
        said = Counter(str(event["citizen_id"]) for event in await world.said(what))
        assert said == {str(UUID(int=number)): 1 for number in SAME_LANE}, what
    for number in SAME_LANE:
        assert await world.balance(number) == {scheme_pool(BASE): 100}
    counts = await world.days_work((START + timedelta(days=40)).date())
    assert counts.refused == dict.fromkeys(counts.refused, 0)


async def test_after_a_lost_answer_the_next_tick_goes_on(world: World, held: Held) -> None:
    assert START.date() + timedelta(days=17) <= LAST_DAY_HELD
    failed = await live_through_april(world, held.clockwork(flaky=True))
    assert failed > 10
    await check_all_done_once(world)


@pytest.mark.parametrize("which", [0, 4, 9])
async def test_what_fails_for_good_stops_nobody_else_and_is_asked_for_on_the_next_day(
    world: World, held: Held, which: int
) -> None:
    one = SAME_LANE[which]
    assert await live_through_april(world, held.clockwork(failing=UUID(int=one))) == 0
    for number in SAME_LANE:
        left = {scheme_pool(BASE): 100} if number != one else {RESERVE: 100}
        assert await world.balance(number) == left
    world.clock.advance(timedelta(days=1))
    await tick_until_done(held.clockwork())
    assert await world.balance(one) == {scheme_pool(BASE): 100}
    assert len(await world.said("points.expired")) == len(SAME_LANE)


async def test_two_at_once_do_nothing_twice(world: World, held: Held) -> None:
    await live_through_april(world, held.clockwork(), held.clockwork(), held.clockwork())
    await check_all_done_once(world)


async def test_a_new_day_begins_with_the_rest_of_the_last_one(world: World, held: Held) -> None:
    world.clock.move_to(START + timedelta(days=17))
    interrupted = held.clockwork(flaky=True)
    with pytest.raises(DeadlineExceededError):
        await interrupted.tick()
    world.clock.advance(timedelta(days=1))
    await tick_until_done(held.clockwork())
    world.clock.move_to(START + timedelta(days=40))
    await tick_until_done(held.clockwork())
    await check_all_done_once(world)


@asynccontextmanager
async def two_clocks(database_url: str, held: Held) -> AsyncIterator[tuple[World, AdjustableClock, AdjustableClock]]:
    """The ledger's, and the clockwork's, which may go ahead of it."""
    books, ahead = AdjustableClock(START), AdjustableClock(START)
    settings = Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))
    async with (
        running(database_url, "registry", "ledger", clock=books) as process,
        HubProcess(settings, ahead, [Installed("clockwork", held.build)], database_url),
    ):
        world = await World.opened(process, books, database_url)
        await world.register(1, 2)
        yield world, books, ahead


async def test_what_came_in_at_the_last_moment_of_its_last_day_ends_too(database_url: str, held: Held) -> None:
    """The clockwork found nothing that ends with March; then a ledger whose clock is behind posts into March."""
    async with two_clocks(database_url, held) as (world, books, ahead):
        midnight = start_of_day(date(2027, 4, 1))
        books.move_to(midnight - timedelta(minutes=1))
        ahead.move_to(midnight)
        await tick_until_done(held.clockwork())
        await world.credit(scheme_pool(OTHER_BASE), 300, 2)
        for days in (1, 2):
            for clock in (books, ahead):
                clock.move_to(midnight + timedelta(days=days))
            await tick_until_done(held.clockwork())
        assert (await world.process.call(HeldByPool(), DEADLINE_S)).totals == {}


async def test_a_ledger_whose_clock_is_behind_is_asked_again(database_url: str, held: Held) -> None:
    """One citizen's reserve points and another's points of a scheme are due on the first of April."""
    async with two_clocks(database_url, held) as (world, books, ahead):
        books.advance(timedelta(days=10))
        await world.credit(RESERVE, 100, 1)
        await world.credit(scheme_pool(OTHER_BASE), 300, 2)
        midnight = start_of_day(date(2027, 4, 1))
        books.move_to(midnight - timedelta(minutes=1))
        ahead.move_to(midnight)
        with pytest.raises(TransientError):
            await held.clockwork().tick()
        books.move_to(midnight)
        await tick_until_done(held.clockwork())
        assert [await world.balance(number) for number in (1, 2)] == [{scheme_pool(BASE): 100}, {}]
