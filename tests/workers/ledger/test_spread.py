"""Partitions in two databases: answers, sums and proofs as in one, and every transaction in both or in none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from itertools import count
from typing import Any, Final

import pytest

from hub import branches, database
from hub.branches import Settling
from hub.clock import AdjustableClock
from hub.errors import HubError
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.points import BalanceOf, HeldByPool, PostingCommand
from schemas.values import LANES
from schemas.vouchers import VoucherOfNumber
from tests.reliability import ways
from tests.running import running, running_without_jobs
from tests.waiting import wait_until
from tests.workers.ledger.lives import Lives
from tests.workers.ledger.spread_worker import CITIZENS, POINTS
from tests.workers.ledger.test_holds import at_once, codes
from tests.workers.ledger.two_databases import (
    PEOPLE,
    all_that_is_told,
    asked_directly,
    close_days,
    heads,
    is_sound,
    killed_at,
    live,
    posted_ids,
    value,
)
from tests.workers.ledger.world import (
    FESTIVAL,
    FOREVER,
    LATER,
    RULES,
    START,
    TOWN,
    ask,
    ask_all,
    citizen,
    credit,
    open_pools,
    registered,
    use,
)
from tests.workers.ledger.world_holds import authorise, coupon, issue, redeem, register
from workers.ledger.spread import PartitionBegunError
from workers.ledger.store import PartitionElsewhereError

HERE, THERE = CITIZENS
PREPARED: Final = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"
CLAIMED: Final = "SELECT coalesce(array_agg(command_id), '{}') FROM ledger.command_claim"
DECIDED_AGAINST: Final = "SELECT count(*) FROM hub.decision WHERE NOT is_commit"
SETTLED_LIMIT_S: Final = 60.0
CALLS_MEANWHILE: Final = 10
NOT_KEPT_WAITING_S: Final = 8.0
"""For all of them: one alone would wait half as long behind eight lanes that wait for the other database."""


@pytest.fixture
async def spread(database_url: str, away: dict[str, Any], clock: AdjustableClock) -> AsyncIterator[HubProcess]:
    """A ledger whose upper partitions live in the second database; the pools were there before that was."""
    async with running(database_url, "ledger", clock=clock, **away) as process:
        await open_pools(process.database_of("ledger"))
        yield process


@pytest.fixture
async def other(database_url: str, away: dict[str, Any], clock: AdjustableClock) -> AsyncIterator[HubProcess]:
    """A second process of it."""
    async with running(database_url, "ledger", clock=clock, **away) as process:
        yield process


async def test_two_databases_tell_what_one_tells(
    one_url: str, spread: HubProcess, clock: AdjustableClock, database_url: str, away_url: str
) -> None:
    """The very same: the same lines in the same order, blocks with the same hashes, from the same lives."""
    lived = Lives(spread, clock, PEOPLE, seed=0)
    await live(lived)
    await close_days(spread)
    told = await all_that_is_told(spread, lived)
    chains = await heads(database_url, away_url)
    await is_sound(spread)
    clock_there = AdjustableClock(START)
    async with running(one_url, "ledger", clock=clock_there) as one:
        await open_pools(one.database_of("ledger"))
        lived_there = Lives(one, clock_there, PEOPLE, seed=0)
        await live(lived_there)
        await close_days(one)
        assert lived_there.posted == lived.posted
        assert len(lived.posted) > 100
        assert told == await all_that_is_told(one, lived_there)
        assert chains == await heads(one_url)


async def test_the_first_question_in_a_process_needs_one_connection_at_home(
    spread: HubProcess, other: HubProcess
) -> None:
    await ask(spread, credit("c", THERE, 5, FOREVER))
    pool = other.database_of("ledger")
    async with AsyncExitStack() as held:
        for _ in range(pool.pool_size - 1):
            await held.enter_async_context(pool.connection())
        async with asyncio.timeout(database.ACQUIRE_TIMEOUT_S / 2):
            assert (await ask(other, BalanceOf(citizen_id=THERE))).by_pool == {FOREVER: 5}


async def test_a_commands_id_is_its_own_in_all_databases(spread: HubProcess, other: HubProcess) -> None:
    people = [citizen(n, n % LANES) for n in range(48)]
    answers = await at_once((spread, other), *(credit("same", me, 5, FOREVER) for me in people))
    assert codes(answers) == {None: 1, "id_conflict": 47}
    totals = await ask(spread, HeldByPool())
    assert totals.totals == {FOREVER: 5}
    await is_sound(spread)


async def test_a_command_that_comes_again_gets_its_outcome_again(spread: HubProcess, other: HubProcess) -> None:
    commands = [credit(f"c{n}", me, 5, FOREVER) for n, me in enumerate(PEOPLE)]
    first = await ask_all(spread, *commands)
    again = await ask_all(other, *commands)
    assert [answer.replayed for answer in again] == [True] * 4
    assert [answer.model_copy(update={"replayed": False}) for answer in again] == first


async def test_numbers_and_holds_are_their_own_in_all_databases(spread: HubProcess, other: HubProcess) -> None:
    people = [citizen(n, 2 * n) for n in range(8)]
    offered = [f"1000000{n}" for n in range(8)]
    await ask_all(spread, *(credit(f"c{n}", me, 100, FOREVER) for n, me in enumerate(people)))
    drawn = [issue(f"v{n}", me, 10, numbers=offered[n % 4 :]) for n, me in enumerate(people)]
    answers = await at_once((spread, other), *drawn)
    numbers = [answer.hold.number for answer in answers if answer.hold]
    assert len(set(numbers)) == len(numbers) == 8
    for answer in answers:
        assert answer.hold is not None and answer.hold.number is not None  # noqa: PT018 - one thing
        found = await ask(spread, VoucherOfNumber(number=answer.hold.number))
        assert [voucher.hold_id for voucher in found.vouchers] == [answer.hold.hold_id]
    same = await at_once((spread, other), *(authorise(f"o{n}", me, 10, hold="same") for n, me in enumerate(people)))
    assert codes(same) == {None: 1, "hold_exists": 7}
    await is_sound(spread)


async def test_a_number_is_given_again_once_its_voucher_is_redeemed(spread: HubProcess) -> None:
    one = ["12345678"]
    await ask_all(spread, credit("1", HERE, 100, FOREVER), credit("2", THERE, 100, FOREVER))
    assert (await ask(spread, issue("v", THERE, 10, numbers=one))).code is None
    assert (await ask(spread, issue("w", HERE, 10, numbers=one))).code == "no_number"
    assert (await ask(spread, redeem("r", THERE, "v"))).code is None
    assert (await ask(spread, issue("x", HERE, 10, numbers=one))).code is None


async def test_fifty_at_once_use_one_coupon_once(spread: HubProcess, other: HubProcess) -> None:
    await register(spread, ["c", "d"])
    people = [citizen(n, n % LANES) for n in range(50)]
    answers = await at_once((spread, other), *(coupon(f"k{n}", me, "c") for n, me in enumerate(people)))
    assert codes(answers) == {None: 1, "no_coupon": 49}
    assert (await ask(spread, coupon("d", THERE, "d"))).code is None
    assert (await ask(spread, coupon("e", HERE, "d"))).code == "no_coupon"
    await is_sound(spread)


async def test_a_changed_row_is_named_wherever_it_is(spread: HubProcess, away_url: str) -> None:
    await ask_all(spread, credit("1", HERE, 100, FOREVER), credit("2", THERE, 100, FOREVER))
    await value(away_url, "UPDATE ledger.lot SET balance = balance + 1")
    assert (await ask(spread, VerifyLedger(partition=3))).fault is None
    fault = (await ask(spread, VerifyLedger(partition=11))).fault
    assert fault is not None
    assert fault.table == "lot"


async def test_what_the_registry_says_later_is_known_in_both(spread: HubProcess) -> None:
    await ask(spread, credit("1", THERE, 100, FOREVER))
    (component,) = spread.components
    late = next(rule for rule in RULES if rule.pool == FESTIVAL)
    said = registered(replace(late, pool=LATER, usable_in=frozenset({TOWN}), lg_code=TOWN))
    async with spread.database_of("ledger").transaction() as tx:
        await component.handlers[type(said)]([said], tx)
    answers = await ask_all(spread, credit("2", HERE, 5, LATER), credit("3", THERE, 5, LATER))
    assert codes(answers) == {None: 2}


@pytest.mark.usefixtures("by_hand")
async def test_checkpoints_sign_the_chains_of_both(spread: HubProcess, database_url: str, away_url: str) -> None:
    await ask_all(spread, credit("1", HERE, 100, FOREVER), credit("2", THERE, 100, FOREVER))
    (component,) = spread.components
    await next(job for job in component.jobs if job.name == "checkpoint").run()
    kept = [await value(url, "SELECT document FROM ledger.checkpoint") for url in (database_url, away_url)]
    assert kept[0] == kept[1]
    assert '"partition": 11, "block": 1' in kept[0]
    await is_sound(spread)


# who lives where


async def test_without_the_setting_nothing_is_posted_or_answered(
    database_url: str, spread: HubProcess, clock: AdjustableClock
) -> None:
    await ask(spread, credit("1", THERE, 100, FOREVER))
    async with running(database_url, "ledger", clock=clock) as without:
        with pytest.raises(PartitionElsewhereError, match=r"partitions \[8, 9, 10, 11, 12, 13, 14, 15\]"):
            await asked_directly(without, BalanceOf(citizen_id=THERE))


async def test_a_partition_with_postings_stays_where_it_is(
    database_url: str, away: dict[str, Any], ledger: HubProcess, clock: AdjustableClock
) -> None:
    await ask_all(ledger, credit("1", THERE, 100, FOREVER), issue("v", THERE, 10, numbers=["12345678"]))
    async with running(database_url, "ledger", clock=clock, **away) as process:
        with pytest.raises(PartitionBegunError, match=r"partitions \[11\]"):
            await asked_directly(process, BalanceOf(citizen_id=THERE))


async def test_what_was_posted_before_the_second_database_is_still_unique(
    database_url: str, away: dict[str, Any], ledger: HubProcess, clock: AdjustableClock
) -> None:
    await ask_all(ledger, credit("1", HERE, 100, FOREVER), issue("v", HERE, 10, numbers=["12345678"]))
    async with running(database_url, "ledger", clock=clock, **away) as process:
        assert (await ask(process, credit("1", THERE, 100, FOREVER))).code == "id_conflict"
        await ask(process, credit("2", THERE, 100, FOREVER))
        assert (await ask(process, issue("w", THERE, 10, numbers=["12345678"]))).code == "no_number"
        await is_sound(process)


# one of them away


async def test_while_one_database_is_away_the_other_goes_on(
    database_url: str, away_url: str, clock: AdjustableClock
) -> None:
    async with ways.to_postgres(away_url) as way, AsyncExitStack() as stack:
        by_way = {"partition_databases": {"8-15": way.url}}
        first = await stack.enter_async_context(running(database_url, "ledger", clock=clock, **by_way))
        await open_pools(first.database_of("ledger"))
        await ask_all(first, credit("1", HERE, 100, FOREVER), credit("2", THERE, 100, FOREVER))
        way.cut()
        second = await stack.enter_async_context(running(database_url, "ledger", clock=clock, **by_way))
        for process in (first, second):
            assert (await ask(process, use(f"u{id(process)}", HERE, 10))).code is None
            with pytest.raises(HubError) as told:
                await ask(process, use("v", THERE, 10))
            assert not told.value.permanent
        way.heal()
        for process in (first, second):
            assert (await ask(process, use("v", THERE, 10))).code is None
        assert (await ask(first, HeldByPool())).totals == {FOREVER: 170}
        await is_sound(first)


async def test_while_one_database_keeps_silent_the_other_is_not_kept_waiting(
    database_url: str, away_url: str, clock: AdjustableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for it has a connection to the other, of which there are few."""
    for limit in ("COMMAND_TIMEOUT_S", "CONNECT_TIMEOUT_S", "ACQUIRE_TIMEOUT_S"):
        monkeypatch.setattr(database, limit, 1.0)

    async def use_there(process: HubProcess, lane: int) -> None:
        for number in count():
            with suppress(HubError):
                await ask(process, use(f"{lane}.{number}", citizen(1, lane), 1))

    async with ways.to_postgres(away_url) as way, AsyncExitStack() as stack:
        by_way = {"partition_databases": {"8-15": way.url}}
        process = await stack.enter_async_context(running(database_url, "ledger", clock=clock, **by_way))
        await open_pools(process.database_of("ledger"))
        await ask_all(process, credit("1", HERE, 100, FOREVER), credit("2", THERE, 100, FOREVER))
        way.hold(*ways.Direction)
        asking = [asyncio.create_task(use_there(process, lane)) for lane in range(8, 16)]
        with pytest.raises(HubError):
            await ask(process, use("v", THERE, 1))
        async with asyncio.timeout(NOT_KEPT_WAITING_S):
            for number in range(CALLS_MEANWHILE):
                assert (await ask(process, use(f"u{number}", HERE, 1))).code is None
        for task in asking:
            task.cancel()
        way.heal()


