"""Coupons on a real database: used up once by whoever is first, in whatever partition; known by their hashes only."""

from datetime import timedelta
from typing import Final

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.grants import CouponOf, coupon_number
from schemas.points import BalanceOf
from tests.running import running
from tests.workers.ledger.test_holds import FIFTY, at_once, codes, value
from tests.workers.ledger.world import AIRLINE, CARD, FOREVER, TODAY, UNKNOWN, ask, ask_all, citizen, credit
from tests.workers.ledger.world_holds import coupon, register

ME: Final = citizen(1)


async def test_fifty_at_once_use_one_coupon_once(database_url: str, ledger: HubProcess, clock: AdjustableClock) -> None:
    """Fifty citizens in sixteen partitions, through two processes."""
    await register(ledger, ["c"])
    async with running(database_url, "ledger", clock=clock) as other:
        asked = (coupon(f"u{n}", citizen(n, n % 16), "c") for n in range(FIFTY))
        answers = await at_once((ledger, other), *asked)
    assert codes(answers) == {None: 1, "no_coupon": 49}
    assert await value(ledger, "SELECT sum(balance) FROM ledger.lot") == 100
    assert [(await ask(ledger, VerifyLedger(partition=lane))).fault for lane in range(16)] == [None] * 16


async def test_a_coupon_is_used_up_and_credited_in_one_commit(ledger: HubProcess) -> None:
    await register(ledger, ["c", "d"], 40)
    answers = await ask_all(ledger, coupon("1", ME, "c"), coupon("2", ME, "c"), coupon("3", citizen(2), "d"))
    assert [(answer.code, answer.points) for answer in answers] == [(None, 40), ("no_coupon", 0), (None, 40)]
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {FOREVER: 40}
    assert await value(ledger, "SELECT count(*) FROM ledger.coupon WHERE used_by IS NOT NULL") == 2
    assert (await ask(ledger, coupon("1", ME, "c"))).replayed


async def test_a_coupon_registered_again_stays_as_it_is(ledger: HubProcess) -> None:
    assert await register(ledger, ["a", "b"], 40) == 2
    await ask(ledger, coupon("1", ME, "a"))
    assert await register(ledger, ["a", "b", "c", "c"], 999) == 1
    answers = await ask_all(ledger, coupon("2", ME, "a"), coupon("3", ME, "b"), coupon("4", ME, "c"))
    assert [(answer.code, answer.points) for answer in answers] == [("no_coupon", 0), (None, 40), (None, 999)]


async def test_a_partners_coupons_are_its_own(ledger: HubProcess) -> None:
    await register(ledger, ["a"], 40)
    await register(ledger, ["a"], 50, party_id=CARD)
    answers = await ask_all(ledger, coupon("1", ME, "a", CARD), coupon("2", ME, "a", AIRLINE))
    assert [answer.points for answer in answers] == [50, 40]


async def test_unknown_used_and_expired_are_answered_alike(ledger: HubProcess, clock: AdjustableClock) -> None:
    await register(ledger, ["used"])
    await register(ledger, ["expired"], last=TODAY)
    await ask(ledger, coupon("first", ME, "used"))
    clock.advance(timedelta(days=1))
    asked = [coupon(f"{n}", citizen(2), name) for n, name in enumerate(("unknown", "used", "expired"))]
    previews = [CouponOf(party_id=one.party_id, code_hash=one.code_hash) for one in asked]
    assert [(await ask(ledger, preview)).offer for preview in previews] == [None] * 3
    answers = await ask_all(ledger, *asked)
    assert len({answer.model_dump_json() for answer in answers}) == 1
    assert answers[0].code == "no_coupon"


async def test_a_coupon_that_cannot_be_credited_stays_good(ledger: HubProcess) -> None:
    await register(ledger, ["c"], pool=UNKNOWN)
    assert (await ask(ledger, coupon("1", ME, "c"))).code == "no_scheme"
    assert await value(ledger, "SELECT used_by FROM ledger.coupon") is None
    await ask(ledger, credit("x", ME, 1))


async def test_the_same_request_twice_at_once_is_one(
    database_url: str, ledger: HubProcess, clock: AdjustableClock
) -> None:
    await register(ledger, ["c"])
    async with running(database_url, "ledger", clock=clock) as other:
        answers = await at_once((ledger, other), coupon("1", ME, "c"), coupon("1", ME, "c"))
    assert sorted(answer.replayed for answer in answers) == [False, True]
    assert codes(answers) == {None: 2}


async def test_a_coupon_is_shown_before_it_is_used(ledger: HubProcess) -> None:
    await register(ledger, ["c"], 40)
    asked = coupon("1", ME, "c")
    preview = CouponOf(party_id=asked.party_id, code_hash=asked.code_hash)
    offer = (await ask(ledger, preview)).offer
    assert offer is not None
    assert (offer.points, offer.pool) == (40, FOREVER)
    await ask(ledger, asked)
    assert (await ask(ledger, preview)).offer is None


def test_a_coupon_number_is_taken_however_it_is_typed() -> None:
    for typed in ("ab12-cd34-ef56", " ＡＢ１２　ＣＤ３４ー".replace("ー", "－") + "EF56", "AB12CD34EF56"):
        assert coupon_number(typed) == "AB12CD34EF56"
    for typed in ("", "AB12", "A" * 41, "A" * 10_000, "ab12-cd34-ef5é", "'; --"):
        assert coupon_number(typed) is None
