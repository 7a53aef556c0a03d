"""Use: the earliest last day first, never more than there is, never past the last day, only where it counts."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import start_of_day
from schemas.points import PostingCommand
from schemas.values import NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, Paper, Wallet, amounts, days, pools, wallets
from tests.workers.ledger.world import CITY, ELSEWHERE, FESTIVAL, FOREVER, PREFECTURE, TODAY, TOWN, use
from tests.workers.ledger.world_holds import authorise, issue, send
from workers.ledger.accounts import LotKey


def lot(pool: str, days_left: int) -> LotKey:
    return LotKey(pool, TODAY + timedelta(days=days_left), NO_ORIGIN)


@given(wallets(), pools, amounts, days, st.sampled_from([TOWN, CITY, PREFECTURE, "131032", ELSEWHERE]))
def test_a_use_does_what_the_naive_ledger_does(
    wallet: Wallet, pool: str, points: int, today: date, lg_code: str
) -> None:
    Paper(wallet, today).post(use("1", ME, points, pool, lg_code=lg_code))


def test_the_earliest_last_day_is_spent_first() -> None:
    paper = Paper([(lot(FOREVER, 9), 10), (lot(FOREVER, 1), 10), (lot(FOREVER, 5), 10)])
    paper.post(use("1", ME, 15))
    assert paper.lots(ME) == {lot(FOREVER, 5): 5, lot(FOREVER, 9): 10}


def test_points_past_their_last_day_are_never_spent_swept_or_not() -> None:
    paper = Paper([(lot(FOREVER, -1), 100), (lot(FOREVER, 0), 10)])
    assert paper.post(use("1", ME, 11)).code == "insufficient_points"
    assert paper.post(use("2", ME, 10)).code is None


@pytest.mark.parametrize(
    "pool, lg_code, today, code",
    [
        (FOREVER, TOWN, TODAY, None),
        (FOREVER, ELSEWHERE, TODAY, "not_usable_here"),
        ("reserve", TOWN, TODAY, "not_usable_here"),
        (FESTIVAL, TOWN, TODAY, None),
        (FESTIVAL, CITY, TODAY, "not_usable_here"),
        (FESTIVAL, TOWN, date(2026, 1, 4), "not_usable_here"),
    ],
)
def test_points_count_where_their_municipality_says(pool: str, lg_code: str, today: date, code: str | None) -> None:
    paper = Paper([(lot(pool, 9), 10)], today)
    assert paper.post(use("1", ME, 10, pool, lg_code=lg_code)).code == code


BACK = LotKey(FESTIVAL, date(2026, 3, 21), NO_ORIGIN)
AFTER_IT = date(2026, 2, 20)
LATER = start_of_day(AFTER_IT + timedelta(days=1))


@pytest.mark.parametrize(
    "command, closed",
    [
        (use("1", ME, 10, FESTIVAL), "not_usable_here"),
        (issue("1", ME, 10, pool=FESTIVAL, expires_on=AFTER_IT), "not_usable_here"),
        (send("1", ME, 10, FESTIVAL), "not_usable_here"),
        (authorise("1", ME, 10, FESTIVAL, until=LATER), "event_closed"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_events_points_that_a_refund_gave_back_are_good_after_it(command: PostingCommand, closed: str) -> None:
    """A refund is good for some days at least, an event's points end with it: both hold, for whoever has which."""
    assert Paper([(BACK, 10)], AFTER_IT).post(command).code is None
    assert Paper([(BACK, 9)], AFTER_IT).post(command).code == "insufficient_points"
    assert Paper([(BACK._replace(expires_on=date(2026, 2, 15)), 10)], AFTER_IT).post(command).code == closed
    assert Paper([(BACK, 10)], BACK.expires_on + timedelta(days=1)).post(command).code in {
        closed,
        "bad_period",
        "bad_voucher_day",
    }
