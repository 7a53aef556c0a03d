"""Points set aside, on a real database: decided in one place, resolved once, free the moment their time is over."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.holds import DueHoldsOf, HoldState
from schemas.points import BalanceOf, OutcomesOf, PostingAnswer, PostingCommand
from tests.running import running
from tests.workers.ledger.world import DATED, FOREVER, START, ask, ask_all, citizen, credit, expire, use
from tests.workers.ledger.world_holds import (
    SHOP,
    acknowledge,
    authorise,
    capture,
    expire_order,
    hold_of,
    issue,
    redeem,
    refund,
    revoke,
    send,
    send_back,
    void,
)
from workers.ledger.writer import LEDGER_ITSELF

ME: Final = citizen(1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIFTY: Final = 50


@pytest.fixture
async def other(database_url: str, ledger: HubProcess, clock: AdjustableClock) -> AsyncIterator[HubProcess]:
    """A second process with the same ledger."""
    async with running(database_url, "ledger", clock=clock) as process:
        assert process is not ledger
        yield process


async def at_once(processes: tuple[HubProcess, HubProcess], *commands: PostingCommand) -> list[PostingAnswer]:
    """All of them at the same time, through both processes in turn."""
    return await asyncio.gather(*(ask(processes[n % 2], command) for n, command in enumerate(commands)))


def codes(answers: list[PostingAnswer]) -> Counter[str | None]:
    return Counter(answer.code for answer in answers)


async def value(process: HubProcess, sql: str) -> object:
    async with process.database_of("ledger").reading() as reading:
        return await reading.fetch_value(sql)


async def is_sound(process: HubProcess, partition: int = 0) -> None:
    assert (await ask(process, VerifyLedger(partition=partition))).fault is None


# decided in one place


async def test_six_holds_of_a_thousand_on_five_thousand_are_five(ledger: HubProcess, other: HubProcess) -> None:
    await ask(ledger, credit("1", ME, 5_000, FOREVER))
    answers = await at_once((ledger, other), *(authorise(f"o{n}", ME, 1_000) for n in range(6)))
    assert codes(answers) == {None: 5, "insufficient_points": 1}
    balances = await ask(ledger, BalanceOf(citizen_id=ME))
    assert balances.by_pool == {}
    assert sum(hold.left for hold in balances.held) == 5_000


async def test_fifty_at_once_on_one_balance_take_exactly_what_is_there(ledger: HubProcess, other: HubProcess) -> None:
    await ask(ledger, credit("1", ME, 1_000, FOREVER))
    kinds = (authorise, send, issue, use)
    answers = await at_once((ledger, other), *(kinds[n % 4](f"h{n}", ME, 100) for n in range(FIFTY)))
    assert codes(answers) == {None: 10, "insufficient_points": 40}
    await is_sound(ledger)


async def test_fifty_at_once_on_one_order_resolve_it_once(ledger: HubProcess, other: HubProcess) -> None:
    await ask_all(ledger, credit("1", ME, 1_000, FOREVER), authorise("o", ME, 600))
    ends = [capture(f"c{n}", ME, "o", 1 + n) if n % 2 else void(f"v{n}", ME, "o") for n in range(FIFTY)]
    answers = await at_once((ledger, other), *ends)
    assert codes(answers) == {None: 1, "hold_resolved": 49}
    assert await value(ledger, "SELECT count(*) FROM ledger.hold WHERE state <> 'open'") == 1
    await is_sound(ledger)


async def test_fifty_at_once_on_one_merge_resolve_it_once(ledger: HubProcess, other: HubProcess) -> None:
    await ask_all(ledger, credit("1", ME, 1_000, FOREVER), send("m", ME, 600))
    ends = [acknowledge(f"a{n}", ME, "m") if n % 2 else send_back(f"r{n}", ME, "m") for n in range(FIFTY)]
    assert codes(await at_once((ledger, other), *ends)) == {None: 1, "hold_resolved": 49}
    await is_sound(ledger)


async def test_fifty_refunds_at_once_give_back_what_was_captured(ledger: HubProcess, other: HubProcess) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), authorise("o", ME, 90), capture("c", ME, "o", 70))
    answers = await at_once((ledger, other), *(refund(f"r{n}", ME, "o", 7) for n in range(FIFTY)))
    assert codes(answers) == {None: 10, "refund_limit": 40}
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {FOREVER: 100}
    await is_sound(ledger)


async def test_a_holds_id_is_its_own_in_all_partitions(ledger: HubProcess, other: HubProcess) -> None:
    people = [citizen(1, lane) for lane in range(6)]
    await ask_all(ledger, *(credit(f"c{n}", me, 10, FOREVER) for n, me in enumerate(people)))
    answers = await at_once((ledger, other), *(authorise(f"o{n}", me, 10, hold="same") for n, me in enumerate(people)))
    assert codes(answers) == {None: 1, "hold_exists": 5}
    assert sum(answer.hold is not None for answer in answers) == 1


# its time


async def test_an_order_is_free_the_moment_its_time_is_over(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), authorise("o", ME, 100))
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {}
    clock.move_to(START + HOUR)
    balances = await ask(ledger, BalanceOf(citizen_id=ME))
    assert (balances.by_pool, balances.held) == ({FOREVER: 100}, [])
    assert await value(ledger, "SELECT count(*) FROM ledger.hold WHERE state = 'open'") == 1
    answer = await ask(ledger, use("u", ME, 100))
    assert (answer.code, answer.balances) == (None, {FOREVER: 0})
    released = f"release.{hold_of('o').hex}"
    found = await ask(ledger, OutcomesOf(party_id=LEDGER_ITSELF, command_ids=[released]))
    assert [(each.citizen_id, each.answer.points) for each in found.outcomes] == [(ME, 100)]
    late = await ask(ledger, capture("c", ME, "o"))
    assert (late.code, late.hold and late.hold.state) == ("hold_expired", HoldState.returned)
    await is_sound(ledger)


async def test_a_capture_after_its_time_is_refused_and_gives_the_points_back(
    ledger: HubProcess, clock: AdjustableClock
) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), authorise("o", ME, 100))
    clock.move_to(START + HOUR)
    assert [(await ask(ledger, capture(f"c{n}", ME, "o"))).code for n in range(2)] == ["hold_expired"] * 2
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {FOREVER: 100}


async def test_the_clockworks_own_expiry_is_posted_once(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), authorise("o", ME, 60), authorise("p", ME, 40))
    assert (await ask(ledger, DueHoldsOf(partition=0))).holds == []
    clock.move_to(START + HOUR)
    due = (await ask(ledger, DueHoldsOf(partition=0))).holds
    assert {hold.hold_id for hold in due} == {hold_of("o"), hold_of("p")}
    answers = await ask_all(
        ledger, expire_order("e1", ME, "o"), expire_order("e2", ME, "p"), expire_order("e3", ME, "o")
    )
    assert [answer.code for answer in answers] == [None, "hold_resolved", "hold_resolved"]
    assert (await ask(ledger, DueHoldsOf(partition=0))).holds == []
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {FOREVER: 100}
    await is_sound(ledger)


async def test_points_come_back_to_the_very_lot_even_when_it_is_empty_and_past_its_last_day(
    ledger: HubProcess, clock: AdjustableClock
) -> None:
    await ask_all(ledger, credit("1", ME, 100, DATED), authorise("o", ME, 100, DATED, until=START + 60 * DAY))
    clock.move_to(START + 60 * DAY)
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {}
    await ask(ledger, credit("2", ME, 1, FOREVER))
    assert await value(ledger, "SELECT count(*) FROM ledger.lot WHERE pool <> 'scheme:131016'") == 1
    assert (await ask(ledger, expire("e", ME))).points == 100
    await is_sound(ledger)


async def test_an_expiry_takes_what_came_back_in_the_same_batch(ledger: HubProcess, clock: AdjustableClock) -> None:
    """The pool's account of expired points is there already: it has to be in the book all the same."""
    await ask_all(ledger, credit("x", citizen(2), 5, DATED))
    await ask_all(ledger, credit("1", ME, 100, DATED), authorise("o", ME, 100, DATED, until=START + 60 * DAY))
    clock.move_to(START + 60 * DAY)
    await ask(ledger, expire("e0", citizen(2)))
    blocks = await value(ledger, "SELECT block FROM ledger.head WHERE partition = 0")
    answers = await ask_all(ledger, expire("e", ME), credit("2", ME, 5, FOREVER))
    assert [answer.code for answer in answers] == [None, None]
    assert await value(ledger, "SELECT block FROM ledger.head WHERE partition = 0") == int(str(blocks)) + 1
    await is_sound(ledger)


