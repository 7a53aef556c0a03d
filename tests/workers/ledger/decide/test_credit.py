"""Credit: where points go, and their last day."""

from datetime import date

import pytest
from hypothesis import given

from schemas.values import NO_EXPIRY, NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, Paper, Wallet, amounts, days, pools, wallets
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    DATED,
    FESTIVAL,
    FOREVER,
    LATER,
    MONTHLY,
    NO_EVENT,
    OVER,
    TODAY,
    UNKNOWN,
    credit,
)
from workers.ledger.accounts import LotKey


@given(wallets(), pools, amounts, days)
def test_a_credit_does_what_the_naive_ledger_does(wallet: Wallet, pool: str, points: int, today: date) -> None:
    Paper(wallet, today).post(credit("1", ME, points, pool))


@given(wallets())
def test_many_credits_of_a_day_make_one_lot_a_partner(wallet: Wallet) -> None:
    paper = Paper(wallet)
    lots = len(paper.book.lots[ME])
    for number in range(20):
        paper.post(credit(f"a{number}", ME, 100))
        paper.post(credit(f"c{number}", ME, 100, party_id=CARD))
    assert len(paper.book.lots[ME]) == lots + 2


@pytest.mark.parametrize(
    "today, pool, expires_on",
    [
        (TODAY, FOREVER, NO_EXPIRY),
        (date(2026, 1, 31), MONTHLY, date(2026, 2, 28)),
        (date(2028, 1, 31), MONTHLY, date(2028, 2, 29)),
        (date(2026, 12, 1), MONTHLY, date(2027, 1, 31)),
        (date(2026, 2, 20), DATED, date(2026, 2, 20)),
        (date(2026, 2, 15), FESTIVAL, date(2026, 2, 15)),
        (date(2026, 2, 1), LATER, date(2026, 3, 31)),
    ],
)
def test_the_last_day_follows_the_pools_rule(today: date, pool: str, expires_on: date) -> None:
    paper = Paper([], today)
    paper.post(credit("1", ME, 5, pool))
    assert paper.lots(ME) == {LotKey(pool, expires_on, NO_ORIGIN): 5}


def test_reserve_points_are_held_21_days_and_remember_their_partner() -> None:
    paper = Paper([], date(2026, 1, 10))
    paper.post(credit("1", ME, 5))
    assert paper.lots(ME) == {LotKey("reserve", date(2026, 1, 30), AIRLINE): 5}


@pytest.mark.parametrize(
    "today, pool, code",
    [
        (TODAY, UNKNOWN, "no_scheme"),
        (TODAY, NO_EVENT, "no_event"),
        (TODAY, OVER, "scheme_closed"),
        (date(2026, 2, 21), DATED, "scheme_closed"),
        (date(2026, 1, 4), FESTIVAL, "event_closed"),
        (date(2026, 2, 16), FESTIVAL, "event_closed"),
    ],
)
def test_a_pool_that_is_not_open_takes_no_points(today: date, pool: str, code: str) -> None:
    assert Paper([], today).post(credit("1", ME, 5, pool)).code == code
