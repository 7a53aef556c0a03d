"""Move: from reserve, earliest held first, settled to the partner the points came from."""

from datetime import date, timedelta

import pytest
from hypothesis import given

from schemas.values import NO_EXPIRY, NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, Paper, Wallet, amounts, days, pools, wallets
from tests.workers.ledger.world import AIRLINE, CARD, FESTIVAL, FOREVER, OVER, TODAY, UNKNOWN, move
from workers.ledger.accounts import Kind, LotKey, RollupKey

EARLY = LotKey("reserve", TODAY + timedelta(days=1), CARD)
LATE = LotKey("reserve", TODAY + timedelta(days=2), AIRLINE)
OVERDUE = LotKey("reserve", TODAY - timedelta(days=1), AIRLINE)


@given(wallets(), pools, amounts, days)
def test_a_move_does_what_the_naive_ledger_does(wallet: Wallet, pool: str, points: int, today: date) -> None:
    Paper(wallet, today).post(move("1", ME, points, pool))


def test_the_earliest_held_go_first_and_each_part_settles_to_its_partner() -> None:
    paper = Paper([(LATE, 10), (EARLY, 10)])
    paper.post(move("1", ME, 15))
    assert paper.lots(ME) == {LATE: 5, LotKey(FOREVER, NO_EXPIRY, NO_ORIGIN): 15}
    assert paper.book.rollups == {
        (RollupKey("131016", CARD, FOREVER), Kind.move): [1, 10],
        (RollupKey("131016", AIRLINE, FOREVER), Kind.move): [1, 5],
    }


def test_reserve_points_that_wait_for_the_sweep_are_still_the_citizens() -> None:
    paper = Paper([(OVERDUE, 10)])
    assert paper.post(move("1", ME, 10)).code is None
    assert [event.model_dump()["by_itself"] for event in paper.said] == [False]


@pytest.mark.parametrize(
    "pool, points, code",
    [
        ("reserve", 1, "same_pool"),
        (UNKNOWN, 1, "no_scheme"),
        (OVER, 1, "scheme_closed"),
        (FOREVER, 11, "insufficient_points"),
        (FESTIVAL, 10, None),
    ],
)
def test_what_cannot_be_moved_stays(pool: str, points: int, code: str | None) -> None:
    assert Paper([(EARLY, 10)]).post(move("1", ME, points, pool)).code == code
