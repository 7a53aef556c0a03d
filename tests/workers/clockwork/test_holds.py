"""Vouchers and authorisations nobody took in time end by themselves; overdue merges are told of once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import pytest

from hub.bus import Bus
from hub.clock import AdjustableClock
from hub.component import Component, Context, Installed
from hub.errors import PermanentError, TransientError
from hub.installed import installed
from hub.process import HubProcess
from hub.settings import Settings
from schemas.checkouts import ExpireAuthorisation
from schemas.holds import DueHoldsOf, HoldState
from schemas.message import Answered, Command
from schemas.points import BalanceOf, PostingCommand
from schemas.values import lane_of, scheme_pool
from tests.running import SECRET_KEY
from tests.waiting import wait_until
from tests.workers.clockwork.world import BASE, DEADLINE_S, START, World
from tests.workers.ledger import world_holds as holding
from workers.clockwork import holds
from workers.clockwork.component import component
from workers.clockwork.holds import Holds
from workers.clockwork.work import CLOCKWORK

Answer = TypeVar("Answer")

POOL = scheme_pool(BASE)
PEOPLE = [UUID(int=number) for number in range(1, 21)]
ME = PEOPLE[0]


class Held:
    """A process whose clockwork only moves when the test says so."""

    def __init__(self) -> None:
        self.context: Context | None = None

    def build(self, context: Context) -> Component:
        """The component without its jobs."""
        self.context = context
        return replace(component(context), jobs=())

    def holds(self) -> Holds:
        """As many as wanted, each as after a restart."""
        assert self.context is not None
        return Holds(self.context)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
async def world(database_url: str, held: Held) -> AsyncIterator[World]:
    """Twenty citizens with 100 points each."""
    clock = AdjustableClock(START)
    settings = Settings.model_validate({"database_url": database_url, "secret_key": SECRET_KEY, "merge_overdue_h": 24})
    components = [*installed(("registry", "ledger")), Installed("clockwork", held.build)]
    async with HubProcess(settings, clock, components, database_url) as process:
        world = await World.opened(process, clock, database_url)
        await world.credit(POOL, 100, *(person.int for person in PEOPLE))
        yield world


async def ask(world: World, *commands: PostingCommand) -> None:
    answers = await world.process.bus.call_many(commands, DEADLINE_S)
    assert {answer.code for answer in answers} == {None}


async def outcomes(world: World, kind: int) -> list[tuple[str, str | None]]:
    """What was asked for in the clockwork's name."""
    async with world.process.database_of("ledger").reading() as reading:
        rows = await reading.fetch(
            "SELECT command_id, code FROM ledger.outcome WHERE kind = $1 AND party_id = $2 ORDER BY command_id",
            kind, CLOCKWORK,
        )  # fmt: skip
    return [(row["command_id"], row["code"]) for row in rows]


async def states(world: World) -> list[str]:
    async with world.process.database_of("ledger").reading() as reading:
        return [row["state"] for row in await reading.fetch("SELECT state FROM ledger.hold ORDER BY hold_id")]


async def test_vouchers_and_authorisations_end_each_in_its_time(world: World, held: Held) -> None:
    ender = held.holds()
    today = world.clock.business_date()
    hour = world.clock.now() + timedelta(hours=1)
    await ask(world, *(holding.issue(f"v{n}", who, 10, POOL, BASE, expires_on=today) for n, who in enumerate(PEOPLE)))
    await ask(world, *(holding.authorise(f"o{n}", who, 20, POOL, until=hour) for n, who in enumerate(PEOPLE)))
    await ender.expire()
    assert await states(world) == ["open"] * 40
    world.clock.advance(timedelta(hours=1))
    await ender.expire()
    assert sorted(await states(world)) == ["open"] * 20 + ["returned"] * 20
    world.clock.advance(timedelta(days=1))
    await ender.expire()
    assert sorted(await states(world)) == ["expired"] * 20 + ["returned"] * 20
    balances = await world.process.bus.call(BalanceOf(citizen_id=ME), DEADLINE_S)
    assert (balances.by_pool, balances.held) == ({POOL: 90}, [])
    assert [code for _, code in await outcomes(world, 33) + await outcomes(world, 22)] == [None] * 40
    await ender.expire()
    assert len(await outcomes(world, 33) + await outcomes(world, 22)) == 40


