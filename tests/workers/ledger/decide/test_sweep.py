"""Sweep: what is past its holding period, and nothing else."""

from datetime import date, timedelta

from hypothesis import given

from schemas.values import NO_EXPIRY, NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, Paper, Wallet, days, pools, wallets
from tests.workers.ledger.world import AIRLINE, CARD, FOREVER, TODAY, sweep
from workers.ledger.accounts import LotKey

DUE = LotKey("reserve", TODAY - timedelta(days=1), AIRLINE)
ALSO_DUE = LotKey("reserve", TODAY - timedelta(days=1), CARD)
HELD_TODAY = LotKey("reserve", TODAY, AIRLINE)


@given(wallets(), pools, days)
def test_a_sweep_does_what_the_naive_ledger_does(wallet: Wallet, pool: str, today: date) -> None:
    Paper(wallet, today).post(sweep("1", ME, pool))


def test_points_are_held_to_the_end_of_their_last_day() -> None:
    paper = Paper([(DUE, 3), (ALSO_DUE, 4), (HELD_TODAY, 5)])
    assert paper.post(sweep("1", ME)).points == 7
    assert [event.model_dump()["by_itself"] for event in paper.said] == [True]
    assert paper.lots(ME) == {HELD_TODAY: 5, LotKey(FOREVER, NO_EXPIRY, NO_ORIGIN): 7}


def test_a_second_sweep_finds_nothing() -> None:
    paper = Paper([(DUE, 3)])
    paper.post(sweep("1", ME))
    assert paper.post(sweep("2", ME)).code == "nothing_due"
