"""Corrections on a real database: once per original, backwards move by move, never an edit."""

import json
from datetime import timedelta
from importlib.resources import files
from typing import Final

import asyncpg
import pytest

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.corrections import Original, OriginalOf
from schemas.history import ProvenanceOf
from schemas.points import BalanceOf, PostingCommand
from schemas.settlement import PlaceSummaryOf
from tests.running import running
from tests.workers.ledger.test_holds import FIFTY, at_once, codes, value
from tests.workers.ledger.world import (
    CARD,
    CITY_OFFICE,
    DATED,
    FOREVER,
    MONTHLY,
    TODAY,
    TOWN,
    ask,
    ask_all,
    citizen,
    credit,
    expire,
    move,
    sweep,
    use,
)
from tests.workers.ledger.world_holds import (
    CLERK,
    authorise,
    capture,
    correct,
    coupon,
    grant,
    issue,
    redeem,
    register,
    revoke,
    use_together,
)

ME: Final = citizen(1)
MIGRATION: Final = files("workers.ledger") / "migrations" / "0009_corrections.sql"
DAY = timedelta(days=1)


async def is_sound(process: HubProcess) -> None:
    assert (await ask(process, VerifyLedger(partition=0))).fault is None


async def test_fifty_at_once_correct_one_posting_once(
    database_url: str, ledger: HubProcess, clock: AdjustableClock
) -> None:
    wrong = use("u", ME, 30)
    await ask_all(ledger, credit("1", ME, 100, FOREVER), wrong)
    async with running(database_url, "ledger", clock=clock) as other:
        answers = await at_once((ledger, other), *(correct(f"x{n}", wrong) for n in range(FIFTY)))
    assert codes(answers) == {None: 1, "corrected_before": 49}
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {FOREVER: 100}
    await is_sound(ledger)


async def test_two_corrections_of_one_posting_in_one_batch_reverse_it_once(ledger: HubProcess) -> None:
    """Its moves are loaded once, however many ask for them."""
    wrong = grant("g", ME, 100)
    await ask_all(ledger, wrong, credit("1", ME, 900, FOREVER))
    answers = await ask_all(ledger, correct("x1", wrong), correct("x2", wrong), correct("x3", wrong, citizen(2)))
    assert [(answer.code, answer.points) for answer in answers] == [
        (None, 100),
        ("corrected_before", 0),
        ("no_posting", 0),
    ]
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {FOREVER: 900}
    assert await value(ledger, "SELECT count(*) FROM ledger.transfer WHERE kind = 51") == 1
    await is_sound(ledger)


async def test_who_is_about_to_ask_is_told_what_a_correction_would_find(ledger: HubProcess) -> None:
    wrong, held = use("u", ME, 30), issue("v", ME, 10)
    correction, too_much = correct("x", wrong), use("r", ME, 1_000)
    await ask_all(ledger, credit("1", ME, 100, FOREVER), wrong, held, too_much)

    async def found(command: PostingCommand) -> Original:
        return await ask(ledger, OriginalOf(party_id=command.party_id, command_id=command.command_id))

    assert await found(wrong) == Original(citizen_id=ME, kind="use", points=30)
    assert (await found(held)).code == "not_correctable"
    assert await found(too_much) == await found(use("never", ME, 1)) == Original(code="no_posting")
    await ask_all(ledger, correction)
    assert await found(wrong) == Original(citizen_id=ME, kind="use", points=30, code="corrected_before")
    assert (await found(correction)).code == "not_correctable"


async def test_a_posting_is_corrected_in_its_own_batch(ledger: HubProcess) -> None:
    wrong = use("u", ME, 30)
    answers = await ask_all(ledger, credit("1", ME, 100, FOREVER), wrong, correct("x", wrong))
    assert codes(answers) == {None: 3}
    assert answers[-1].balances == {FOREVER: 100}
    await is_sound(ledger)


@pytest.mark.parametrize(
    "wrong",
    [
        credit("w", ME, 7),
        credit("w", ME, 7, MONTHLY),
        grant("w", ME, 7, DATED),
        move("w", ME, 35, MONTHLY),
        use("w", ME, 45),
        use_together("w", ME, use("1", ME, 45), use("2", ME, 3, DATED, lg_code="131032")),
    ],
    ids=lambda command: type(command).__name__,
)
async def test_the_wallet_is_what_it_was(ledger: HubProcess, clock: AdjustableClock, wrong: PostingCommand) -> None:
    await ask_all(
        ledger, credit("1", ME, 20), credit("2", ME, 20, party_id=CARD), credit("3", ME, 50, FOREVER),
        credit("4", ME, 9, DATED),
    )  # fmt: skip
    before = await ask(ledger, BalanceOf(citizen_id=ME))
    assert (await ask(ledger, wrong)).code is None
    kept = await value(ledger, "SELECT array_agg(t::text ORDER BY block, line)::text FROM ledger.transfer AS t")
    clock.advance(DAY)
    answer = await ask(ledger, correct("x", wrong))
    assert answer.code is None
    after = await ask(ledger, BalanceOf(citizen_id=ME))
    assert after.by_pool == before.by_pool == {pool: points for pool, points in after.by_pool.items() if points}
    assert after.lots == before.lots
    original = "SELECT array_agg(t::text ORDER BY block, line)::text FROM ledger.transfer AS t WHERE kind <> 51"
    assert await value(ledger, original) == kept
    await is_sound(ledger)


