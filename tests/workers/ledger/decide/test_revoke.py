"""Revoke: everything left expires, of every pool; from then on nothing is posted, in this batch or a later one."""

from datetime import timedelta

import pytest
from hypothesis import given

from schemas.points import PostingCommand
from schemas.values import NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, SOMEBODY, Paper, Wallet, wallets
from tests.workers.ledger.world import AIRLINE, DATED, FOREVER, TODAY, credit, expire, move, refusal, sweep, use
from tests.workers.ledger.world_holds import (
    authorise,
    coupon,
    expire_voucher,
    grant,
    issue,
    redeem,
    revoke,
    send,
    use_together,
)
from workers.ledger.accounts import Contra, Kind, LotKey

RESERVE = LotKey("reserve", TODAY, AIRLINE)
OVERDUE = LotKey("reserve", TODAY - timedelta(days=1), AIRLINE)
POINTS = LotKey(FOREVER, TODAY, NO_ORIGIN)
PAST = LotKey(DATED, TODAY - timedelta(days=1), NO_ORIGIN)


@given(wallets())
def test_a_revocation_does_what_the_naive_ledger_does(wallet: Wallet) -> None:
    paper = Paper(wallet)
    paper.post(revoke("1", ME))
    assert paper.lots(ME) == {}
    assert paper.post(revoke("2", ME)).code == "citizen_revoked"


def test_everything_left_expires_and_each_pool_says_so() -> None:
    paper = Paper([(RESERVE, 1), (OVERDUE, 2), (POINTS, 3), (PAST, 4)])
    answer = paper.post(revoke("1", ME))
    assert (answer.points, answer.balances) == (10, {"reserve": 0, FOREVER: 0, DATED: 0})
    assert paper.contras == {
        Contra("expired", None, "reserve"): 3,
        Contra("expired", None, FOREVER): 3,
        Contra("expired", None, DATED): 4,
    }
    assert {event.model_dump()["pool"]: event.model_dump()["points"] for event in paper.said} == {
        "reserve": 3,
        FOREVER: 3,
        DATED: 4,
    }
    assert {kind for _, kind in paper.book.rollups} == {Kind.revoke}


def test_who_has_nothing_can_be_revoked_too() -> None:
    paper = Paper([])
    answer = paper.post(revoke("1", ME))
    assert (answer.code, answer.points, answer.balances) == (None, 0, {})
    assert not paper.said


def test_what_comes_in_and_ends_in_one_batch() -> None:
    paper = Paper([])
    paper.register("c", 5, DATED)
    answers = paper.post_all(credit("1", ME, 7), coupon("2", ME, "c"), revoke("3", ME), credit("4", ME, 7))
    assert [(answer.code, answer.points) for answer in answers] == [
        (None, 7),
        (None, 5),
        (None, 12),
        ("citizen_revoked", 0),
    ]


MADE = credit("made", ME, 5, FOREVER)


@pytest.mark.parametrize(
    "command",
    [
        credit("1", ME, 5),
        move("1", ME, 5),
        sweep("1", ME),
        use("1", ME, 5),
        expire("1", ME),
        grant("1", ME, 5),
        coupon("1", ME, "unknown"),
        issue("1", ME, 5),
        authorise("1", ME, 5),
        send("1", ME, 5),
        use_together("1", ME, use("a", ME, 1), use("b", ME, 1, DATED)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_nothing_happens_to_an_ended_mykey_id_any_more(command: PostingCommand) -> None:
    paper = Paper([(POINTS, 10)])
    paper.post_all(MADE, revoke("end", ME))
    assert paper.post(command).code == "citizen_revoked"
    paper.pass_days(1)
    again = command.model_copy(update={"command_id": "2"})
    assert paper.post(again).code == "citizen_revoked"
    assert paper.post(credit("s", SOMEBODY, 5)).code is None


def test_a_doors_refusal_is_still_kept() -> None:
    paper = Paper([])
    paper.post(revoke("end", ME))
    assert paper.post(refusal("1", ME, "bad_code")).code == "bad_code"


def test_a_voucher_in_somebodys_hand_is_still_redeemed_or_gone_in_time() -> None:
    paper = Paper([(POINTS, 10)])
    paper.post_all(issue("v", ME, 4), issue("w", ME, 6), revoke("end", ME))
    assert paper.post(redeem("r", ME, "v")).points == 4
    paper.pass_days(1)
    assert paper.post(expire_voucher("e", ME, "w")).points == 6