@pytest.mark.parametrize(
    "side, words", [("away", b"PREPARE TRANSACTION"), ("home", b"COMMIT;"), ("away", b"COMMIT PREPARED")]
)
async def test_an_answer_that_never_comes_leaves_both_or_none(
    side: str, words: bytes, database_url: str, away_url: str, clock: AdjustableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up, settled by what was decided, asked again: posted once."""
    monkeypatch.setattr(database, "COMMAND_TIMEOUT_S", 1.0)
    monkeypatch.setattr(branches, "DOUBT_S", 0.0)
    async with ways.to_postgres(database_url) as home, ways.to_postgres(away_url) as away:
        by_way = {"partition_databases": {"8-15": away.url}}
        async with running(home.url, "ledger", clock=clock, **by_way) as process:
            await open_pools(process.database_of("ledger"))
            await ask(process, credit("1", THERE, 100, FOREVER))
            way = home if side == "home" else away
            way.silence_after(words)
            await _is_answered(process, use("u", THERE, 30))
            assert way.silenced
            way.heal()
            await wait_until(lambda: _is_answered(process, use("u", THERE, 30)), SETTLED_LIMIT_S)
            await Settling(process.database_of("ledger")).settle()
            assert (await ask(process, BalanceOf(citizen_id=THERE))).by_pool == {FOREVER: 70}
            assert await value(away_url, PREPARED) == 0
            await is_sound(process)


async def _is_answered(process: HubProcess, command: PostingCommand) -> bool:
    try:
        return (await ask(process, command)).code is None
    except HubError:
        return False


# both or none


@pytest.mark.parametrize("nth", [1, 5])
@pytest.mark.parametrize("point", ["branches.prepared", "branches.decided"])
async def test_whoever_is_killed_between_the_two_commits_leaves_both_or_none(
    point: str, nth: int, database_url: str, away: dict[str, Any], away_url: str, clock: AdjustableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async with running(database_url, "ledger", clock=clock) as before:
        await open_pools(before.database_of("ledger"))
    answered = await asyncio.to_thread(killed_at, f"{point}:{nth}", database_url, away_url)
    monkeypatch.setattr(branches, "DOUBT_S", 0.0)
    async with running_without_jobs(database_url, "ledger", clock=clock, **away) as process:
        await Settling(process.database_of("ledger")).settle()
        assert await value(away_url, PREPARED) == 0
        posted = await posted_ids(process)
        assert answered <= posted <= {*answered, str(len(answered))}
        assert set(await value(database_url, CLAIMED)) == posted
        assert await value(database_url, DECIDED_AGAINST) == (point == "branches.prepared")
        await ask_all(process, *(credit(str(n), CITIZENS[n % 2], POINTS, FOREVER) for n in range(len(answered) + 3)))
        assert (await ask(process, HeldByPool())).totals == {FOREVER: POINTS * (len(answered) + 3)}
        await is_sound(process)


async def test_what_is_decided_against_can_never_be_committed(
    spread: HubProcess, away_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody settles the branch while its process is only slow: then the whole transaction fails, and runs again."""
    await ask(spread, credit("1", THERE, 100, FOREVER))
    monkeypatch.setattr(branches, "DOUBT_S", 0.0)
    prepare = branches.Branches.prepare
    settled: list[int] = []

    async def slow(self: branches.Branches, tx: Any) -> None:  # noqa: ANN401 - as it is
        execute = tx.execute

        async def settle_first(sql: str, *args: object) -> str:
            if sql == branches.DECIDE and not settled:
                settled.append(1)
                await Settling(spread.database_of("ledger")).settle()
            tag: str = await execute(sql, *args)
            return tag

        tx.execute = settle_first
        await prepare(self, tx)

    monkeypatch.setattr(branches.Branches, "prepare", slow)
    assert (await ask(spread, use("2", THERE, 30))).code is None
    assert settled == [1]
    assert (await ask(spread, BalanceOf(citizen_id=THERE))).by_pool == {FOREVER: 70}
    assert await value(away_url, PREPARED) == 0
    await is_sound(spread)
