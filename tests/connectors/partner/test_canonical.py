"""The text of a transfer, over which its hash is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.partner.canonical import cell_value, request_hash, text_of
from connectors.partner.items import check
from hub.web.json_text import RawNumber
from tests.connectors.partner.town import TIME, transfer


def test_a_right_item_s_five_fields_by_lines() -> None:
    text = f"t-1\nl-1\n1000\nreserve\n{TIME}"
    assert text_of(transfer("t-1")) == text
    (verdict,) = check([transfer("t-1")])
    assert verdict.request_hash == request_hash(text)
    assert len(verdict.request_hash) == 16


@pytest.mark.parametrize(
    "value,text",
    [
        (1_000, "1000"),
        (True, "true"),
        (None, "null"),
        (RawNumber("1e3"), "1e3"),
        ("", ""),
        ("１０００", "１０００"),
        ("1000", '"1000"'),
        ("true", '"true"'),
        ("false", "false"),
        ("01", "01"),
        ("a\nb", '"a\\nb"'),
        ([1, RawNumber("1.0")], '[1,"1.0"]'),
    ],
)
def test_values_as_in_the_json_text(value: object, text: str) -> None:
    assert text_of(transfer("t-1", points=value)).split("\n", 2)[2] == f"{text}\nreserve\n{TIME}"


def test_unknown_fields_follow_by_name() -> None:
    item = transfer("t-1") | {"b": 1, "a": "x"}
    assert text_of(item).endswith(f"{TIME}\na=x\nb=1")


def test_a_missing_field_is_written_as_an_empty_one() -> None:
    assert text_of({"transfer_id": "t-1"}) == "t-1\n\n\n\n"


@pytest.mark.parametrize(
    "cell,value",
    [
        ("1000", 1_000),
        ("0", 0),
        ("-500", -500),
        ("9223372036854775808", 9_223_372_036_854_775_808),
        ("12345678901234567890", RawNumber("12345678901234567890")),
        ("1.5", RawNumber("1.5")),
        ("1e3", RawNumber("1e3")),
        ("true", True),
        ("false", "false"),
        ("null", "null"),
        ("", ""),
        ("0100", "0100"),
        ("+1", "+1"),
        (" 1", " 1"),
        ("1_000", "1_000"),
        ("１０００", "１０００"),
        ("1\n", "1\n"),
    ],
)
def test_what_a_cell_would_be_in_json(cell: str, value: object) -> None:
    assert cell_value(cell) == value
    assert type(cell_value(cell)) is type(value)


@given(st.lists(st.text(), min_size=5, max_size=5), st.lists(st.text(), min_size=5, max_size=5))
def test_different_texts_in_the_fields_give_different_texts(first: list[str], second: list[str]) -> None:
    names = ("transfer_id", "link_id", "points", "to", "occurred_at")
    one, other = dict(zip(names, first, strict=True)), dict(zip(names, second, strict=True))
    assert (text_of(one) == text_of(other)) == (one == other)
