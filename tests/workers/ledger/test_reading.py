"""Questions: balances by lot, due lots page by page, totals; and rules that change under a writer's feet."""

from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.points import BalanceOf, DueKind, DueLot, DueLotsOf, HeldByPool, HeldIn, Lot
from schemas.values import NO_EXPIRY
from tests.running import running
from tests.workers.ledger.naive import Rule
from tests.workers.ledger.world import (
    CARD,
    DATED,
    FOREVER,
    MONTHLY,
    TODAY,
    TOWN,
    ask,
    ask_all,
    citizen,
    credit,
    move,
    open_pools,
    use,
)
from workers.ledger import reading

ME = citizen(1)
HELD_UNTIL = date(2026, 1, 30)


async def test_a_balance_lists_its_lots_earliest_last_day_first(ledger: HubProcess) -> None:
    await ask_all(
        ledger, credit("1", ME, 5), credit("2", ME, 6, party_id=CARD), credit("3", ME, 7, FOREVER),
        credit("4", ME, 8, MONTHLY), credit("5", ME, 9, DATED), use("6", ME, 7),
    )  # fmt: skip
    balances = await ask(ledger, BalanceOf(citizen_id=ME))
    assert balances.by_pool == {"reserve": 11, MONTHLY: 8, DATED: 9}
    assert balances.lots == [
        Lot(pool="reserve", expires_on=HELD_UNTIL, points=11),
        Lot(pool=DATED, expires_on=date(2026, 2, 20), points=9),
        Lot(pool=MONTHLY, expires_on=date(2026, 2, 28), points=8),
    ]


async def test_points_that_never_expire_say_so(ledger: HubProcess) -> None:
    await ask(ledger, credit("1", ME, 5, FOREVER))
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).lots == [Lot(pool=FOREVER, expires_on=NO_EXPIRY, points=5)]


async def test_due_lots_come_page_by_page_by_their_last_day(ledger: HubProcess, clock: AdjustableClock) -> None:
    people = [citizen(n) for n in range(1, 6)]
    for n, person in enumerate(people):
        await ask_all(ledger, credit(f"a{n}", person, 5), credit(f"c{n}", person, 6, party_id=CARD))
    await ask_all(ledger, move("m", people[2], 11), credit("d", people[0], 4, DATED))
    clock.advance(timedelta(days=1))
    await ask_all(ledger, credit("later", people[1], 7))
    seen: list[DueLot] = []
    asked = DueLotsOf(partition=0, kind=DueKind.sweep, first=TODAY, last=HELD_UNTIL + timedelta(days=1), limit=3)
    pages = 1
    while (page := await ask(ledger, asked)).after is not None:
        pages += 1
        seen.extend(page.lots)
        asked = asked.model_copy(update={"after": page.after, "day": page.day})
    seen.extend(page.lots)
    first_day = [(people[n], HELD_UNTIL, 11) for n in (0, 1, 3, 4)]
    assert [(lot.citizen_id, lot.expires_on, lot.points) for lot in seen] == [
        *first_day,
        (people[1], HELD_UNTIL + timedelta(days=1), 7),
    ]
    assert pages == 3, "two lots of one citizen that end on one day are never on two pages"
    rest = asked.model_copy(update={"first": HELD_UNTIL + timedelta(days=1), "after": people[4], "day": HELD_UNTIL})
    assert [lot.points for lot in (await ask(ledger, rest)).lots] == [7], "where it went on is over by now"
    expiring = DueLotsOf(partition=0, kind=DueKind.expire, first=TODAY, last=date(2026, 2, 20))
    assert [lot.citizen_id for lot in (await ask(ledger, expiring)).lots] == [people[0]]


async def test_a_page_is_looked_for_among_a_bounded_number_of_lots(
    ledger: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was emptied since one old lot was left due is passed in pages too, however much it is."""
    monkeypatch.setattr(reading, "PASSED_LIMIT_LOTS", 2)
    people = [citizen(n) for n in range(1, 10)]
    await ask_all(ledger, *(credit(f"a{n}", person, 5) for n, person in enumerate(people)))
    await ask_all(ledger, *(move(f"m{n}", person, 5) for n, person in enumerate(people) if n not in {0, 8}))
    asked = DueLotsOf(partition=0, kind=DueKind.sweep, first=TODAY, last=HELD_UNTIL, limit=3)
    pages = [await ask(ledger, asked)]
    while pages[-1].after is not None:
        pages.append(await ask(ledger, asked.model_copy(update={"after": pages[-1].after, "day": pages[-1].day})))
    assert [[lot.citizen_id for lot in page.lots] for page in pages] == [[people[0]], [], [], [], [people[8]]]


def test_a_page_begins_behind_a_day_and_a_citizen() -> None:
    with pytest.raises(ValidationError, match="a day and a citizen"):
        DueLotsOf(partition=0, kind=DueKind.sweep, first=TODAY, last=TODAY, after=citizen(1))


async def test_totals_are_those_of_all_wallets(ledger: HubProcess) -> None:
    await ask_all(ledger, *(credit(f"c{n}", citizen(n, lane=n % 16), n + 1, FOREVER) for n in range(40)))
    assert (await ask(ledger, HeldByPool())).totals == {FOREVER: 820}
    asked = HeldIn(pool=FOREVER, citizen_ids=[citizen(3, lane=3), citizen(99)])
    assert (await ask(ledger, asked)).totals == {str(citizen(3, lane=3)): 4}


async def test_every_writer_sees_a_changed_rule_at_once(
    ledger: HubProcess, database_url: str, clock: AdjustableClock
) -> None:
    async with running(database_url, "ledger", clock=clock) as other:
        for number, process in enumerate((ledger, other)):
            await ask(process, credit(f"before{number}", ME, 1, FOREVER))
        await open_pools(ledger.database_of("ledger"), [Rule(FOREVER, TOWN, "date:2026-12-31")])
        for number, process in enumerate((ledger, other)):
            await ask(process, credit(f"after{number}", ME, 1, FOREVER))
    lots = {lot.expires_on: lot.points for lot in (await ask(ledger, BalanceOf(citizen_id=ME))).lots}
    assert lots == {NO_EXPIRY: 2, date(2026, 12, 31): 2}


async def test_a_last_day_is_used_to_its_end_in_japan(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask(ledger, credit("1", ME, 5, DATED))
    clock.advance(timedelta(days=41, hours=11, minutes=58))
    assert clock.business_date() == date(2026, 2, 20)
    assert (await ask(ledger, use("2", ME, 1, DATED, lg_code="131032"))).code is None
    clock.advance(timedelta(minutes=3))
    assert (await ask(ledger, use("3", ME, 1, DATED, lg_code="131032"))).code == "insufficient_points"
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {}
