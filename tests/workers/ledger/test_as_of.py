"""The balance as of a day is what the balance was at the end of that day; and today's is told in full."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.history import BalanceAsOf
from schemas.points import BalanceOf, Balances, Expiring, PoolBalance
from schemas.values import NO_EXPIRY
from tests.workers.ledger.lives import Lives
from tests.workers.ledger.world import (
    DATED,
    FESTIVAL,
    FOREVER,
    MONTHLY,
    START,
    TODAY,
    ask,
    ask_all,
    citizen,
    credit,
)
from tests.workers.ledger.world_holds import authorise, capture, issue, revoke, send

ME, NEIGHBOUR = citizen(1), citizen(2)


@pytest.mark.parametrize("seed", range(3))
async def test_every_days_end_is_remembered(ledger: HubProcess, clock: AdjustableClock, seed: int) -> None:
    lives = Lives(ledger, clock, [ME, NEIGHBOUR], seed)
    ends: dict[tuple[date, UUID], Balances] = {}
    for number in range(24):
        await lives.live(10)
        clock.move_to(START + timedelta(days=2 * number, hours=11, minutes=59))
        for who in (ME, NEIGHBOUR):
            ends[clock.business_date(), who] = await ask(ledger, BalanceOf(citizen_id=who))
        clock.move_to(START + timedelta(days=2 * number + 2))
    for (day, who), balances in ends.items():
        told = await ask(ledger, BalanceAsOf(citizen_id=who, day=day))
        assert (told.day, told.by_pool, told.lots) == (day, balances.by_pool, balances.lots)
    assert len(lives.posted) > 80


async def test_a_day_without_anything_new_has_fewer_points_where_some_were_past_their_last(
    ledger: HubProcess, clock: AdjustableClock
) -> None:
    await ask_all(ledger, credit("1", ME, 10, FESTIVAL), credit("2", ME, 7, FOREVER))
    clock.advance(timedelta(days=90))
    for day, points in ((date(2026, 2, 15), {FESTIVAL: 10, FOREVER: 7}), (date(2026, 2, 16), {FOREVER: 7})):
        assert (await ask(ledger, BalanceAsOf(citizen_id=ME, day=day))).by_pool == points
    assert (await ask(ledger, BalanceAsOf(citizen_id=ME, day=TODAY - timedelta(days=1)))).by_pool == {}


async def test_an_order_nobody_paid_is_free_from_its_hour_on(ledger: HubProcess, clock: AdjustableClock) -> None:
    until = START + timedelta(days=3)
    await ask_all(ledger, credit("1", ME, 10, FOREVER), authorise("o", ME, 4, until=until))
    clock.advance(timedelta(days=5))
    days = [TODAY + timedelta(days=n) for n in range(6)]
    held = [(await ask(ledger, BalanceAsOf(citizen_id=ME, day=day))).by_pool for day in days]
    assert held == [{FOREVER: 6}] * 3 + [{FOREVER: 10}] * 3
    await ask(ledger, credit("2", ME, 1, FOREVER))
    held = [(await ask(ledger, BalanceAsOf(citizen_id=ME, day=day))).by_pool for day in days]
    assert held == [{FOREVER: 6}] * 3 + [{FOREVER: 10}] * 2 + [{FOREVER: 11}]


async def test_an_order_that_was_paid_stays_paid(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask_all(ledger, credit("1", ME, 10, FOREVER), authorise("o", ME, 4), capture("p", ME, "o"))
    clock.advance(timedelta(days=5))
    assert (await ask(ledger, BalanceAsOf(citizen_id=ME, day=TODAY))).by_pool == {FOREVER: 6}


async def test_what_was_set_aside_is_gone_with_the_mykey_id(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask_all(ledger, credit("1", ME, 10, FOREVER), authorise("o", ME, 4))
    clock.advance(timedelta(days=1))
    before = await ask(ledger, BalanceAsOf(citizen_id=ME, day=TODAY))
    await ask(ledger, revoke("r", ME))
    assert (await ask(ledger, BalanceAsOf(citizen_id=ME, day=TODAY))) == before
    assert before.by_pool == {FOREVER: 10}
    assert (await ask(ledger, BalanceAsOf(citizen_id=ME, day=clock.business_date()))).by_pool == {}


async def test_today_and_days_to_come_are_as_of_now(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask_all(ledger, credit("1", ME, 10, FOREVER), authorise("o", ME, 4))
    for day in (TODAY, TODAY + timedelta(days=400)):
        told = await ask(ledger, BalanceAsOf(citizen_id=ME, day=day))
        assert (told.day, told.by_pool) == (TODAY, {FOREVER: 6})
    clock.advance(timedelta(hours=1))
    assert (await ask(ledger, BalanceAsOf(citizen_id=ME, day=TODAY))).by_pool == {FOREVER: 10}


async def test_a_balance_tells_by_pool_what_is_usable_set_aside_and_when_it_ends(ledger: HubProcess) -> None:
    await ask_all(
        ledger, credit("1", ME, 20, FOREVER), credit("2", ME, 8, MONTHLY), credit("3", ME, 9, DATED),
        credit("4", ME, 5), issue("v", ME, 3), authorise("o", ME, 4), send("s", ME, 5),
        credit("5", NEIGHBOUR, 1, FOREVER), issue("w", NEIGHBOUR, 1),
    )  # fmt: skip
    never = Expiring(last=NO_EXPIRY, points=8)
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).pools == [
        PoolBalance(pool="reserve", active=5, held=0, expiring=[Expiring(last=date(2026, 1, 30), points=5)]),
        PoolBalance(pool=DATED, active=9, held=0, expiring=[Expiring(last=date(2026, 2, 20), points=9)]),
        PoolBalance(pool=MONTHLY, active=8, held=0, expiring=[Expiring(last=date(2026, 2, 28), points=8)]),
        PoolBalance(pool=FOREVER, active=8, held=12, expiring=[never]),
    ]
    assert (await ask(ledger, BalanceOf(citizen_id=NEIGHBOUR))).pools == [
        PoolBalance(pool=FOREVER, active=0, held=1, expiring=[])
    ]


async def test_next_expiries_are_a_list_by_date(ledger: HubProcess, clock: AdjustableClock) -> None:
    for month in range(3):
        clock.move_to(START + timedelta(days=31 * month, hours=1))
        await ask_all(ledger, credit(f"a{month}", ME, 2, MONTHLY), credit(f"b{month}", ME, 3, MONTHLY))
    clock.move_to(START + timedelta(days=65))
    (pool,) = (await ask(ledger, BalanceOf(citizen_id=ME))).pools
    assert pool.expiring == [Expiring(last=date(2026, 3, 31), points=5), Expiring(last=date(2026, 4, 30), points=5)]
    assert pool.active == 10
