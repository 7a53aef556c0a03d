"""The clockwork with the real ledger and registry, living through weeks in a second."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import UUID

import pytest

from hub.clock import AdjustableClock
from schemas.citizens import ChooseBaseMunicipality
from schemas.corrections import CorrectPosting
from schemas.points import MovePoints
from schemas.values import RESERVE, scheme_pool
from tests.running import running
from tests.workers.clockwork.world import BASE, DEADLINE_S, LAST_DAY_HELD, OTHER_BASE, START, World


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    clock = AdjustableClock(START)
    async with running(database_url, "registry", "ledger", "clockwork", clock=clock) as process:
        yield await World.opened(process, clock, database_url)


async def test_reserve_points_are_reminded_of_then_swept(world: World) -> None:
    await world.register(1, 2)
    await world.credit(RESERVE, 100, 1)
    quiet = await world.to(LAST_DAY_HELD - timedelta(days=8))
    assert sum(quiet.said.values()) == 0
    reminded = await world.to(LAST_DAY_HELD - timedelta(days=7))
    assert reminded.said["moving_soon"] == 1
    assert await world.said("notices.points-moving-soon") == [
        {"citizen_id": str(UUID(int=1)), "points": 100, "moves_on": "2027-03-22", "base_lg_code": BASE}
    ]
    await world.to(LAST_DAY_HELD)
    assert await world.balance(1) == {RESERVE: 100}
    swept = await world.to(LAST_DAY_HELD + timedelta(days=1))
    assert (swept.said["sweep"], swept.refused["sweep"]) == (1, 0)
    assert await world.balance(1) == {scheme_pool(BASE): 100}
    assert len(await world.said("notices.points-moving-soon")) == 1


async def test_points_with_a_last_day_are_reminded_of_then_expire(world: World) -> None:
    await world.register(1)
    await world.credit(scheme_pool(OTHER_BASE), 300, 1)
    await world.to(date(2027, 3, 16))
    assert await world.said("notices.points-expiring-soon") == []
    await world.to(date(2027, 3, 20))  # three days passed at once, the 17th among them
    assert await world.said("notices.points-expiring-soon") == [
        {
            "citizen_id": str(UUID(int=1)),
            "pool": scheme_pool(OTHER_BASE),
            "points": 300,
            "expires_on": "2027-03-31",
        }
    ]
    await world.to(date(2027, 3, 31))
    assert await world.balance(1) == {scheme_pool(OTHER_BASE): 300}
    expired = await world.to(date(2027, 4, 1))
    assert expired.said["expire"] == 1
    assert await world.balance(1) == {}
    assert len(await world.said("points.expired")) == 1
    assert len(await world.said("notices.points-expiring-soon")) == 1


async def test_nobody_is_reminded_of_what_has_already_come(world: World) -> None:
    await world.register(1)
    await world.credit(RESERVE, 100, 1)
    await world.credit(scheme_pool(OTHER_BASE), 300, 1)
    await world.days_work(START.date())
    await world.to(date(2027, 5, 1))
    assert await world.said("notices.points-moving-soon") == []
    assert await world.said("notices.points-expiring-soon") == []
    assert await world.balance(1) == {scheme_pool(BASE): 100}


async def test_a_refused_sweep_stops_nobody_and_is_asked_for_again(world: World) -> None:
    await world.register(1, 2)
    await world.credit(RESERVE, 100, 1, 2)
    await world.process.bus.call(ChooseBaseMunicipality(citizen_id=UUID(int=1), base_lg_code=OTHER_BASE), DEADLINE_S)
    late = await world.to(date(2027, 4, 1))  # the scheme of the first one's base has closed
    assert (late.said["sweep"], late.refused["sweep"]) == (2, 1)
    assert await world.balance(1) == {RESERVE: 100}
    assert await world.balance(2) == {scheme_pool(BASE): 100}
    await world.process.bus.call(ChooseBaseMunicipality(citizen_id=UUID(int=1), base_lg_code=BASE), DEADLINE_S)
    again = await world.to(date(2027, 4, 2))
    assert (again.said["sweep"], again.refused["sweep"]) == (1, 0)
    assert await world.balance(1) == {scheme_pool(BASE): 100}
    assert await world.looked_at("sweep", date(2027, 4, 2)) == (LAST_DAY_HELD, date(2027, 4, 1))
    await world.to(date(2027, 4, 3))
    assert await world.looked_at("sweep", date(2027, 4, 3)) == (date(2027, 4, 2), date(2027, 4, 2))


async def test_points_that_come_back_to_a_lot_that_has_ended_are_due_again(world: World) -> None:
    await world.register(1)
    me, clerk, boss = UUID(int=1), UUID(int=0x51), UUID(int=0x52)
    await world.credit(RESERVE, 100, 1)
    moved = MovePoints(
        party_id=me, command_id="m", request_hash=bytes(16), citizen_id=me, pool=scheme_pool(OTHER_BASE), points=60
    )
    await world.process.bus.call(moved, DEADLINE_S)
    for day in (22, 24):
        await world.to(date(2027, 3, day))
    assert await world.balance(1) == {scheme_pool(BASE): 40, scheme_pool(OTHER_BASE): 60}
    corrected = CorrectPosting(
        party_id=clerk, command_id="c", request_hash=bytes(16), citizen_id=me, original_party_id=me,
        original_command_id="m", asked_by=clerk, approved_by=boss,
    )  # fmt: skip
    await world.process.bus.call(corrected, DEADLINE_S)
    assert await world.balance(1) == {RESERVE: 60, scheme_pool(BASE): 40}
    await world.to(date(2027, 3, 25))
    assert await world.balance(1) == {scheme_pool(BASE): 100}


async def test_points_that_come_within_the_notice_are_reminded_of_once(world: World) -> None:
    await world.register(1, 17)
    await world.credit(scheme_pool(OTHER_BASE), 200, 1)
    await world.to(date(2027, 3, 20))
    await world.credit(scheme_pool(OTHER_BASE), 300, 17)  # of the same partition; the last day is in eleven days
    await world.credit(scheme_pool(OTHER_BASE), 50, 1)  # into the lot that there is
    for day in (21, 22, 23):
        await world.to(date(2027, 3, day))
    said = await world.said("notices.points-expiring-soon")
    assert [(one["citizen_id"], one["points"]) for one in said] == [(str(UUID(int=1)), 200), (str(UUID(int=17)), 300)]