# batches, replays, restarts


async def test_a_hold_is_made_and_ended_in_one_batch(ledger: HubProcess) -> None:
    """Everybody's accounts are there already: what ends a hold of the same batch has to have them in its book."""
    before = [credit("1", ME, 100, FOREVER), authorise("o0", ME, 5), capture("c0", ME, "o0"), issue("v0", ME, 5)]
    await ask_all(ledger, *before, redeem("r0", ME, "v0"), send("m0", ME, 5), acknowledge("a0", ME, "m0"))
    answers = await ask_all(
        ledger,
        authorise("o", ME, 10), capture("c", ME, "o", 4), refund("f", ME, "o", 3),
        issue("v", ME, 10), redeem("r", ME, "v"), send("m", ME, 10), acknowledge("a", ME, "m"),
        send("n", ME, 10), send_back("b", ME, "n"), authorise("p", ME, 10), void("w", ME, "p"),
    )  # fmt: skip
    assert codes(answers) == {None: 11}
    assert await value(ledger, "SELECT block FROM ledger.head WHERE partition = 0") == 2
    await is_sound(ledger)


async def test_the_same_command_again_gets_the_same_answer_with_the_hold_as_it_stands(ledger: HubProcess) -> None:
    await ask(ledger, credit("1", ME, 100, FOREVER))
    asked = [authorise("o", ME, 40), capture("c", ME, "o", 30), refund("r", ME, "o", 10)]
    for command in asked:
        first = await ask(ledger, command)
        assert first.hold is not None
        assert await ask(ledger, command) == first.model_copy(update={"replayed": True})
    first = await ask(ledger, asked[0])
    assert (first.points, first.balances) == (40, {FOREVER: 60})
    assert first.hold is not None
    assert (first.hold.state, first.hold.left, first.hold.refunded) == (HoldState.taken, 0, 10)


