"""Correct: the whole posting backwards, once, by two people, and only where the points are still there."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.points import PostingCommand
from schemas.values import NO_EXPIRY, NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, SOMEBODY, Paper, Wallet, amounts, wallets
from tests.workers.ledger.world import AIRLINE, CARD, DATED, FOREVER, STORE, TODAY, credit, expire, move, sweep, use
from tests.workers.ledger.world_holds import BOSS, CLERK, correct, coupon, grant, revoke, use_together
from workers.ledger.accounts import Contra, Kind, LotKey, RollupKey

FOREVER_LOT = LotKey(FOREVER, NO_EXPIRY, NO_ORIGIN)


def lot(days_left: int, pool: str = FOREVER) -> LotKey:
    return LotKey(pool, TODAY + timedelta(days=days_left), NO_ORIGIN)


@given(
    wallets(),
    st.sampled_from(["credit", "to_pool", "move", "sweep", "use", "grant", "together", "expire"]),
    amounts,
    st.integers(0, 40),
    st.integers(0, 3),
)
def test_a_correction_does_what_the_naive_ledger_does(
    wallet: Wallet, what: str, points: int, days_later: int, spent: int
) -> None:
    paper = Paper(wallet)
    made: dict[str, PostingCommand] = {
        "credit": credit("o", ME, points),
        "to_pool": credit("o", ME, points, DATED),
        "move": move("o", ME, points, DATED),
        "sweep": sweep("o", ME),
        "use": use("o", ME, points),
        "grant": grant("o", ME, points),
        "together": use_together("o", ME, use("1", ME, points), use("2", ME, 1, DATED, lg_code="131032")),
        "expire": expire("o", ME),
    }
    paper.post(made[what])
    for n in range(spent):
        paper.post(use(f"u{n}", ME, 7, DATED, lg_code="131032"))
        paper.post(move(f"m{n}", ME, 5))
    paper.pass_days(days_later)
    paper.post_all(correct("c1", made[what]), correct("c2", made[what]), correct("c3", made[what], SOMEBODY))
    paper.post(expire("e", ME))


def test_a_use_is_taken_back_from_the_store_to_the_lots_it_came_from() -> None:
    paper = Paper([(lot(1), 5), (lot(9), 10)])
    wrong = use("u", ME, 12)
    paper.post(wrong)
    answer = paper.post(correct("c", wrong))
    assert (answer.points, answer.balances) == (12, {FOREVER: 15})
    assert paper.lots(ME) == {lot(1): 5, lot(9): 10}
    assert paper.contras == {Contra("store", STORE): 0}
    assert paper.book.rollups[RollupKey("131016", STORE, FOREVER), -Kind.use] == [2, 12]


def test_a_move_is_taken_back_to_each_partners_points() -> None:
    held = [(LotKey("reserve", TODAY, AIRLINE), 5), (LotKey("reserve", TODAY, CARD), 5)]
    paper = Paper(held)
    wrong = move("m", ME, 8)
    paper.post_all(wrong, correct("c", wrong))
    assert paper.lots(ME) == dict(held)
    assert {key.counterparty_id for key, kind in paper.book.rollups if kind == -Kind.move} == {AIRLINE, CARD}


def test_points_that_were_spent_since_are_not_taken_back() -> None:
    paper = Paper([])
    wrong = credit("c", ME, 100, FOREVER)
    paper.post_all(wrong, use("u", ME, 1))
    assert paper.post(correct("x", wrong)).code == "insufficient_points"
    paper.post(credit("d", ME, 1, FOREVER))
    assert paper.post(correct("y", wrong)).code is None
    assert paper.lots(ME) == {}


def test_a_posting_is_corrected_once_in_one_batch_or_in_two() -> None:
    paper = Paper([(FOREVER_LOT, 1_000)])
    wrong = grant("g", ME, 100)
    answers = paper.post_all(wrong, correct("1", wrong), correct("2", wrong))
    assert [answer.code for answer in answers] == [None, None, "corrected_before"]
    paper.pass_days(1)
    assert paper.post(correct("3", wrong)).code == "corrected_before"
    assert paper.lots(ME) == {FOREVER_LOT: 1_000}


def test_a_correction_is_not_itself_corrected() -> None:
    paper = Paper([])
    wrong = grant("g", ME, 100)
    first = correct("1", wrong)
    paper.post_all(wrong, first)
    assert paper.post(correct("2", first)).code == "not_correctable"


@pytest.mark.parametrize(
    "command, code",
    [
        (correct("1", use("unknown", ME, 1), approved=CLERK), "one_person"),
        (correct("1", use("unknown", ME, 1)), "no_posting"),
        (correct("1", use("refused", ME, 1)), "no_posting"),
        (correct("1", use("done", ME, 1), SOMEBODY), "no_posting"),
        (correct("1", use("done", ME, 1), asked=BOSS, approved=CLERK), "corrected_before"),
        (correct("1", coupon("coupon", ME, "c")), "not_correctable"),
        (correct("1", credit("spent", ME, 10, FOREVER)), "insufficient_points"),
    ],
)
def test_a_correction_is_refused_in_the_documented_order(command: PostingCommand, code: str) -> None:
    paper = Paper([])
    paper.register("c", 5, DATED)
    done = use("done", ME, 1)
    paper.post_all(
        credit("spent", ME, 10, FOREVER), coupon("coupon", ME, "c"), use("refused", ME, 999), done,
        correct("0", done), use("rest", ME, 10),
    )  # fmt: skip
    assert paper.post(command).code == code


def test_points_may_come_back_to_a_lot_whose_last_day_is_over() -> None:
    paper = Paper([(lot(0), 10)])
    wrong = use("u", ME, 10)
    paper.post(wrong)
    paper.pass_days(5)
    assert paper.post(correct("c", wrong)).balances == {FOREVER: 0}
    assert paper.lots(ME) == {lot(0): 10}
    assert paper.post(expire("e", ME)).points == 10


def test_nobody_whose_mykey_id_has_ended_gets_points_back() -> None:
    paper = Paper([(FOREVER_LOT, 10)])
    came, wrong = credit("1", ME, 5, FOREVER), use("u", ME, 12)
    paper.post_all(came, wrong, revoke("end", ME))
    assert paper.post(correct("c", wrong)).balances == {FOREVER: 0}
    assert paper.lots(ME) == {}
    assert (paper.contras[Contra("store", STORE)], paper.contras[Contra("expired", None, FOREVER)]) == (0, 15)
    assert paper.post(correct("d", wrong)).code == "corrected_before"
    assert paper.post(correct("e", came)).code == "insufficient_points"


def test_the_day_of_the_correction_is_its_own() -> None:
    paper = Paper([], date(2026, 1, 10))
    wrong = grant("g", ME, 100)
    paper.post(wrong)
    paper.pass_days(3)
    assert paper.post(correct("c", wrong)).posted_on == date(2026, 1, 13)
