"""What broke in other ledgers, each with the test here that names it; what had none yet stands below the table."""

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from importlib import import_module
from typing import Final
from uuid import UUID

import pytest

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.points import BalanceOf
from schemas.values import RESERVE
from tests.bench.books import Books, BooksError
from tests.workers.ledger.faults import TERMS, Cancelled, everything, holds_and_ends
from tests.workers.ledger.world import CITY, FOREVER, MONTHLY, ask, ask_all, citizen, credit, expire, move, use
from workers.ledger import statements as sql
from workers.ledger.spread import Spread
from workers.ledger.writer import Writer

ME: Final = citizen(1)
DAYS: Final = 100
PARTNERS: Final = 100
POINTS: Final = 100
MILLION_DEADLINE_S: Final = 20
LOCK_DEADLINE_S: Final = 20

WHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "Blnk: six holds of 1,000 on 5,000 were accepted": (
        "test_holds:test_six_holds_of_a_thousand_on_five_thousand_are_five",
        "test_holds:test_fifty_at_once_on_one_balance_take_exactly_what_is_there",
    ),
    "Blnk: two commits of one hold at once both passed, a rejected one committed later": (
        "test_holds:test_fifty_at_once_on_one_order_resolve_it_once",
        "test_vouchers:test_fifty_at_once_redeem_one_voucher_once",
        "test_coupons:test_fifty_at_once_use_one_coupon_once",
    ),
    "Blnk, open-bank: two refunds or reversals under different keys both passed": (
        "test_holds:test_fifty_refunds_at_once_give_back_what_was_captured",
        "test_corrections:test_fifty_at_once_correct_one_posting_once",
    ),
    "Formance: the same key twice in one batch crashed": ("test_writer:test_the_same_id_twice_in_one_batch",),
    "Formance: a key was unique for everybody": ("test_writer:test_an_id_is_its_partys_own",),
    "Formance Wallets: a retry built from live balances was another request": (
        "test_writer:test_the_same_command_again_gets_the_same_answer_for_ever",
        "test_what_broke:test_a_retry_after_everything_changed_gets_the_answer_of_then",
    ),
    "Midaz: the hash of a body became its key": ("test_writer:test_two_equal_payments_with_different_ids_are_two",),
    "Formance: one statement committed alone on another connection": (
        "test_writer:test_a_fault_after_any_statement_leaves_nothing",
    ),
    "Formance v3: a restore lost the cursor, postings came twice": (
        "reliability.test_restore:test_a_dump_taken_under_load_brings_everything_back",
    ),
    "TigerBeetle: an expired hold still looked pending": (
        "test_holds:test_an_order_is_free_the_moment_its_time_is_over",
    ),
    "Blnk: source = destination was tried five times": (
        "decide.test_move:test_what_cannot_be_moved_stays",
        "test_what_broke:test_a_move_to_where_the_points_are_is_refused_at_once",
    ),
    "Blnk: a lock was let go by a cancelled request": (
        "test_writer:test_a_caller_that_goes_away_holds_nothing_up",
        "test_what_broke:test_a_writer_cancelled_at_any_statement_leaves_nothing_and_lets_its_lock_go",
    ),
    "Blnk: the immutability trigger missed NULLs, DELETE and TRUNCATE": (
        "test_roles:test_not_even_the_owner_changes_the_journal",
        "test_roles:test_the_ledgers_role_may_only_add_to_the_journal",
    ),
    "hordak: a balance was the sum of everything": ("test_what_broke:test_no_balance_is_added_up_from_the_journal",),
    "FloCafe: expired credits left the sum, old debits stayed": (
        "test_what_broke:test_an_expiry_is_a_posting_like_any_other",
    ),
    "ecommerce-laravel: lots of other labels never expired, and the test wrote rows by hand": (
        "test_writer:test_points_sweep_and_expire_as_the_days_go_by",
    ),
    "100-point lots, redeem 1,000,000": ("test_what_broke:test_a_million_points_go_out_of_ten_thousand_lots_at_once",),
    "tb-perf: errors were hidden in the throughput": (
        "test_what_broke:test_a_benchmark_whose_totals_are_off_gives_no_figure",
    ),
}


@pytest.mark.parametrize("where", [one for tests in WHERE.values() for one in tests])
def test_the_test_that_names_it_is_there(where: str) -> None:
    module, _, name = where.partition(":")
    folder = "tests" if module.startswith("reliability.") else "tests.workers.ledger"
    assert callable(getattr(import_module(f"{folder}.{module}"), name))


