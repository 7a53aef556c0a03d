"""What is printed on a voucher can be read again, by a reader and by a person; nobody can tell what is drawn."""

from datetime import UTC, date, datetime
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import pytest

from connectors.terminal.counter_papers import (
    QR_BORDER_MODULES,
    Drawing,
    VoucherRead,
    last_day_of,
    qr_svg,
    qr_text,
    read,
    shown_number,
)
from hub.keys import Keys
from schemas.holds import HoldKind, HoldState, HoldView
from tests.running import SECRET_KEY

READ = VoucherRead("98765432", "ABCD2345")
VERSION_2_MODULES = 25


@pytest.mark.parametrize(
    "text",
    [
        qr_text(*READ),
        "MYKEYV1:98765432:ABCD2345\r\n",
        "9876-5432 ABCD2345",
        "9876-5432abcd2345",
        "９８７６－５４３２　ＡＢＣＤ２３４５",
        "98765432/ABCD2345",
        "９８７６ー５４３２　ABCD2345",
        "9876‐5432 ABCD–2345",
        "9876 5432 ABCD 2345",
    ],
)
def test_what_is_printed_is_read(text: str) -> None:
    assert read(text) == READ


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9876-5432",
        "ABCD2345",
        "9876-543 ABCD2345",
        "9876-5432 ABCD234",
        "9876-5432 ABCD2341",
        "9876-5432 ABCD23456",
        "9876-5432 MYKEYV1:ABCD2345",
        "9876_5432 ABCD2345",
        "MYKEYV2:98765432:ABCD2345",
        "https://example.jp/?9876-5432 ABCD2345",
    ],
)
def test_what_is_no_voucher_is_not_read(text: str) -> None:
    assert read(text) is None


def test_the_picture_has_its_quiet_zone() -> None:
    drawn = ET.fromstring(qr_svg(qr_text(*READ)))  # noqa: S314 - our own text
    side = VERSION_2_MODULES + 2 * QR_BORDER_MODULES
    assert drawn.attrib["viewBox"] == f"0 0 {side} {side}"
    (path,) = drawn
    first, *_ = path.attrib["d"].removeprefix("M").split("H")
    assert first == f"{QR_BORDER_MODULES},{QR_BORDER_MODULES}"


def test_a_number_is_shown_in_two_groups() -> None:
    assert shown_number(READ.number) == "9876-5432"


def test_a_voucher_is_good_through_the_day_before_the_midnight_in_japan() -> None:
    voucher = HoldView(
        hold_id=uuid4(), kind=HoldKind.voucher, state=HoldState.open, citizen_id=uuid4(), counterparty_id=UUID(int=0),
        pool="scheme:232343", points=1, left=1, expires_at=datetime(2017, 10, 31, 15, tzinfo=UTC),
    )  # fmt: skip
    assert last_day_of(voucher) == date(2017, 10, 31)


def test_the_same_attempt_draws_the_same_and_nothing_else_does() -> None:
    drawing, operation_id = Drawing(Keys(SECRET_KEY.encode()).hasher("terminal.voucher")), uuid4()
    other = Drawing(Keys(b"another key that is long enough!").hasher("terminal.voucher"))
    drawn = [
        (one.numbers(operation, attempt), one.check_code(operation, attempt))
        for one, operation, attempt in (
            (drawing, operation_id, 0),
            (drawing, operation_id, 1),
            (drawing, uuid4(), 0),
            (other, operation_id, 0),
        )
    ]
    assert (drawing.numbers(operation_id, 0), drawing.check_code(operation_id, 0)) == drawn[0]
    assert len({numbers for numbers, _ in drawn}) == len({code for _, code in drawn}) == len(drawn)
    for numbers, code in drawn:
        assert len(set(numbers)) == len(numbers)
        assert all(read(f"{number} {code}") == (number, code) for number in numbers)
