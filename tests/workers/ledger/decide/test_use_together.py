"""Use together: several pools pay one price, or none does."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.points import UsePoints
from schemas.values import NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, SOMEBODY, Paper, Wallet, amounts, days, pools, wallets
from tests.workers.ledger.world import CITY, FESTIVAL, FOREVER, OTHER_STORE, STORE, TODAY, TOWN, use
from tests.workers.ledger.world_holds import use_together
from workers.ledger.accounts import Contra, LotKey


def lot(pool: str) -> LotKey:
    return LotKey(pool, TODAY, NO_ORIGIN)


parts = st.lists(
    st.builds(
        lambda pool, points, lg_code, me, at_most: use("part", me, points, pool, lg_code=lg_code, at_most=at_most),
        pools,
        amounts,
        st.sampled_from([TOWN, CITY]),
        st.sampled_from([ME, ME, ME, SOMEBODY]),
        st.booleans(),
    ),
    min_size=2,
    max_size=4,
)


@given(wallets(), parts, days)
def test_a_use_together_does_what_the_naive_ledger_does(wallet: Wallet, uses: list[UsePoints], today: date) -> None:
    Paper(wallet, today).post(use_together("1", ME, *uses))


def test_all_pools_pay_and_each_says_so() -> None:
    paper = Paper([(lot(FOREVER), 10), (lot(FESTIVAL), 10)])
    answer = paper.post(use_together("1", ME, use("a", ME, 7), use("b", ME, 8, FESTIVAL, OTHER_STORE)))
    assert (answer.points, answer.balances) == (15, {FOREVER: 3, FESTIVAL: 2})
    assert paper.contras == {Contra("store", STORE): 7, Contra("store", OTHER_STORE): 8}
    assert len(paper.said) == 2


@pytest.mark.parametrize(
    "uses, code",
    [
        ((use("a", ME, 99), use("b", SOMEBODY, 1)), "same_pool"),
        ((use("a", ME, 99), use("b", SOMEBODY, 1, FESTIVAL)), "unknown_citizen"),
        ((use("a", ME, 99), use("b", ME, 1, FESTIVAL, lg_code=CITY)), "insufficient_points"),
        ((use("a", ME, 1, FESTIVAL, lg_code=CITY), use("b", ME, 99)), "not_usable_here"),
        ((use("a", ME, 1), use("b", ME, 11, FESTIVAL)), "insufficient_points"),
    ],
)
def test_one_part_that_cannot_be_paid_stops_all(uses: tuple[UsePoints, ...], code: str) -> None:
    paper = Paper([(lot(FOREVER), 10), (lot(FESTIVAL), 10)])
    assert paper.post(use_together("1", ME, *uses)).code == code
    assert paper.lots(ME) == {lot(FOREVER): 10, lot(FESTIVAL): 10}


def test_parts_may_take_at_most_what_is_there() -> None:
    paper = Paper([(lot(FOREVER), 4), (lot(FESTIVAL), 10)])
    answer = paper.post(use_together("1", ME, use("a", ME, 7, at_most=True), use("b", ME, 3, FESTIVAL)))
    assert answer.points == 7


def test_no_part_is_usable_after_its_last_day() -> None:
    paper = Paper([(lot(FOREVER), 4), (lot(FESTIVAL), 10)])
    paper.pass_days(1)
    assert paper.post(use_together("1", ME, use("a", ME, 1), use("b", ME, 1, FESTIVAL))).code == "insufficient_points"
    assert paper.today == TODAY + timedelta(days=1)
