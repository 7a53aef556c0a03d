"""Merges: on their way to a street, until it has taken them in or sent them back."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.points import PostingCommand
from schemas.values import NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, SOMEBODY, Paper, Wallet, amounts, days, pools, wallets
from tests.workers.ledger.world import CITY, ELSEWHERE, FOREVER, PREFECTURE, TODAY, TOWN
from tests.workers.ledger.world_holds import STREET, acknowledge, authorise, capture, revoke, send, send_back
from workers.ledger.accounts import Contra, Kind, LotKey, RollupKey


def lot(days_left: int, pool: str = FOREVER) -> LotKey:
    return LotKey(pool, TODAY + timedelta(days=days_left), NO_ORIGIN)


@given(wallets(), pools, amounts, days, st.sampled_from([TOWN, CITY, PREFECTURE, "131032", ELSEWHERE]), st.booleans())
def test_a_merge_does_what_the_naive_ledger_does(
    wallet: Wallet,
    pool: str,
    points: int,
    today: date,
    lg_code: str,
    at_most: bool,  # noqa: FBT001 - drawn
) -> None:
    paper = Paper(wallet, today)
    paper.post_all(
        send("a", ME, points, pool, lg_code, at_most=at_most),
        send("b", ME, points, pool, lg_code, at_most=at_most),
        send("c", ME, 1, pool, lg_code, hold="a"),
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(["ack", "back", "wait", "send"]), st.sampled_from("ab"), st.booleans()), max_size=8
    )
)
def test_whatever_becomes_of_a_merge_the_naive_ledger_says_so(steps: list[tuple[str, str, bool]]) -> None:
    paper = Paper([(lot(0), 5), (lot(50), 20)])
    paper.post(send("a", ME, 12))
    for n, (what, hold, mine) in enumerate(steps):
        me = ME if mine else SOMEBODY
        if what == "wait":
            paper.pass_days(9)
        else:
            make: dict[str, PostingCommand] = {
                "ack": acknowledge(f"{n}", me, hold),
                "back": send_back(f"{n}", me, hold),
                "send": send(f"{n}", me, 3, hold=hold),
            }
            paper.post(make[what])


def test_an_acknowledged_merge_settles_with_the_street() -> None:
    paper = Paper([(lot(9), 30)])
    paper.post_all(send("m", ME, 20), acknowledge("a", ME, "m"))
    assert paper.contras == {Contra("street", STREET): 20, Contra("merge", None, FOREVER): 0}
    assert (RollupKey("131016", STREET, FOREVER), Kind.merge_acknowledge) in paper.book.rollups
    assert [paper.post(each).code for each in (acknowledge("b", ME, "m"), send_back("r", ME, "m"))] == [
        "hold_resolved"
    ] * 2


def test_what_the_street_sends_back_can_be_used_for_30_days_at_least() -> None:
    paper = Paper([(lot(3), 10), (lot(60), 10)])
    paper.post(send("m", ME, 15))
    paper.pass_days(10)
    answer = paper.post(send_back("r", ME, "m"))
    assert (answer.balances, answer.hold and answer.hold.state) == ({FOREVER: 20}, "returned")
    assert paper.lots(ME) == {lot(39): 10, lot(60): 10}


def test_a_merge_never_comes_back_by_itself() -> None:
    paper = Paper([(lot(999), 10)])
    paper.post(send("m", ME, 10))
    paper.pass_days(365)
    assert paper.post(acknowledge("a", ME, "m")).points == 10


def test_at_most_takes_what_is_there() -> None:
    paper = Paper([(lot(3), 4), (lot(60), 3)])
    answer = paper.post(send("m", ME, 10, at_most=True))
    assert (answer.points, answer.hold and answer.hold.points, answer.balances) == (7, 7, {FOREVER: 0})
    assert paper.post(send("n", ME, 10, at_most=True)).code == "insufficient_points"


def test_a_street_may_still_answer_for_an_ended_mykey_id() -> None:
    paper = Paper([(lot(60), 30)])
    paper.post_all(send("m", ME, 10), send("n", ME, 10), revoke("end", ME))
    assert paper.post(acknowledge("a", ME, "m")).points == 10
    back = paper.post(send_back("r", ME, "n"))
    assert (back.points, back.hold and back.hold.state) == (10, "expired")
    assert paper.contras[Contra("expired", None, FOREVER)] == 20
    assert paper.lots(ME) == {}


@pytest.mark.parametrize(
    "command, code",
    [
        (send("1", ME, 99, lg_code=CITY, hold="m"), "not_usable_here"),
        (send("1", ME, 99, hold="m"), "hold_exists"),
        (send("1", ME, 99), "insufficient_points"),
        (acknowledge("1", ME, "unknown"), "no_hold"),
        (acknowledge("1", SOMEBODY, "m"), "no_hold"),
        (acknowledge("1", ME, "order"), "no_hold"),
        (send_back("1", ME, "order"), "no_hold"),
        (capture("1", ME, "m"), "no_hold"),
    ],
)
def test_what_is_not_possible_is_refused_in_the_documented_order(command: PostingCommand, code: str) -> None:
    paper = Paper([(lot(9), 30)])
    paper.post_all(send("m", ME, 10), authorise("order", ME, 10))
    assert paper.post(command).code == code
