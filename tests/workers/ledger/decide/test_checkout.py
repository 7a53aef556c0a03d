"""Checkouts: set aside, captured in part or whole or voided, free by themselves, refunded to where they came from."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.points import PostingCommand
from schemas.values import NO_EXPIRY, NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, SOMEBODY, Paper, Wallet, amounts, days, pools, wallets
from tests.workers.ledger.world import FESTIVAL, FOREVER, NO_EVENT, START, TODAY, UNKNOWN, credit, expire, use
from tests.workers.ledger.world_holds import (
    SHOP,
    authorise,
    capture,
    correct,
    expire_order,
    issue,
    refund,
    revoke,
    void,
)
from workers.ledger.accounts import Contra, Kind, LotKey, RollupKey

DAY = timedelta(days=1)


def lot(days_left: int, pool: str = FOREVER) -> LotKey:
    return LotKey(pool, TODAY + timedelta(days=days_left), NO_ORIGIN)


def three_lots() -> Paper:
    """10 points to each of three last days."""
    return Paper([(lot(9), 10), (lot(1), 10), (lot(5), 10)])


@given(wallets(), pools, amounts, days, st.integers(-1, 40))
def test_an_authorisation_does_what_the_naive_ledger_does(
    wallet: Wallet, pool: str, points: int, today: date, valid: int
) -> None:
    paper = Paper(wallet, today)
    until = paper.now + timedelta(hours=valid)
    paper.post_all(
        authorise("a", ME, points, pool, until=until),
        authorise("b", SOMEBODY, points, pool, until=until),
        authorise("c", ME, 1, pool, until=until, hold="a"),
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["capture", "capture", "void", "expire", "refund", "refund", "wait", "use", "again"]),
            st.sampled_from([ME, ME, ME, SOMEBODY]),
            st.integers(0, 25),
            st.integers(1, 5),
        ),
        max_size=8,
    )
)
def test_whatever_becomes_of_an_order_the_naive_ledger_says_so(
    steps: list[tuple[str, object, int, int]],
) -> None:
    paper = Paper([(lot(0), 5), (lot(2), 8), (lot(40), 20)])
    paper.post(authorise("o", ME, 20, until=paper.now + 3 * DAY))
    for n, (what, who, points, number) in enumerate(steps):
        me = SOMEBODY if who == SOMEBODY else ME
        step: dict[str, PostingCommand] = {
            "capture": capture(f"{n}", me, "o", points or None),
            "void": void(f"{n}", me, "o"),
            "expire": expire_order(f"{n}", me, "o"),
            "refund": refund(f"{n}", me, "o", number),
            "use": use(f"{n}", me, number),
            "again": authorise(f"{n}", me, 1 + points, until=paper.now + DAY, hold="op"[n % 2]),
        }
        if what == "wait":
            paper.pass_days(number)
        else:
            paper.post(step[what])


def test_what_was_spent_earliest_stays_spent_and_the_rest_goes_back_to_its_lots() -> None:
    paper = three_lots()
    paper.post(authorise("o", ME, 25))
    assert paper.lots(ME) == {lot(9): 5}
    captured = paper.post(capture("c", ME, "o", 12))
    assert (captured.points, captured.balances) == (12, {FOREVER: 18})
    assert paper.lots(ME) == {lot(5): 8, lot(9): 10}
    assert paper.contras == {Contra("shop", SHOP): 12, Contra("checkout", None, FOREVER): 0}


def test_an_order_is_captured_once() -> None:
    paper = three_lots()
    paper.post_all(authorise("o", ME, 25), capture("c1", ME, "o", 12))
    assert [paper.post(command).code for command in (capture("c2", ME, "o"), void("v", ME, "o"))] == [
        "hold_resolved",
        "hold_resolved",
    ]


def test_only_the_merchant_settles_not_what_went_back() -> None:
    paper = three_lots()
    paper.post_all(authorise("o", ME, 25), capture("c", ME, "o", 12))
    shop = {key: line for key, line in paper.book.rollups.items() if key[0].counterparty_id == SHOP}
    assert shop == {(RollupKey("131016", SHOP, FOREVER), Kind.capture): [1, 12]}


def test_a_refund_gives_the_last_spent_back_first_and_never_more_than_was_captured() -> None:
    paper = three_lots()
    paper.post_all(authorise("o", ME, 30), capture("c", ME, "o", 25))
    day_30 = lot(29)
    assert paper.lots(ME) == {lot(9): 5}
    paper.post(refund("r1", ME, "o", 8))
    assert paper.lots(ME) == {lot(9): 5, day_30: 8}
    assert [paper.post(refund(f"r{n}", ME, "o", points)).code for n, points in enumerate((18, 17, 1), 2)] == [
        "refund_limit",
        None,
        "refund_limit",
    ]
    assert paper.lots(ME) == {lot(9): 5, day_30: 25}
    assert paper.contras[Contra("shop", SHOP)] == 0


def test_a_refund_goes_to_the_lots_it_came_from_where_those_last_30_days() -> None:
    forever, long = LotKey(FOREVER, NO_EXPIRY, NO_ORIGIN), lot(90)
    paper = Paper([(lot(3), 10), (long, 10), (forever, 10)])
    paper.post_all(authorise("o", ME, 30), capture("c", ME, "o"))
    paper.pass_days(2)
    paper.post_all(refund("r1", ME, "o", 12), refund("r2", ME, "o", 13))
    assert paper.lots(ME) == {forever: 10, long: 10, lot(31): 5}


def test_an_order_that_nobody_captured_is_free_the_moment_its_time_is_over() -> None:
    paper = Paper([(lot(9), 10)], TODAY)
    paper.post(authorise("o", ME, 10, until=START))
    paper.move_to(START - timedelta(microseconds=1))
    assert paper.post(use("u1", ME, 1)).code == "insufficient_points"
    paper.move_to(START)
    assert paper.post(use("u2", ME, 10)).code is None
    assert paper.said[0].model_dump()["expired"] is True
    assert paper.post(capture("c", ME, "o")).code == "hold_expired"


def test_a_capture_after_its_time_is_refused_given_back_or_not() -> None:
    paper = Paper([(lot(9), 10)], TODAY)
    paper.post(authorise("o", ME, 10, until=START))
    paper.move_to(START)
    first = paper.post(capture("c1", ME, "o"))
    assert (first.code, first.hold and first.hold.state) == ("hold_expired", "returned")
    assert paper.post(capture("c2", ME, "o")).code == "hold_expired"
    assert paper.lots(ME) == {lot(9): 10}


def test_the_clockworks_expiry_of_an_order_is_posted_itself() -> None:
    paper = Paper([(lot(9), 10)], TODAY)
    paper.post(authorise("o", ME, 10, until=START))
    assert paper.post(expire_order("e1", ME, "o")).code == "nothing_due"
    paper.move_to(START)
    assert paper.post(expire_order("e2", ME, "o")).points == 10
    assert [event.model_dump()["expired"] for event in paper.said] == [True]
    assert paper.post(expire_order("e3", ME, "o")).code == "hold_resolved"


def test_points_that_come_back_after_their_last_day_are_past_it() -> None:
    paper = Paper([(lot(0), 10)])
    paper.post(authorise("o", ME, 10, until=paper.now + 9 * DAY))
    paper.pass_days(1)
    assert paper.post(void("v", ME, "o")).balances == {FOREVER: 0}
    assert [event.model_dump()["expired"] for event in paper.said] == [False]
    assert paper.lots(ME) == {lot(0): 10}
    assert paper.post(expire("e", ME)).points == 10


def test_an_expiry_may_take_what_has_just_come_back_by_itself() -> None:
    """Its accounts are loaded before that: `footprints.of_everything_held`."""
    paper = Paper([(lot(0), 10)])
    paper.post(authorise("o", ME, 10, until=paper.now + 3 * DAY))
    paper.pass_days(3)
    assert paper.post(expire("e", ME)).points == 10
    assert paper.lots(ME) == {}


def test_what_would_come_back_to_an_ended_mykey_id_expires() -> None:
    paper = three_lots()
    paper.post_all(*(authorise(name, ME, 10, until=paper.now + DAY) for name in "abc"), revoke("end", ME))
    expired = Contra("expired", None, FOREVER)
    captured = paper.post(capture("paid", ME, "a", 4))
    assert (captured.points, captured.hold and captured.hold.state) == (4, "taken")
    assert paper.contras[expired] == 6
    voided = paper.post(void("void", ME, "b"))
    assert (voided.points, voided.hold and voided.hold.state, voided.balances) == (10, "expired", {FOREVER: 0})
    paper.pass_days(1)
    assert paper.post(credit("x", ME, 5)).code == "citizen_revoked"
    assert paper.post(credit("y", ME, 5)).code == "citizen_revoked"
    assert paper.contras == {
        Contra("shop", SHOP): 4,
        expired: 26,
        Contra("checkout", None, FOREVER): 0,
    }
    refunded = paper.post(refund("r", ME, "a", 3))
    assert (refunded.code, refunded.hold and refunded.hold.refunded, refunded.balances) == (None, 3, {FOREVER: 0})
    assert (paper.contras[Contra("shop", SHOP)], paper.contras[expired]) == (1, 29)
    assert paper.post(refund("s", ME, "a", 2)).code == "refund_limit"


def test_an_order_captured_whole_leaves_nothing_to_expire() -> None:
    paper = three_lots()
    paper.post_all(authorise("o", ME, 10), revoke("end", ME))
    assert paper.post(capture("c", ME, "o")).points == 10
    assert paper.contras[Contra("expired", None, FOREVER)] == 20


def test_what_comes_back_and_what_expires_is_one_line_of_the_settlement() -> None:
    """Of one day, kind and pool, whoever it comes from: a statement can not touch a row twice."""
    paper = Paper([(lot(9), 30)])
    for me, name in ((ME, "a"), (SOMEBODY, "b")):
        paper.post_all(authorise(f"{name}1", me, 10), authorise(f"{name}2", me, 10))
    paper.post(revoke("end", ME))
    paper.pass_days(0)
    paper.post_all(capture("1", ME, "a1", 4), capture("2", SOMEBODY, "b1", 4), void("3", ME, "a2"))
    paper.post(void("4", SOMEBODY, "b2"))
    assert paper.book.rollups[RollupKey("131016", NO_ORIGIN, FOREVER), Kind.capture] == [2, 12]


@pytest.mark.parametrize(
    "today, code",
    [
        (date(2026, 1, 4), "event_closed"),
        (date(2026, 1, 5), None),
        (date(2026, 2, 15), None),
        (date(2026, 2, 16), "event_closed"),
    ],
)
def test_an_event_takes_orders_from_its_first_day_to_its_last(today: date, code: str | None) -> None:
    paper = Paper([(LotKey(FESTIVAL, date(2026, 2, 15), NO_ORIGIN), 10)], today)
    assert paper.post(authorise("o", ME, 10, FESTIVAL, until=paper.now + DAY)).code == code


@pytest.mark.parametrize(
    "changed, code",
    [
        ({"pool": "reserve", "until": START}, "not_usable_here"),
        ({"pool": UNKNOWN, "until": START}, "no_scheme"),
        ({"pool": NO_EVENT}, "no_event"),
        ({"pool": FESTIVAL, "until": START}, "event_closed"),
        ({"hold": "o", "until": START + 40 * DAY}, "bad_period"),
        ({"hold": "o", "points": 99}, "hold_exists"),
        ({"points": 99}, "insufficient_points"),
        ({}, None),
    ],
)
def test_an_authorisation_is_refused_in_the_documented_order(changed: dict[str, object], code: str | None) -> None:
    paper = Paper([(lot(99), 30)])
    paper.post(authorise("o", ME, 10, until=START + 99 * DAY))
    paper.move_to(START + 40 * DAY)
    asked = {"points": 1, "until": START + 50 * DAY} | changed
    assert paper.post(authorise("p", ME, **asked)).code == code  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "command, code",
    [
        (capture("1", ME, "unknown", 99), "no_hold"),
        (capture("1", SOMEBODY, "open", 99), "no_hold"),
        (capture("1", ME, "voucher", 99), "no_hold"),
        (capture("1", ME, "late", 99), "hold_expired"),
        (capture("1", ME, "taken", 99), "hold_resolved"),
        (capture("1", ME, "void", 99), "hold_resolved"),
        (capture("1", ME, "open", 11), "insufficient_points"),
        (void("1", SOMEBODY, "open"), "no_hold"),
        (void("1", ME, "taken"), "hold_resolved"),
        (void("1", ME, "late"), "hold_resolved"),
        (expire_order("1", ME, "voucher"), "no_hold"),
        (expire_order("1", ME, "taken"), "hold_resolved"),
        (expire_order("1", ME, "open"), "nothing_due"),
        (refund("1", SOMEBODY, "taken", 99), "no_hold"),
        (refund("1", ME, "voucher", 99), "no_hold"),
        (refund("1", ME, "open", 99), "not_captured"),
        (refund("1", ME, "void", 99), "not_captured"),
        (refund("1", ME, "taken", 11), "refund_limit"),
    ],
)
def test_what_is_not_possible_is_refused_in_the_documented_order(command: PostingCommand, code: str) -> None:
    paper = Paper([(lot(99), 99)])
    until = paper.now + 9 * DAY
    paper.post_all(
        authorise("late", ME, 10, until=paper.now + DAY),
        *(authorise(name, ME, 10, until=until) for name in ("open", "taken", "void")),
        capture("c", ME, "taken"), void("v", ME, "void"), issue("voucher", ME, 10),
    )  # fmt: skip
    paper.pass_days(1)
    answer = paper.post(command)
    assert answer.code == code
    assert (answer.hold is None) == (code == "no_hold")


def test_six_holds_of_a_thousand_on_five_thousand_are_five() -> None:
    paper = Paper([(lot(9), 5_000)])
    answers = paper.post_all(*(authorise(f"o{n}", ME, 1_000) for n in range(6)))
    assert [answer.code for answer in answers] == [None] * 5 + ["insufficient_points"]


def test_a_capture_can_not_be_corrected() -> None:
    paper = three_lots()
    order, paid = authorise("o", ME, 10), capture("c", ME, "o")
    paper.post_all(order, paid)
    assert [paper.post(correct(f"x{n}", each)).code for n, each in enumerate((order, paid))] == ["not_correctable"] * 2