async def test_the_job_does_it_by_itself(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.clockwork.component.HOLDS_EVERY_S", 0.05)
    monkeypatch.setattr("workers.clockwork.component.MERGES_EVERY_S", 0.05)
    clock = AdjustableClock(START)
    settings = Settings.model_validate({"database_url": database_url, "secret_key": SECRET_KEY})
    components = installed(("registry", "ledger", "clockwork"))
    async with HubProcess(settings, clock, components, database_url) as process:
        world = await World.opened(process, clock, database_url)
        await world.credit(POOL, 100, 1)
        await ask(world, holding.issue("v", ME, 10, POOL, BASE, expires_on=clock.business_date()))
        await ask(world, holding.send("m", ME, 5, POOL, BASE))
        clock.advance(timedelta(days=2))

        async def is_done() -> bool:
            told = await world.said("merges.overdue")
            return len(told) == 1 and sorted(await states(world)) == ["expired", "open"]

        await wait_until(is_done, DEADLINE_S)


async def test_pages_go_on_where_they_ended(world: World, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "PAGE_LIMIT_HOLDS", 2)
    monkeypatch.setattr(holds, "PAGES_LIMIT", 2)
    lane = [UUID(int=(n << 8) | 1) for n in range(1, 8)]
    await world.credit(POOL, 100, *(who.int for who in lane))
    over = world.clock.now() + timedelta(minutes=1)
    await ask(world, *(holding.authorise(f"o{n}", who, 20, POOL, until=over) for n, who in enumerate(lane)))
    world.clock.advance(timedelta(hours=1))
    ender = held.holds()
    for left in (3, 0):
        await ender.expire()
        assert (await states(world)).count("open") == left


async def test_what_is_refused_today_holds_nothing_up_and_is_asked_for_again_tomorrow(
    world: World, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold that the ledger does not yet take for over, because its clock is behind, is refused under that id."""
    monkeypatch.setattr(holds, "PAGE_LIMIT_HOLDS", 1)
    hour = world.clock.now() + timedelta(hours=1)
    await ask(world, holding.authorise("o", ME, 20, POOL, until=hour))
    hold_id = holding.hold_of("o")
    today = world.clock.business_date()
    early = ExpireAuthorisation(
        party_id=CLOCKWORK, command_id=f"hold.{today}.{hold_id.hex}",
        request_hash=hashlib.sha256(f"checkout|{hold_id}".encode()).digest()[:16],
        citizen_id=ME, hold_id=hold_id,
    )  # fmt: skip
    (answer,) = await world.process.bus.call_many([early], DEADLINE_S)
    assert answer.code == "nothing_due"
    neighbour = next(who for who in PEOPLE if lane_of(who) == lane_of(ME) and who != ME)
    await ask(world, holding.authorise("p", neighbour, 20, POOL, until=hour + timedelta(minutes=1)))
    world.clock.advance(timedelta(hours=2))
    ender = held.holds()
    await ender.expire()
    await ender.expire()
    assert sorted(await states(world)) == ["open", "returned"]
    assert len(await outcomes(world, 33)) == 2
    world.clock.advance(timedelta(days=1))
    await ender.expire()
    assert await states(world) == ["returned", "returned"]


class Refusing(Bus):
    """A bus on which one citizen's holds cannot be ended, whatever for."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def call(self, message: Answered[Answer], deadline_s: float) -> Answer:
        return await self._bus.call(message, deadline_s)

    async def call_many(self, messages: Sequence[Answered[Answer]], deadline_s: float) -> list[Answer]:
        if any(getattr(message, "citizen_id", None) == ME for message in messages):
            raise PermanentError
        return await self._bus.call_many(messages, deadline_s)

    async def send(self, commands: Sequence[Command]) -> None:
        await self._bus.send(commands)


async def test_a_hold_that_cannot_be_ended_holds_nothing_up(
    world: World, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "PAGE_LIMIT_HOLDS", 1)
    hour = world.clock.now() + timedelta(hours=1)
    neighbour = next(who for who in PEOPLE if lane_of(who) == lane_of(ME) and who != ME)
    await ask(world, holding.authorise("o", ME, 20, POOL, until=hour))
    await ask(world, holding.authorise("p", neighbour, 20, POOL, until=hour + timedelta(minutes=1)))
    world.clock.advance(timedelta(hours=2))
    assert held.context is not None
    await Holds(replace(held.context, bus=Refusing(held.context.bus))).expire()
    assert sorted(await states(world)) == ["open", "returned"]


async def test_the_writers_own_release_comes_first_and_nothing_is_doubled(world: World, held: Held) -> None:
    until = world.clock.now() + timedelta(hours=1)
    await ask(world, holding.authorise("o", ME, 20, POOL, until=until))
    world.clock.advance(timedelta(hours=2))
    await asyncio.gather(world.credit(POOL, 5, ME.int), held.holds().expire(), held.holds().expire())
    assert await states(world) == ["returned"]
    assert await world.balance(ME.int) == {POOL: 105}


async def test_a_merge_nobody_answered_is_told_of_once(world: World, held: Held) -> None:
    await ask(world, *(holding.send(f"m{n}", who, 7, POOL, BASE) for n, who in enumerate(PEOPLE[:5])))
    world.clock.advance(timedelta(hours=1))
    await ask(world, holding.send("late", PEOPLE[5], 7, POOL, BASE), holding.acknowledge("a", PEOPLE[1], "m1"))
    world.clock.advance(timedelta(hours=22, minutes=58))
    await held.holds().tell_overdue()
    assert await world.said("merges.overdue") == []
    world.clock.advance(timedelta(minutes=3))
    for _ in range(2):
        await held.holds().tell_overdue()
    told = await world.said("merges.overdue")
    assert sorted(str(event["hold_id"]) for event in told) == sorted(
        str(holding.hold_of(f"m{n}")) for n in (0, 2, 3, 4)
    )
    assert {(event["pool"], event["points"], event["street_id"]) for event in told} == {(POOL, 7, str(holding.STREET))}
    world.clock.advance(timedelta(days=30))
    await held.holds().tell_overdue()
    assert len(await world.said("merges.overdue")) == 5
    balances = await world.process.bus.call(BalanceOf(citizen_id=PEOPLE[0]), DEADLINE_S)
    assert [hold.state for hold in balances.held] == [HoldState.open]


async def test_two_at_once_tell_no_merge_twice(world: World, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "PAGE_LIMIT_HOLDS", 2)
    lane = [UUID(int=(n << 8) | 1) for n in range(1, 8)]
    await world.credit(POOL, 100, *(who.int for who in lane))
    await ask(world, *(holding.send(f"m{n}", who, 7, POOL, BASE) for n, who in enumerate(lane)))
    world.clock.advance(timedelta(days=2))

    async def until_told() -> None:
        for _ in range(20):
            try:
                await held.holds().tell_overdue()
            except TransientError:
                continue
            return

    await asyncio.gather(until_told(), until_told(), until_told())
    told = [str(event["hold_id"]) for event in await world.said("merges.overdue")]
    assert sorted(told) == sorted(str(holding.hold_of(f"m{n}")) for n in range(7))


async def test_due_holds_come_page_by_page(world: World) -> None:
    lane = [UUID(int=(n << 8) | 1) for n in range(1, 8)]
    await world.credit(POOL, 100, *(who.int for who in lane))
    over = world.clock.now() + timedelta(minutes=1)
    await ask(world, *(holding.authorise(f"o{n}", who, 20, POOL, until=over) for n, who in enumerate(lane)))
    world.clock.advance(timedelta(hours=1))
    seen: list[UUID] = []
    after, pages = None, 0
    while pages == 0 or after is not None:
        page = await world.process.bus.call(DueHoldsOf(partition=1, after=after, limit=3), DEADLINE_S)
        seen += [hold.hold_id for hold in page.holds]
        after, pages = page.after, pages + 1
    assert sorted(seen) == sorted(holding.hold_of(f"o{n}") for n in range(7))
    assert pages == 3
