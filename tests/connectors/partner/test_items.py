"""What is right and wrong with one transfer; pure."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.partner.items import Checked, Faulty, Good, check
from hub.web.json_text import JsonValue, RawNumber, parse
from tests.connectors.partner.town import SCHEME, transfer

EVENT = "event:00000000-0000-4000-8000-000000000001"


def only(item: JsonValue) -> Checked:
    """The verdict on one item, which is the same among neighbours."""
    (alone,) = check([item])
    first, among, last = check([transfer("before"), item, transfer("after")])
    assert isinstance(first, Good)
    assert isinstance(last, Good)
    assert among == alone
    return alone


def faults(item: JsonValue) -> list[tuple[str, str]]:
    """The fields and codes of an item's faults."""
    verdict = only(item)
    assert isinstance(verdict, Faulty)
    return [(fault.field, fault.code.value) for fault in verdict.faults]


@pytest.mark.parametrize("points", [1, 1_000, 999_999_999])
def test_whole_numbers_in_range_are_points(points: int) -> None:
    verdict = only(transfer("t-1", points=points))
    assert isinstance(verdict, Good)
    assert verdict.points == points


NOT_POINTS = [
    '"１０００"',
    '"1000"',
    '" 1"',
    '""',
    "1.5",
    "1.0",
    "1e3",
    "0",
    "-0",
    "-500",
    "1000000000",
    "9223372036854775807",
    "9223372036854775808",
    "11111111111111111111111",
    "true",
    "false",
    "null",
    "[1]",
    "{}",
]


@pytest.mark.parametrize("points", NOT_POINTS)
def test_nothing_else_is_points(points: str) -> None:
    assert faults(transfer("t-1") | {"points": parse(points.encode())}) == [("points", "bad_points")]


@pytest.mark.parametrize(
    "change,field,code",
    [
        ({"transfer_id": ""}, "transfer_id", "bad_id"),
        ({"transfer_id": "t 1"}, "transfer_id", "bad_id"),
        ({"transfer_id": "t-1\n"}, "transfer_id", "bad_id"),
        ({"transfer_id": "ｔ"}, "transfer_id", "bad_id"),
        ({"transfer_id": "x" * 65}, "transfer_id", "bad_id"),
        ({"transfer_id": 7}, "transfer_id", "bad_id"),
        ({"posted_at": "now"}, "posted_at", "unknown_field"),
        ({"": 1}, "", "unknown_field"),
        ({"link_id": "l/1"}, "link_id", "bad_link"),
        ({"link_id": None}, "link_id", "bad_link"),
        ({"link_id": RawNumber("1.5")}, "link_id", "bad_link"),
        ({"to": "scheme:232344"}, "to", "bad_code"),
        ({"to": "scheme:23234"}, "to", "bad_to"),
        ({"to": "scheme:２３２３４３"}, "to", "bad_to"),
        ({"to": "scheme:232343\n"}, "to", "bad_to"),
        ({"to": "Reserve"}, "to", "bad_to"),
        ({"to": EVENT.replace("4000", "400x")}, "to", "bad_to"),
        ({"to": EVENT.upper()}, "to", "bad_to"),
        ({"to": 1}, "to", "bad_to"),
        ({"occurred_at": "2017-10-01T09:00:00"}, "occurred_at", "bad_time"),
        ({"occurred_at": "2017-02-29T09:00:00Z"}, "occurred_at", "bad_time"),
        ({"occurred_at": "2017-10-01T24:00:00Z"}, "occurred_at", "bad_time"),
        ({"occurred_at": "2017-10-01T09:00:00+24:00"}, "occurred_at", "bad_time"),
        ({"occurred_at": "0000-10-01T09:00:00Z"}, "occurred_at", "bad_time"),
        ({"occurred_at": "2017-10-01T09:00Z"}, "occurred_at", "bad_time"),
        ({"occurred_at": "2017-10-01 09:00:00+09:00"}, "occurred_at", "bad_time"),
        ({"occurred_at": "２０１７-10-01T09:00:00Z"}, "occurred_at", "bad_time"),
        ({"occurred_at": "1506816000"}, "occurred_at", "bad_time"),
        ({"occurred_at": 1506816000}, "occurred_at", "bad_time"),
    ],
)
def test_every_field_has_its_fault(change: dict[str, Any], field: str, code: str) -> None:
    assert faults(transfer("t-1") | change) == [(field, code)]


@pytest.mark.parametrize("to", ["reserve", f"scheme:{SCHEME}", EVENT])
def test_the_three_destinations(to: str) -> None:
    verdict = only(transfer("t-1", to=to))
    assert isinstance(verdict, Good)
    assert verdict.pool == to


def test_all_faults_are_told_in_their_order() -> None:
    item: dict[str, JsonValue] = {
        "transfer_id": "",
        "link_id": "",
        "points": 0,
        "to": "scheme:111111",
        "occurred_at": "",
        "b": 1,
        "a": 2,
    }
    assert [code for _, code in faults(item)] == [
        "bad_id", "unknown_field", "unknown_field", "bad_link", "bad_points", "bad_code", "bad_time",
    ]  # fmt: skip


def test_a_refusal_is_kept_only_under_a_valid_id() -> None:
    right, wrong, none = check([transfer("t-1", points=0), transfer("t 1", points=0), {"points": 1}])
    assert isinstance(right, Faulty)
    assert isinstance(wrong, Faulty)
    assert isinstance(none, Faulty)
    assert (right.transfer_id, right.shown_id) == ("t-1", "t-1")
    assert (wrong.transfer_id, wrong.shown_id) == (None, "t 1")
    assert (none.transfer_id, none.shown_id) == (None, None)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["1e3", "1.5", "-0"]).map(RawNumber),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
fields = st.sampled_from(["transfer_id", "link_id", "points", "to", "occurred_at", "extra"])


@given(st.lists(st.dictionaries(fields, anything) | anything | st.builds(transfer, st.just("t-1")), max_size=8))
def test_whatever_comes_each_item_ends_once_and_by_itself(items: list[Any]) -> None:
    together = check(items)
    assert together == [check([item])[0] for item in items]
    for verdict in together:
        assert isinstance(verdict, Good) or verdict.faults


@given(st.dictionaries(fields, anything))
def test_changing_anything_in_a_right_item_is_found_or_changes_its_hash(change: dict[str, Any]) -> None:
    (right,) = check([transfer("t-1")])
    changed = transfer("t-1") | change
    (verdict,) = check([changed])
    if changed != transfer("t-1") or type(changed["points"]) is not int:
        assert verdict.request_hash != right.request_hash
