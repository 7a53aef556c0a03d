"""Coupon: used up and credited at once, by one citizen, in time; whoever guesses learns nothing."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.values import NO_EXPIRY, NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, SOMEBODY, Paper, Wallet, amounts, days, pools, wallets
from tests.workers.ledger.world import AIRLINE, CARD, FOREVER, OVER, TODAY, UNKNOWN
from tests.workers.ledger.world_holds import coupon
from workers.ledger.accounts import Contra, LotKey

YESTERDAY = TODAY - timedelta(days=1)


@given(wallets(), pools, amounts, days, st.integers(-3, 130), st.lists(st.sampled_from("abc"), max_size=5))
def test_coupons_do_what_the_naive_ledger_does(
    wallet: Wallet, pool: str, points: int, today: date, days_left: int, names: list[str]
) -> None:
    paper = Paper(wallet, today)
    paper.register("a", points, pool, TODAY + timedelta(days=days_left))
    paper.register("b", points, FOREVER)
    paper.post_all(
        *(coupon(f"{n}", (ME, SOMEBODY)[n % 2], name, (AIRLINE, CARD)[n == 3]) for n, name in enumerate(names))
    )


def test_a_coupon_is_credited_once_whoever_comes_second() -> None:
    paper = Paper([])
    paper.register("a", 100, FOREVER)
    answers = paper.post_all(coupon("1", ME, "a"), coupon("2", ME, "a"), coupon("3", SOMEBODY, "a"))
    assert [answer.code for answer in answers] == [None, "no_coupon", "no_coupon"]
    paper.pass_days(1)
    assert paper.post(coupon("4", SOMEBODY, "a")).code == "no_coupon"
    assert paper.lots(ME) == {LotKey(FOREVER, NO_EXPIRY, NO_ORIGIN): 100}
    assert paper.contras == {Contra("partner", AIRLINE): -100}


def test_reserve_points_by_coupon_remember_their_partner_and_are_held_21_days() -> None:
    paper = Paper([], date(2026, 1, 10))
    paper.register("a", 5, "reserve")
    paper.post(coupon("1", ME, "a"))
    assert paper.lots(ME) == {LotKey("reserve", date(2026, 1, 30), AIRLINE): 5}


def test_unknown_used_expired_and_anothers_coupons_get_one_answer() -> None:
    paper = Paper([])
    paper.register("used", 5, FOREVER)
    paper.register("expired", 5, FOREVER, last=YESTERDAY)
    paper.post(coupon("0", ME, "used"))
    answers = [
        paper.post(coupon("1", SOMEBODY, "unknown")),
        paper.post(coupon("2", SOMEBODY, "used")),
        paper.post(coupon("3", SOMEBODY, "expired")),
        paper.post(coupon("4", SOMEBODY, "used", CARD)),
    ]
    assert {answer.model_dump_json() for answer in answers} == {answers[0].model_dump_json()}
    assert answers[0].code == "no_coupon"


@pytest.mark.parametrize("last, code", [(TODAY, None), (YESTERDAY, "no_coupon")])
def test_a_coupon_is_good_to_the_end_of_its_last_day(last: date, code: str | None) -> None:
    paper = Paper([])
    paper.register("a", 5, FOREVER, last)
    assert paper.post(coupon("1", ME, "a")).code == code


@pytest.mark.parametrize("pool, code", [(UNKNOWN, "no_scheme"), (OVER, "scheme_closed")])
def test_a_coupon_that_cannot_be_credited_is_not_used_up(pool: str, code: str) -> None:
    paper = Paper([])
    paper.register("a", 5, pool)
    assert [paper.post(coupon(str(n), ME, "a")).code for n in range(2)] == [code, code]
    assert not paper.book.coupons_used
