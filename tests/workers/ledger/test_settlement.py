"""Settlement: summaries that are exactly the sums of what was posted, by municipality, counterparty, pool, kind."""

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.settlement import MunicipalSummaryOf, PartnerSummaryOf, PlaceSummaryOf, Summary
from tests.workers.ledger.naive import NaiveLedger, Rule
from tests.workers.ledger.naive_wallets import Other
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    FESTIVAL,
    FOREVER,
    MONTHLY,
    PREFECTURE,
    RULES,
    START,
    STORE,
    TODAY,
    TOWN,
    ask,
    ask_all,
    citizen,
    credit,
    expire,
    move,
    open_pools,
    sweep,
    use,
)
from tests.workers.ledger.world_holds import use_together


def lines(summary: Summary) -> Counter[tuple[str, UUID, str, str]]:
    found: Counter[tuple[str, UUID, str, str]] = Counter()
    for line in summary.lines:
        found[line.lg_code or "", line.counterparty_id, line.pool, line.kind] += line.points
    return found


async def test_summaries_are_what_the_naive_ledger_settles(ledger: HubProcess, clock: AdjustableClock) -> None:
    naive = NaiveLedger(RULES)
    for day in range(45):
        commands = [
            make
            for n in range(3)
            for make in (
                credit(f"a{day}-{n}", citizen(n), 10 + day),
                credit(f"c{day}-{n}", citizen(n), 20 + day, (FOREVER, MONTHLY, FESTIVAL)[n], CARD),
                move(f"m{day}-{n}", citizen(n), 4, (FOREVER, FESTIVAL, MONTHLY)[n]),
                use(f"u{day}-{n}", citizen(n), 3),
                sweep(f"s{day}-{n}", citizen(n), MONTHLY),
                expire(f"e{day}-{n}", citizen(n)),
            )
        ]
        answers = await ask_all(ledger, *commands)
        today = clock.business_date()
        assert [a.code for a in answers] == [naive.ask(command, today).code for command in commands]
        clock.move_to(START + timedelta(days=day + 1))
    period = {"first": TODAY, "last": clock.business_date()}
    for party_id in (AIRLINE, CARD):
        summary = await ask(ledger, PartnerSummaryOf(party_id=party_id, **period))
        assert lines(summary) == {key: points for key, points in naive.settled.items() if key[1] == party_id}
    for lg_code in (TOWN, PREFECTURE):
        summary = await ask(ledger, MunicipalSummaryOf(lg_code=lg_code, **period))
        assert lines(summary) == {key: points for key, points in naive.settled.items() if key[0] == lg_code}
    assert naive.others[Other("store", STORE)] > 0


async def test_a_use_of_two_pools_together_counts_once_a_pool(ledger: HubProcess) -> None:
    """A municipality settles each pool by itself, and the rollups are kept by pool."""
    me, fair = citizen(1), f"event:{UUID(int=0xE7)}"
    rule = Rule(fair, TOWN, "date:2026-02-15", TODAY, date(2026, 2, 15), frozenset({TOWN}))
    await open_pools(ledger.database_of("ledger"), [rule])
    await ask_all(ledger, credit("1", me, 9, FOREVER), credit("2", me, 9, fair))
    await ask(ledger, use_together("3", me, use("a", me, 4), use("b", me, 5, fair)))
    summary = await ask(ledger, PlaceSummaryOf(lg_code=TOWN, first=TODAY, last=TODAY))
    assert [(place.transactions, place.points) for place in summary.places] == [(2, 9)]


async def test_a_period_has_both_its_days(ledger: HubProcess, clock: AdjustableClock) -> None:
    for day in range(3):
        clock.move_to(START + timedelta(days=day, hours=1))
        await ask(ledger, credit(f"c{day}", citizen(1), 10**day, FOREVER))
    one_day = {"first": TODAY + timedelta(days=1), "last": TODAY + timedelta(days=1)}
    assert (await ask(ledger, PartnerSummaryOf(party_id=AIRLINE, **one_day))).lines[0].points == 10
