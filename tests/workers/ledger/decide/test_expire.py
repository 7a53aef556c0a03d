"""Expire: everything past its last day, by pool; reserve points never."""

from datetime import date, timedelta

from hypothesis import given

from schemas.values import NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, Paper, Wallet, days, wallets
from tests.workers.ledger.world import AIRLINE, FOREVER, MONTHLY, TODAY, expire
from workers.ledger.accounts import LotKey

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
