"""The writer: one outcome a command for ever, batches, two writers, what a fault leaves behind (nothing)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from hub.clock import AdjustableClock
from hub.errors import ContendedError, TransientError
from hub.process import HubProcess
from hub.runner import RERUN_LIMIT
from schemas.audit import VerifyLedger
from schemas.points import BalanceOf, OutcomesOf, PostingAnswer, PostingCommand, PostingStatus
from schemas.values import lane_of
from tests.running import running
from tests.workers.ledger.faults import TERMS, Failing, everything, first_six, holds_and_ends
from tests.workers.ledger.naive import Result
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    FESTIVAL,
    FOREVER,
    OTHER_STORE,
    STORE,
    ask,
    ask_all,
    citizen,
    credit,
    expire,
    move,
    open_pools,
    refusal,
    result,
    sweep,
    use,
)
from tests.workers.ledger.world_holds import use_together
from workers.ledger import remembered
from workers.ledger.spread import Spread
from workers.ledger.writer import Writer

ME = citizen(1)
ALL_GONE = """
SET session_replication_role = replica;
TRUNCATE ledger.block, ledger.outcome, ledger.transfer, ledger.lot, ledger.contra, ledger.rollup, ledger.pool,
    ledger.checkpoint;
UPDATE ledger.head SET block = 0, hash = '\\x00', next_account = 1, volume = 0, volume_outcomes = 0;
"""
"""Only its owner can."""


async def count(process: HubProcess, sql: str) -> int:
    async with process.database_of("ledger").reading() as reading:
        return int(await reading.fetch_value(sql))


async def test_the_same_command_again_gets_the_same_answer_for_ever(ledger: HubProcess, clock: AdjustableClock) -> None:
    first = await ask(ledger, credit("1", ME, 100))
    await ask(ledger, move("m", ME, 60))
    clock.advance(timedelta(days=400))
    again = await ask(ledger, credit("1", ME, 100))
    assert again == first.model_copy(update={"replayed": True})
    assert again.balances == {"reserve": 100}


async def test_another_request_under_the_same_id_is_refused_for_ever(ledger: HubProcess) -> None:
    await ask(ledger, credit("1", ME, 100))
    for _ in range(2):
        assert result(await ask(ledger, credit("1", ME, 101))) == Result("id_conflict")
    assert (await ask(ledger, credit("1", ME, 100))).replayed
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {"reserve": 100}


async def test_a_refusal_is_kept_too(ledger: HubProcess) -> None:
    first = await ask(ledger, use("u", ME, 5))
    assert first.code == "insufficient_points"
    await ask_all(ledger, credit("1", ME, 100, FOREVER), refusal("r", ME))
    again = await ask(ledger, use("u", ME, 5))
    assert (again.code, again.replayed) == ("insufficient_points", True)
    assert (await ask(ledger, refusal("r", ME))).replayed
    assert result(await ask(ledger, credit("r", ME, 5))) == Result("id_conflict")


async def test_the_same_id_twice_in_one_batch(ledger: HubProcess) -> None:
    answers = await ask_all(
        ledger, credit("1", ME, 5), credit("1", ME, 5), credit("1", ME, 6), use("2", ME, 1), use("2", ME, 1)
    )
    assert [(a.code, a.replayed) for a in answers] == [
        (None, False),
        (None, True),
        ("id_conflict", False),
        ("insufficient_points", False),
        ("insufficient_points", True),
    ]
    assert await count(ledger, "SELECT count(*) FROM ledger.block") == 1
    assert await count(ledger, "SELECT count(*) FROM ledger.transfer") == 1


async def test_among_new_commands_those_asked_before_are_told_their_outcome(ledger: HubProcess) -> None:
    await ask(ledger, credit("1", ME, 100))
    answers = await ask_all(ledger, credit("2", ME, 7), credit("1", ME, 100), credit("1", ME, 8), credit("3", ME, 5))
    assert [(a.code, a.replayed, a.balances.get("reserve")) for a in answers] == [
        (None, False, 107),
        (None, True, 100),
        ("id_conflict", False, None),
        (None, False, 112),
    ]
    assert (await ask(ledger, VerifyLedger(partition=lane_of(ME)))).fault is None


async def test_what_was_remembered_of_another_history_is_forgotten(
    ledger: HubProcess, clock: AdjustableClock, database_url: str
) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), use("2", ME, 5), use("3", ME, 5, store_id=OTHER_STORE))
    await ask(ledger, use("4", ME, 5))
    await ask(ledger, use("5", ME, 5, store_id=OTHER_STORE))
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(ALL_GONE)
    finally:
        await owner.close()
    async with running(database_url, "ledger", clock=clock) as another:
        await open_pools(another.database_of("ledger"))
        for command in (credit("1", ME, 90, FOREVER), use("2", ME, 7, store_id=OTHER_STORE), use("3", ME, 8)):
            await ask(another, command)
    await ask_all(ledger, credit("4", ME, 10, FOREVER), use("5", ME, 4))

    assert (await ask(ledger, VerifyLedger(partition=lane_of(ME)))).fault is None
    async with ledger.database_of("ledger").reading() as reading:
        rows = await reading.fetch("SELECT party_id, balance FROM ledger.contra WHERE name LIKE 'store:%'")
    assert {row["party_id"]: row["balance"] for row in rows} == {STORE: 12, OTHER_STORE: 7}


async def test_what_is_forgotten_while_a_batch_looks_accounts_up_is_still_there(
    ledger: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), credit("2", ME, 100, FESTIVAL))
    await ask_all(ledger, use("3", ME, 1), use("4", ME, 1, store_id=OTHER_STORE))
    await ask(ledger, use("5", ME, 1))  # this store's account is remembered now, the other's is not
    monkeypatch.setattr(remembered, "LIMIT", 0)
    parts = use("6", ME, 1), use("7", ME, 1, FESTIVAL, store_id=OTHER_STORE)
    assert (await ask(ledger, use_together("8", ME, *parts))).code is None
    assert (await ask(ledger, VerifyLedger(partition=lane_of(ME)))).fault is None


async def test_an_id_is_its_partys_own(ledger: HubProcess) -> None:
    answers = await ask_all(ledger, credit("1", ME, 5), credit("1", ME, 7, party_id=CARD))
    assert [result(a) for a in answers] == [Result(None, 5, {"reserve": 5}), Result(None, 7, {"reserve": 12})]


async def test_two_equal_payments_with_different_ids_are_two(ledger: HubProcess) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), use("a", ME, 30), use("b", ME, 30))
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {FOREVER: 40}


async def test_a_batch_sees_what_its_own_commands_did(ledger: HubProcess) -> None:
    answers = await ask_all(
        ledger, credit("1", ME, 10), move("2", ME, 10), use("3", ME, 4), use("4", ME, 7), use("5", ME, 6)
    )
    assert [a.code for a in answers] == [None, None, None, "insufficient_points", None]
    assert answers[-1].balances == {FOREVER: 0}


async def test_points_sweep_and_expire_as_the_days_go_by(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask_all(ledger, credit("1", ME, 10), credit("2", ME, 5, "scheme:131032"))
    assert [a.code for a in await ask_all(ledger, sweep("s1", ME), expire("e1", ME))] == ["nothing_due"] * 2
    clock.advance(timedelta(days=21))
    assert (await ask(ledger, sweep("s2", ME))).balances == {"reserve": 0, FOREVER: 10}
    clock.advance(timedelta(days=30))
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {FOREVER: 10}
    assert (await ask(ledger, expire("e2", ME))).points == 5


async def test_outcomes_can_be_asked_for(ledger: HubProcess) -> None:
    await ask_all(ledger, credit("1", ME, 10), refusal("2", ME, "bad_code"))
    found = await ask(ledger, OutcomesOf(party_id=AIRLINE, command_ids=["1", "2", "3"]))
    by_id = {outcome.command_id: outcome.answer for outcome in found.outcomes}
    assert {key: (a.status, a.code) for key, a in by_id.items()} == {
        "1": (PostingStatus.posted, None),
        "2": (PostingStatus.refused, "bad_code"),
    }


@pytest.mark.parametrize("parallel", [50])
async def test_one_balance_used_from_two_processes_at_once(
    database_url: str, ledger: HubProcess, clock: AdjustableClock, parallel: int
) -> None:
    await ask(ledger, credit("1", ME, 10, FOREVER))
    async with running(database_url, "ledger", clock=clock) as other:
        asked = [ask((ledger, other)[n % 2], use(f"u{n}", ME, 1)) for n in range(parallel)]
        answers = await asyncio.gather(*asked)
    assert sorted(str(a.code) for a in answers) == ["None"] * 10 + ["insufficient_points"] * (parallel - 10)
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {}


async def test_the_same_id_from_two_processes_at_once(
    database_url: str, ledger: HubProcess, clock: AdjustableClock
) -> None:
    async with running(database_url, "ledger", clock=clock) as other:
        for n in range(20):
            asked = (ask(process, credit(f"c{n}", ME, 5)) for process in (ledger, other))
            answers = await asyncio.gather(*asked)
            assert sorted(a.replayed for a in answers) == [False, True]
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {"reserve": 100}


async def test_ten_thousand_credits_of_a_day_are_one_lot(ledger: HubProcess) -> None:
    await ask_all(ledger, *(credit(f"c{n}", ME, 100, FOREVER) for n in range(10_000)))
    assert (await ask(ledger, use("u", ME, 1_000_000))).balances == {FOREVER: 0}
    assert await count(ledger, "SELECT count(*) FROM ledger.lot") == 1
    assert await count(ledger, "SELECT count(*) FROM ledger.transfer") == 10_001


async def test_a_caller_that_goes_away_holds_nothing_up(ledger: HubProcess) -> None:
    for n in range(20):
        gone = asyncio.create_task(ask(ledger, credit(f"c{n}", ME, 5)))
        for _ in range(n):
            await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    answers = await ask_all(ledger, *(credit(f"c{n}", ME, 5) for n in range(20)))
    assert answers[-1].balances["reserve"] <= 100
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {"reserve": 100}


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize(
    "prepare, days, least", [(first_six, 0, 8), (holds_and_ends, 60, 18)], ids=["plain", "with-holds"]
)
async def test_a_fault_after_any_statement_leaves_nothing(
    ledger: HubProcess,
    clock: AdjustableClock,
    prepare: Callable[[HubProcess], Awaitable[list[PostingCommand]]],
    days: int,
    least: int,
) -> None:
    """One connection a transaction: whatever the last statement was, all of them are gone."""
    batch = await prepare(ledger)
    clock.advance(timedelta(days=days))
    before = await everything(ledger)
    statements, ended = 0, False
    while not ended:
        statements += 1
        try:
            database = ledger.database_of("ledger")
            async with database.transaction() as tx:
                await Writer(TERMS, Spread(database)).post(batch, Failing.around(tx, statements))
                ended = True
                Failing.around(tx, 1).ends()
        except TransientError:
            assert await everything(ledger) == before
    assert statements > least
    answers: list[PostingAnswer] = await ask_all(ledger, *batch)
    assert [a.replayed for a in answers] == [False] * len(batch)
    assert (await ask(ledger, VerifyLedger(partition=0))).fault is None


MEETS = """
CREATE SEQUENCE ledger.met;
CREATE FUNCTION ledger.meet() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    IF nextval('ledger.met') <= TG_ARGV[0]::int THEN
        RAISE EXCEPTION 'two at once met' USING ERRCODE = TG_ARGV[1];
    END IF;
    RETURN NULL;