async def test_which_correction_reversed_what_is_found_of_earlier_ones(ledger: HubProcess, database_url: str) -> None:
    """Books from before that was kept; two of the postings are alike."""
    wrong = [use("a", ME, 5), use("b", ME, 5), use("c", ME, 6), move("m", ME, 35, MONTHLY)]
    await ask_all(ledger, credit("1", ME, 20), credit("2", ME, 20, party_id=CARD), credit("3", ME, 50, FOREVER))
    await ask_all(ledger, *wrong)
    await ask_all(ledger, *(correct(f"x{n}", one) for n, one in enumerate(wrong)))
    kept = "SELECT json_agg(row_to_json(c) ORDER BY command_id)::text FROM ledger.correction AS c"
    before = await value(ledger, kept)
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("ALTER TABLE ledger.correction DROP partition, DROP block, DROP number")
        await owner.execute(MIGRATION.read_text(encoding="utf-8"))
    finally:
        await owner.close()
    assert await value(ledger, kept) == before
    await is_sound(ledger)


async def test_a_sweep_is_taken_back_and_swept_again(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask(ledger, credit("1", ME, 20))
    clock.advance(21 * DAY)
    wrong = sweep("s", ME, MONTHLY)
    await ask(ledger, wrong)
    clock.advance(DAY)
    assert (await ask(ledger, correct("x", wrong))).balances == {MONTHLY: 0, "reserve": 20}
    assert (await ask(ledger, sweep("s2", ME, FOREVER))).balances == {"reserve": 0, FOREVER: 20}
    assert await value(ledger, "SELECT count(*) FROM ledger.lot WHERE pool = 'reserve'") == 1
    await is_sound(ledger)


async def test_points_come_back_to_the_very_lot_though_it_is_empty_and_past_its_last_day(
    ledger: HubProcess, clock: AdjustableClock
) -> None:
    wrong = use("u", ME, 9, DATED, lg_code="131032")
    await ask_all(ledger, credit("1", ME, 9, DATED), wrong)
    clock.advance(90 * DAY)
    assert (await ask(ledger, correct("x", wrong))).balances == {DATED: 0}
    assert await value(ledger, "SELECT count(*) FROM ledger.lot") == 1
    assert (await ask(ledger, expire("e", ME))).points == 9
    await is_sound(ledger)


async def test_what_is_spent_or_ended_or_set_aside_is_not_taken_back(ledger: HubProcess) -> None:
    await register(ledger, ["c"])
    spent, order, paid = credit("1", ME, 50, FOREVER), authorise("o", ME, 10), capture("p", ME, "o")
    voucher, redeemed, by_coupon = issue("v", ME, 10), redeem("r", ME, "v"), coupon("k", ME, "c")
    await ask_all(ledger, spent, order, paid, voucher, redeemed, by_coupon, use("u", ME, 129))
    asked = [correct(f"x{n}", each) for n, each in enumerate((spent, order, paid, voucher, redeemed, by_coupon))]
    answers = await ask_all(ledger, *asked, correct("y", spent, approved=CLERK))
    assert [answer.code for answer in answers] == ["insufficient_points"] + ["not_correctable"] * 5 + ["one_person"]
    assert await value(ledger, "SELECT count(*) FROM ledger.correction") == 0
    await is_sound(ledger)


async def test_what_a_store_gives_back_to_an_ended_mykey_id_expires(ledger: HubProcess) -> None:
    wrong = use_together("w", ME, use("1", ME, 45), use("2", ME, 3, DATED, lg_code="131032"))
    await ask_all(ledger, credit("1", ME, 50, FOREVER), credit("2", ME, 9, DATED), wrong)
    await ask(ledger, revoke("3", ME))
    assert (await ask(ledger, correct("x", wrong))).balances == {DATED: 0, FOREVER: 0}
    assert (await ask(ledger, correct("y", wrong))).code == "corrected_before"
    stored = "SELECT sum(balance) FROM ledger.contra WHERE name LIKE '{}:%'"
    assert [await value(ledger, stored.format(role)) for role in ("store", "expired")] == [0, 59]
    places = await ask(ledger, PlaceSummaryOf(lg_code=TOWN, first=TODAY, last=TODAY))
    assert [(place.points, place.returned) for place in places.places] == [(0, 45)]
    origins = (await ask(ledger, ProvenanceOf(party_id=CITY_OFFICE, command_id="x"))).origins
    assert [(origin.command_id, origin.points) for origin in origins] == [("2", 3), ("1", 45)]
    await is_sound(ledger)


async def test_everything_of_an_ended_mykey_id_is_expired_and_stays_so(ledger: HubProcess) -> None:
    await register(ledger, ["c"], 5, DATED)
    await ask(ledger, credit("x", citizen(2), 5, DATED))
    await ask(ledger, revoke("y", citizen(2)))
    answers = await ask_all(
        ledger, credit("1", ME, 9, DATED), coupon("2", ME, "c"), credit("3", ME, 6), revoke("4", ME)
    )
    assert (answers[-1].points, answers[-1].balances) == (20, {DATED: 0, "reserve": 0})
    assert await value(ledger, "SELECT block FROM ledger.head WHERE partition = 0") == 3
    assert (await ask(ledger, credit("5", ME, 6))).code == "citizen_revoked"
    assert (await ask(ledger, revoke("6", ME))).code == "citizen_revoked"
    kept = json.loads(str(await value(ledger, "SELECT json_agg(revoked_on) FROM ledger.revoked")))
    assert kept == ["2026-01-10"] * 2
    await is_sound(ledger)
