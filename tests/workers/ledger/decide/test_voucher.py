"""Vouchers: set aside, redeemed whole and once with the right code, gone when nobody redeems them."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import JAPAN
from schemas.values import NO_ORIGIN
from tests.workers.ledger.decide.paper import ME, SOMEBODY, Paper, Wallet, amounts, days, pools, wallets
from tests.workers.ledger.world import CITY, ELSEWHERE, FESTIVAL, FOREVER, MONTHLY, OTHER_STORE, PREFECTURE, TODAY, TOWN
from tests.workers.ledger.world_holds import WRONG_CODE, authorise, expire_voucher, hold_of, issue, redeem
from workers.ledger.accounts import Contra, LotKey

LAST_DAY = TODAY + timedelta(days=29)
numbers = st.lists(st.sampled_from(["00000001", "00000002", "00000003"]), min_size=1, max_size=3)
holds = st.sampled_from("ab")


def lot(days_left: int, pool: str = FOREVER) -> LotKey:
    return LotKey(pool, TODAY + timedelta(days=days_left), NO_ORIGIN)


@given(
    wallets(), pools, amounts, days, st.integers(-2, 32), numbers,
    st.sampled_from([TOWN, CITY, PREFECTURE, "131032", ELSEWHERE]),
)  # fmt: skip
def test_an_issue_does_what_the_naive_ledger_does(
    wallet: Wallet, pool: str, points: int, today: date, valid: int, drawn: list[str], lg_code: str
) -> None:
    paper = Paper(wallet, today)
    last = today + timedelta(days=valid)
    paper.post_all(
        issue("a", ME, points, pool, lg_code, expires_on=last, numbers=drawn),
        issue("b", SOMEBODY, points, pool, lg_code, expires_on=last, numbers=drawn),
        issue("c", ME, 1, pool, lg_code, expires_on=last, numbers=drawn, hold="a"),
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["redeem", "expire", "wait", "issue"]),
            holds,
            st.sampled_from([ME, ME, SOMEBODY]),
            st.sampled_from(["ABCDEFGH", "ABCDEFGH", WRONG_CODE]),
            st.sampled_from([TOWN, TOWN, CITY]),
        ),
        max_size=8,
    )
)
def test_whatever_becomes_of_a_voucher_the_naive_ledger_says_so(steps: list[tuple[str, str, object, str, str]]) -> None:
    paper = Paper([(lot(0), 5), (lot(3), 50)])
    paper.post(issue("a", ME, 20, expires_on=TODAY + timedelta(days=2), numbers=["00000001"]))
    for n, (what, hold, who, code, lg_code) in enumerate(steps):
        me = SOMEBODY if who == SOMEBODY else ME
        if what == "redeem":
            paper.post(redeem(f"{n}", me, hold, code=code, lg_code=lg_code))
        elif what == "expire":
            paper.post(expire_voucher(f"{n}", me, hold))
        elif what == "issue":
            paper.pass_days(0)
            paper.post(issue(f"{n}", me, 7, numbers=["00000001", "00000002"], hold=hold, expires_on=paper.today))
        else:
            paper.pass_days(1)


def test_a_voucher_is_redeemed_whole_and_once() -> None:
    paper = Paper([(lot(1), 30)])
    issued = paper.post(issue("v", ME, 20))
    assert (issued.points, issued.balances) == (20, {FOREVER: 10})
    assert issued.hold is not None
    assert (issued.hold.state, issued.hold.points, issued.hold.left) == ("open", 20, 20)
    redeemed = paper.post(redeem("r", ME, "v", store_id=OTHER_STORE))
    assert (redeemed.points, redeemed.balances) == (20, {})
    assert paper.contras[Contra("store", OTHER_STORE)] == 20
    assert [paper.post(redeem(f"r{n}", ME, "v")).code for n in range(2)] == ["voucher_used"] * 2
    assert paper.post(expire_voucher("e", ME, "v")).code == "hold_resolved"


def test_a_voucher_outlives_the_points_it_was_made_of() -> None:
    paper = Paper([(lot(0), 20)])
    paper.post(issue("v", ME, 20, expires_on=LAST_DAY))
    paper.pass_days(29)
    assert paper.post(redeem("r", ME, "v")).points == 20


def test_an_unredeemed_voucher_is_gone_after_its_last_day() -> None:
    paper = Paper([(lot(99), 20)])
    paper.post(issue("v", ME, 20, expires_on=TODAY))
    paper.move_to(datetime(2026, 1, 10, 23, 59, 59, tzinfo=JAPAN))
    assert paper.post(expire_voucher("e1", ME, "v")).code == "nothing_due"
    paper.move_to(datetime(2026, 1, 11, 0, 0, 0, tzinfo=JAPAN))
    assert paper.post(redeem("r1", ME, "v")).code == "voucher_expired"
    expired = paper.post(expire_voucher("e2", ME, "v"))
    assert (expired.points, expired.hold and expired.hold.state) == (20, "expired")
    assert paper.lots(ME) == {}
    assert paper.contras[Contra("expired", None, FOREVER)] == 20
    assert paper.post(redeem("r2", ME, "v")).code == "voucher_expired"


@pytest.mark.parametrize(
    "changed, code",
    [
        ({"pool": "reserve", "expires_on": TODAY - timedelta(days=1)}, "not_usable_here"),
        ({"lg_code": ELSEWHERE}, "not_usable_here"),
        ({"pool": FESTIVAL, "lg_code": CITY}, "not_usable_here"),
        ({"expires_on": TODAY - timedelta(days=1), "numbers": ["00000001"]}, "bad_voucher_day"),
        ({"expires_on": LAST_DAY + timedelta(days=1)}, "bad_voucher_day"),
        ({"numbers": ["00000001"], "hold": "v"}, "no_number"),
        ({"hold": "v", "points": 31}, "hold_exists"),
        ({"points": 21}, "insufficient_points"),
        ({"points": 20, "expires_on": LAST_DAY}, None),
    ],
)
def test_an_issue_is_refused_in_the_documented_order(changed: dict[str, object], code: str | None) -> None:
    paper = Paper([(lot(1), 30)])
    paper.post(issue("v", ME, 10, numbers=["00000001"]))
    asked = {"points": 1, "pool": FOREVER, "lg_code": TOWN, "numbers": ["00000002"]} | changed
    assert paper.post(issue("w", ME, **asked)).code == code  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "command, code",
    [
        (redeem("1", ME, "unknown", lg_code=CITY), "no_voucher"),
        (redeem("1", SOMEBODY, "used"), "no_voucher"),
        (redeem("1", ME, "order"), "no_voucher"),
        (redeem("1", ME, "used", code=WRONG_CODE), "no_voucher"),
        (redeem("1", ME, "used", lg_code=CITY), "voucher_used"),
        (redeem("1", ME, "late", lg_code=CITY), "voucher_expired"),
        (redeem("1", ME, "good", lg_code=CITY), "not_usable_here"),
        (redeem("1", ME, "good"), None),
    ],
)
def test_a_redemption_is_refused_in_the_documented_order(command: object, code: str | None) -> None:
    paper = Paper([(lot(9), 100)])
    paper.post_all(
        issue("used", ME, 1, expires_on=TODAY), redeem("r", ME, "used"), issue("late", ME, 1, expires_on=TODAY),
        issue("good", ME, 1, expires_on=TODAY + timedelta(days=1)),
        authorise("order", ME, 1, until=paper.now + timedelta(days=9)),
    )  # fmt: skip
    paper.pass_days(1)
    assert paper.post(command).code == code  # type: ignore[arg-type]


def test_an_unknown_voucher_and_a_wrong_code_get_equal_answers() -> None:
    paper = Paper([(lot(9), 100)])
    paper.post(issue("v", ME, 10))
    unknown = paper.post(redeem("1", ME, "unknown"))
    wrong = paper.post(redeem("2", ME, "v", code=WRONG_CODE))
    assert unknown.code == wrong.code == "no_voucher"
    assert unknown.model_copy(update={"hold": None}) == wrong.model_copy(update={"hold": None})
    assert wrong.hold is None


def test_the_first_number_that_no_voucher_in_hand_has_is_taken() -> None:
    paper = Paper([(lot(9), 100)])
    drawn = ["00000001", "00000002"]
    answers = paper.post_all(*(issue(f"v{n}", ME, 1, numbers=drawn) for n in range(3)))
    assert [answer.hold and answer.hold.number for answer in answers] == ["00000001", "00000002", None]
    assert answers[2].code == "no_number"
    paper.post(redeem("r", ME, "v0"))
    paper.pass_days(0)
    again = paper.post(issue("v4", ME, 1, numbers=drawn))
    assert again.hold is not None
    assert (again.hold.hold_id, again.hold.number) == (hold_of("v4"), "00000001")


def test_the_issue_takes_the_earliest_last_day_first() -> None:
    paper = Paper([(lot(9), 10), (lot(1), 10), (lot(5), 10), (lot(2, MONTHLY), 10)])
    paper.post(issue("v", ME, 15))
    assert paper.lots(ME) == {lot(5): 5, lot(9): 10, lot(2, MONTHLY): 10}
