"""What people type is taken as it is meant, and nothing else is."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from connectors.portal.ground.inputs import date_of, mail_of, mykey_id_of, points_of
from schemas.values import MAX_POINTS


@pytest.mark.parametrize(
    "typed",
    [
        "1000",
        "1,000",
        "１０００",
        "１，０００",
        " 1000 ",
        "1 000",
        "1000ポイント",
        "1000pt",
        "1000P",
        "01000",
        "1、000",
    ],
)
def test_points_in_many_ways(typed: str) -> None:
    assert points_of(typed) == 1_000


@pytest.mark.parametrize(
    "typed",
    ["0", "-1", "1.5", "1e3", "10,00", "千", "", "1000円", "0x10", "NaN", "９" * 41, str(MAX_POINTS + 1), "①"[:0]],
)
def test_no_points(typed: str) -> None:
    with pytest.raises(PydanticCustomError):
        points_of(typed)


@given(st.integers(1, MAX_POINTS))
def test_any_number_of_points_with_and_without_commas(points: int) -> None:
    assert points_of(str(points)) == points_of(f"{points:,}") == points


@pytest.mark.parametrize(
    "typed", ["AB12CD34", "ab12cd34", "ＡＢ１２ＣＤ３４", "AB12-CD34", " ab12 cd34 ", "AB12ーCD34", "ab‐12−cd34"]
)
def test_mykey_ids_in_many_ways(typed: str) -> None:
    assert mykey_id_of(typed) == "AB12CD34"


@pytest.mark.parametrize("typed", ["AB12CD3", "AB12CD345", "AB12CD3あ", "", "AB12CD3!", "ＡＢ１２ＣＤ３①②"])
def test_no_mykey_ids(typed: str) -> None:
    with pytest.raises(PydanticCustomError):
        mykey_id_of(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "2017-10-01", "2017/10/1", "2017.10.1", "2017年10月1日", "２０１７年１０月１日", "20171001",
        " 2017 年 10 月 1 日 ",
        "平成29年10月1日", "平成２９年１０月１日",
        "H29.10.1", "h29/10/01", "Ｈ２９－１０－１",
    ],
)  # fmt: skip
def test_dates_in_many_ways(typed: str) -> None:
    assert date_of(typed) == date(2017, 10, 1)


@pytest.mark.parametrize(
    "typed, day",
    [
        ("令和元年5月1日", date(2019, 5, 1)),
        ("R1.5.1", date(2019, 5, 1)),
        ("平成31年4月30日", date(2019, 4, 30)),
        ("昭和64年1月7日", date(1989, 1, 7)),
        ("S39.10.10", date(1964, 10, 10)),
        ("大正元年7月30日", date(1912, 7, 30)),
        ("M45.7.29", date(1912, 7, 29)),
    ],
)
def test_eras(typed: str, day: date) -> None:
    assert date_of(typed) == day


@pytest.mark.parametrize(
    "typed",
    [
        "2017-02-30",
        "平成31年5月1日",
        "昭和64年1月8日",
        "令和0年5月1日",
        "17-10-01",
        "2017-1001",
        "",
        "明日",
        "20171301",
        "H29.2.29",
    ],
)
def test_no_dates(typed: str) -> None:
    with pytest.raises(PydanticCustomError):
        date_of(typed)


@pytest.mark.parametrize("typed", [" name@example.jp ", "ｎａｍｅ＠ｅｘａｍｐｌｅ．ｊｐ"])
def test_mail_addresses(typed: str) -> None:
    assert mail_of(typed) == "name@example.jp"


@pytest.mark.parametrize(
    "typed", ["name", "name@@example.jp", "名前@example.jp", "na me@example.jp", "a@b.jp\r\nBcc: x@y.jp"]
)
def test_no_mail_addresses(typed: str) -> None:
    with pytest.raises(PydanticCustomError):
        mail_of(typed)
