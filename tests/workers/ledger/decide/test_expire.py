"""Expire: everything past its last day, by pool; reserve points never."""

from datetime import date, timedelta

import pytest
from hypothesis import given

from schemas.points import ExpirePoints, SweepReserve
from schemas.values import NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, Paper, Wallet, days, wallets
from tests.workers.ledger.world import AIRLINE, FOREVER, MONTHLY, TODAY, expire, sweep
from workers.ledger.accounts import LotKey
from workers.ledger.book import DayNotBegunError

YESTERDAY = TODAY - timedelta(days=1)


@given(wallets(), days)
def test_an_expiry_does_what_the_naive_ledger_does(wallet: Wallet, today: date) -> None:
    Paper(wallet, today).post(expire("1", ME))


def test_everything_past_its_last_day_goes_and_says_so_by_pool() -> None:
    held = LotKey("reserve", YESTERDAY, AIRLINE)
    good = LotKey(MONTHLY, TODAY, NO_ORIGIN)
    paper = Paper(
        [
            (LotKey(FOREVER, YESTERDAY, NO_ORIGIN), 3),
            (LotKey(MONTHLY, YESTERDAY, NO_ORIGIN), 4),
            (LotKey(MONTHLY, YESTERDAY - timedelta(days=1), NO_ORIGIN), 5),
            (held, 6),
            (good, 7),
        ]
    )
    paper.post(expire("1", ME))
    said = {event.model_dump()["pool"]: event.model_dump()["points"] for event in paper.said}
    assert said == {FOREVER: 3, MONTHLY: 9}
    assert paper.lots(ME) == {held: 6, good: 7}


def test_a_second_expiry_finds_nothing() -> None:
    paper = Paper([(LotKey(FOREVER, YESTERDAY, NO_ORIGIN), 3)])
    paper.post(expire("1", ME))
    assert paper.post(expire("2", ME)).code == "nothing_due"


@pytest.mark.parametrize("command", [expire("1", ME), sweep("1", ME)], ids=lambda command: type(command).__name__)
def test_the_work_of_a_day_is_done_when_the_books_have_come_to_it(command: ExpirePoints | SweepReserve) -> None:
    """A refusal would be for ever, and be of the day before."""
    paper = Paper([(LotKey(FOREVER, YESTERDAY, NO_ORIGIN), 3), (LotKey("reserve", YESTERDAY, AIRLINE), 4)])
    with pytest.raises(DayNotBegunError):
        paper.post(command.model_copy(update={"day": TODAY + timedelta(days=1)}))
    assert paper.post(command.model_copy(update={"day": TODAY})).code is None
