"""Grant: a programme's points into a scheme or an event, never into reserve."""

from datetime import date

import pytest
from hypothesis import given

from schemas.values import NO_EXPIRY, NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, Paper, Wallet, amounts, days, pools, wallets
from tests.workers.ledger.world import FESTIVAL, FOREVER, NO_EVENT, OVER, TODAY, UNKNOWN
from tests.workers.ledger.world_holds import PROGRAMME, grant
from workers.ledger.accounts import Contra, Kind, LotKey, RollupKey


@given(wallets(), pools, amounts, days)
def test_a_grant_does_what_the_naive_ledger_does(wallet: Wallet, pool: str, points: int, today: date) -> None:
    Paper(wallet, today).post(grant("1", ME, points, pool))


def test_granted_points_come_from_the_programme_and_settle_with_it() -> None:
    paper = Paper([])
    paper.post(grant("1", ME, 7))
    assert paper.lots(ME) == {LotKey(FOREVER, NO_EXPIRY, NO_ORIGIN): 7}
    assert paper.contras == {Contra("programme", PROGRAMME): -7}
    assert paper.book.rollups == {(RollupKey("131016", PROGRAMME, FOREVER), Kind.grant): [1, 7]}


@pytest.mark.parametrize(
    "pool, today, code",
    [
        ("reserve", TODAY, "same_pool"),
        (UNKNOWN, TODAY, "no_scheme"),
        (NO_EVENT, TODAY, "no_event"),
        (OVER, TODAY, "scheme_closed"),
        (FESTIVAL, date(2026, 2, 16), "event_closed"),
    ],
)
def test_a_pool_that_is_not_open_takes_no_grant(pool: str, today: date, code: str) -> None:
    assert Paper([], today).post(grant("1", ME, 5, pool)).code == code