END $$;
"""
MEET = "CREATE TRIGGER meet AFTER INSERT ON ledger.rollup FOR EACH STATEMENT EXECUTE FUNCTION ledger.meet('{}', '{}')"


@pytest.mark.parametrize("state", ["40001", "40P01"])
@pytest.mark.parametrize("times", [RERUN_LIMIT - 1, RERUN_LIMIT])
async def test_a_batch_that_meets_another_again_and_again_is_told_to_come_back(
    database_url: str, ledger: HubProcess, state: str, times: int
) -> None:
    """F20: PostgreSQL's own error in the middle of what is written; nothing of a try that failed is there."""
    owner = await asyncpg.connect(database_url)
    await owner.execute(MEETS + MEET.format(times, state))
    before = await everything(ledger)
    if times == RERUN_LIMIT:
        with pytest.raises(ContendedError):
            await ask(ledger, credit("1", ME, 5))
        assert await everything(ledger) == before
    assert not (await ask(ledger, credit("1", ME, 5))).replayed
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {"reserve": 5}
    assert (await ask(ledger, VerifyLedger(partition=0))).fault is None
    await owner.close()


def store_of(number: int) -> UUID:
    return UUID(int=STORE.int + (number << 64))


async def test_a_batch_of_many_parties(ledger: HubProcess) -> None:
    commands = [credit(f"c{n}", citizen(n), 7, FOREVER, party_id=store_of(n)) for n in range(300)]
    uses = [use(f"u{n}", citizen(n), 3, store_id=store_of(n)) for n in range(300)]
    answers = await ask_all(ledger, *commands, *uses)
    assert {a.code for a in answers} == {None}
    assert await count(ledger, "SELECT count(*) FROM ledger.contra") == 600
