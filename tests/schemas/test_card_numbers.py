"""One number out of its many spellings, and check digits by examples from the trade."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.card_numbers import CheckDigit, StartStop, has_check_digit, normalised, without_start_stop
from schemas.service_ids import Issuer, IssuerKind, Notification

NUMBER_SIGNS = string.digits + string.ascii_uppercase + "$+./:"
NOISE = st.sampled_from([" ", "　", "-", "－", "‐", "−", "ー", "ｰ", "\t", "\r\n"])


def issuer(**changes: object) -> Issuer:
    known: dict[str, object] = {
        "issuer_id": "123456",
        "name": "市立図書館",
        "kind": IssuerKind.library,
        "lg_code": "232343",
        "pattern": "[0-9]{10}",
    }
    return Issuer.model_validate(known | changes)


@pytest.mark.parametrize(
    "typed, number",
    [
        ("１２３４－５６７８", "12345678"),
        (" 1234 5678\r", "12345678"),
        ("1234ー5678", "12345678"),
        ("a1234b", "A1234B"),
        ("Ａ１２３４ｂ", "A1234B"),
        ("①②③", "123"),
        ("", None),
        ("---", None),
        ("12|34", None),
        ("12\x0034", None),
        ("１２３４ß", None),
        ("ı1", None),
        ("9" * 65, None),
        (" " * 201, None),
    ],
)
def test_spellings(typed: str, number: str | None) -> None:
    assert normalised(typed) == number


@given(st.text(NUMBER_SIGNS, min_size=1, max_size=40), st.lists(st.tuples(st.integers(0, 40), NOISE), max_size=10))
def test_width_spaces_hyphens_and_case_make_no_difference(number: str, noise: list[tuple[int, str]]) -> None:
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in number)
    noisy = number.lower()
    for place, sign in noise:
        noisy = noisy[: place % (len(noisy) + 1)] + sign + noisy[place % (len(noisy) + 1) :]
    assert normalised(wide) == normalised(noisy) == number


@given(st.text(max_size=80))
def test_what_comes_out_is_one_number_or_none_and_stays_as_it_is(typed: str) -> None:
    number = normalised(typed)
    if number is not None:
        assert set(number) <= set(NUMBER_SIGNS)
        assert normalised(number) == number
        assert without_start_stop(number) in number


@pytest.mark.parametrize(
    "kind, number",
    [
        (CheckDigit.luhn, "123456782"),
        (CheckDigit.luhn, "201511193"),
        (CheckDigit.luhn, "A201511490B"),
        (CheckDigit.m10w3, "4007630000116"),
        (CheckDigit.m11w27, "123456785"),
        (CheckDigit.m11w27, "60"),
        (CheckDigit.dr7, "12345675"),
        (CheckDigit.dr9, "12345671"),
    ],
)
def test_check_digits(kind: CheckDigit, number: str) -> None:
    digits = without_start_stop(number)
    right = [last for last in string.digits if has_check_digit(digits[:-1] + last, kind)]
    assert right == [digits[-1]]
    assert has_check_digit(number, kind)
    assert not has_check_digit(digits[-1], kind)
    assert not has_check_digit(f"X{digits}", kind)


def test_start_and_stop_characters_are_kept_or_cut_as_the_issuer_says() -> None:
    cut = issuer()
    kept = issuer(start_stop=StartStop.keep, pattern="[A-D][0-9]{10}[A-D]")
    assert cut.number_of("a1234567890b") == cut.number_of("1234567890") == "1234567890"
    assert kept.number_of("a1234-567890b") == "A1234567890B"
    assert kept.number_of("1234567890") is None


def test_the_whole_number_matches_the_pattern_and_its_check_digit() -> None:
    assert issuer().number_of("12345678901") is None
    assert issuer(pattern="[0-9]+|X", check_digit=CheckDigit.luhn).number_of("1234 5678 2") == "123456782"
    assert issuer(pattern="[0-9]+|X", check_digit=CheckDigit.luhn).number_of("123456783") is None


@pytest.mark.parametrize("pattern", ["(", "a)|(?:b", "", "x" * 201, "(?<=1)2"])
def test_what_is_no_pattern_is_no_issuer(pattern: str) -> None:
    with pytest.raises(ValidationError):
        issuer(pattern=pattern)


def test_a_pattern_that_would_take_for_ever_elsewhere_takes_no_time() -> None:
    assert issuer(pattern="(1+)+2").number_of("1" * 64) is None


@pytest.mark.parametrize(
    "given_", [{"method": "file"}, {"method": "file", "target": "../a"}, {"method": "url", "target": "http://x/"}]
)
def test_a_notification_has_the_target_that_its_method_needs(given_: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Notification.model_validate(given_)
    assert Notification(method="url", target="http://127.0.0.1:1/?card={number}").target