async def test_a_retry_after_everything_changed_gets_the_answer_of_then(
    ledger: HubProcess, clock: AdjustableClock
) -> None:
    first = await ask(ledger, credit("1", ME, 100, FOREVER))
    await ask_all(ledger, use("2", ME, 70), credit("3", ME, 5, FOREVER))
    clock.advance(timedelta(days=40))
    again = await ask(ledger, credit("1", ME, 100, FOREVER))

    assert again.replayed
    assert again.model_copy(update={"replayed": False}) == first
    assert again.balances == {FOREVER: 100}


async def test_a_move_to_where_the_points_are_is_refused_at_once(ledger: HubProcess) -> None:
    answers = await ask_all(ledger, credit("1", ME, 100), move("2", ME, 50, RESERVE), use("3", ME, 1))

    assert [answer.code for answer in answers] == [None, "same_pool", "insufficient_points"]


async def cut_short(work: Coroutine[None, None, None]) -> BaseException | None:
    """How it ended, as a task of its own, in time for the next to find no lock."""
    async with asyncio.timeout(LOCK_DEADLINE_S):
        (ended,) = await asyncio.gather(asyncio.create_task(work), return_exceptions=True)
    return ended


@pytest.mark.usefixtures("by_hand")
async def test_a_writer_cancelled_at_any_statement_leaves_nothing_and_lets_its_lock_go(
    ledger: HubProcess, clock: AdjustableClock
) -> None:
    batch = await holds_and_ends(ledger)
    clock.advance(timedelta(days=60))
    database, before = ledger.database_of("ledger"), await everything(ledger)

    async def post(statements: int) -> None:
        async with database.transaction() as tx:
            await Writer(TERMS, Spread(database)).post(batch, Cancelled.around(tx, statements))

    statements, ended = 1, await cut_short(post(1))
    while isinstance(ended, asyncio.CancelledError):
        assert await everything(ledger) == before
        statements += 1
        ended = await cut_short(post(statements))
    assert ended is None
    assert statements > max(database.pool_size, 18)
    assert all(answer.replayed for answer in await ask_all(ledger, *batch))
    assert (await ask(ledger, VerifyLedger(partition=0))).fault is None


def test_no_balance_is_added_up_from_the_journal() -> None:
    for asked in (sql.BALANCE_OF, sql.LOTS, sql.ALL_LOTS, sql.HELD_BY_POOL):
        assert "ledger.transfer" not in asked


async def test_an_expiry_is_a_posting_like_any_other(ledger: HubProcess, clock: AdjustableClock) -> None:
    """It takes what is left of the very lot: what was spent of it before leaves no debt behind."""
    await ask_all(ledger, credit("1", ME, 100, MONTHLY), use("2", ME, 60, MONTHLY, lg_code=CITY))
    clock.advance(timedelta(days=60))
    answers = await ask_all(ledger, credit("3", ME, 7, MONTHLY), expire("4", ME))

    assert [(answer.code, answer.points) for answer in answers] == [(None, 7), (None, 40)]
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {MONTHLY: 7}
    assert (await ask(ledger, VerifyLedger(partition=0))).fault is None


async def test_a_million_points_go_out_of_ten_thousand_lots_at_once(ledger: HubProcess, clock: AdjustableClock) -> None:
    """Reserve points do not merge over days and partners; no other pool can have so many lots."""
    partners = [UUID(int=0xAAA0000 + number) for number in range(PARTNERS)]
    for day in range(DAYS):
        await ask_all(ledger, *(credit(f"{day}", ME, POINTS, party_id=partner) for partner in partners))
        clock.advance(timedelta(days=1))
    async with asyncio.timeout(MILLION_DEADLINE_S):
        answer = await ask(ledger, move("all", ME, DAYS * PARTNERS * POINTS, FOREVER))
    after = await ask(ledger, BalanceOf(citizen_id=ME))

    assert (answer.code, answer.points) == (None, 1_000_000)
    assert after.by_pool == {FOREVER: 1_000_000}
    assert len(after.lots) == 1
    assert (await ask(ledger, VerifyLedger(partition=0))).fault is None


def test_a_benchmark_whose_totals_are_off_gives_no_figure() -> None:
    before = Books(held=10, against=-10, rolled_up=1, sealed=1, heads=[1, 0])
    after = Books(held=15, against=-15, rolled_up=2, sealed=2, heads=[1, 1], outcomes=2, transfers=1)

    after.check(before, commands=2, points=5)
    with pytest.raises(BooksError, match="outcomes against answers: off by 1"):
        after.check(before, commands=1, points=5)