async def test_everything_is_there_after_a_restart(
    database_url: str, ledger: HubProcess, clock: AdjustableClock
) -> None:
    made = [credit("1", ME, 100, FOREVER), authorise("o", ME, 40), issue("v", ME, 10), send("m", ME, 10)]
    answers = await ask_all(ledger, *made)
    async with running(database_url, "ledger", clock=clock) as process:
        again = await ask_all(process, *made)
        assert again == [answer.model_copy(update={"replayed": True}) for answer in answers]
        ends = await ask_all(process, capture("c", ME, "o"), redeem("r", ME, "v"), send_back("b", ME, "m"))
        assert codes(ends) == {None: 3}
        assert (await ask(process, BalanceOf(citizen_id=ME))).by_pool == {FOREVER: 50}


async def test_an_answer_about_anothers_hold_shows_nothing_of_it(ledger: HubProcess) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), authorise("o", ME, 40))
    answers = await ask_all(ledger, capture("c", citizen(2), "o"), authorise("p", citizen(2), 1, hold="o"))
    assert [(answer.code, answer.hold) for answer in answers] == [("no_hold", None), ("hold_exists", None)]


# whose MyKey ID has ended


async def test_an_order_of_an_ended_mykey_id_stops_nobody(ledger: HubProcess, clock: AdjustableClock) -> None:
    """What is free by itself goes to the expired points, once, whatever is asked of the citizen and how often."""
    await ask_all(ledger, credit("1", ME, 100, FOREVER), authorise("o", ME, 60), revoke("end", ME))
    clock.move_to(START + HOUR)
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {}
    answers = await ask_all(ledger, credit("2", ME, 5), use("u", ME, 5), credit("3", citizen(2), 5))
    assert [answer.code for answer in answers] == ["citizen_revoked", "citizen_revoked", None]
    assert await value(ledger, "SELECT balance FROM ledger.contra WHERE name LIKE 'expired:%'") == 100
    assert await value(ledger, "SELECT state FROM ledger.hold") == "expired"
    await is_sound(ledger)


async def test_two_citizens_orders_end_in_one_batch_though_one_mykey_id_has_ended(ledger: HubProcess) -> None:
    other = citizen(2)
    await ask_all(ledger, credit("1", ME, 20, FOREVER), credit("2", other, 20, FOREVER))
    await ask_all(ledger, authorise("a", ME, 10), authorise("b", other, 10), send("m", ME, 5), send("n", other, 5))
    await ask(ledger, revoke("end", ME))
    ends = [capture("c", ME, "a", 4), capture("d", other, "b", 4), send_back("e", ME, "m"), send_back("f", other, "n")]
    assert codes(await ask_all(ledger, *ends)) == {None: 4}
    assert await value(ledger, "SELECT block FROM ledger.head WHERE partition = 0") == 4
    await is_sound(ledger)


async def test_what_a_shop_or_street_gives_back_to_an_ended_mykey_id_expires(ledger: HubProcess) -> None:
    await ask_all(
        ledger, credit("1", ME, 100, FOREVER), authorise("o", ME, 10), authorise("p", ME, 10), send("m", ME, 10),
        send("n", ME, 10), issue("v", ME, 10), revoke("end", ME),
    )  # fmt: skip
    answers = await ask_all(
        ledger, capture("c", ME, "o", 4), void("w", ME, "p"), send_back("b", ME, "m"), acknowledge("a", ME, "n"),
        redeem("r", ME, "v"), refund("f", ME, "o", 1),
    )  # fmt: skip
    assert codes(answers) == {None: 6}
    assert await value(ledger, "SELECT sum(balance) FROM ledger.lot") == 0
    assert await value(ledger, "SELECT balance FROM ledger.contra WHERE name LIKE 'expired:%'") == 50 + 6 + 10 + 10 + 1
    assert await value(ledger, f"SELECT balance FROM ledger.contra WHERE name = 'shop:{SHOP.hex}'") == 3  # noqa: S608
    await is_sound(ledger)
