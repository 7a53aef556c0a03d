"""Which addresses are sent to, and what is said of the others."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mail.addresses import ADDRESS_LIMIT_CHARACTERS, AddressRefusedError, checked_address

TAKEN = [
    "user@mail.example",
    "first.last+points@sub.mail.example",
    "o'brien_=x@mail.example",
    '"taro..k"@docomo.example',
    '".taro."@docomo.example',
    '"two words \\"quoted\\""@mail.example',
    "a@xn--eckwd4c7c.example",
    f"{'a' * 64}@mail.example",
]
REFUSED = [
    "",
    "@",
    "user",
    "@mail.example",
    "user@",
    "user@localhost",
    "user@-mail.example",
    "user@mail..example",
    "user@[127.0.0.1]",
    "user@mail.example.",
    "us er@mail.example",
    "user@mail.example\r\nBcc: other@mail.example",
    "user\n@mail.example",
    "user@mail.example%0d%0aBcc:",
    '"user\r\n"@mail.example',
    "user\x00@mail.example",
    "<user@mail.example>",
    "user@mail.example, other@mail.example",
    "user＠mail.example",
    "用户@mail.example",
    "ｕｓｅｒ@mail.example",
    f"{'a' * 65}@mail.example",
    f"a@{'b' * 63}.{'b' * 63}.{'b' * 63}.{'b' * 63}.example",
]


@pytest.mark.parametrize("text", TAKEN)
def test_taken(text: str) -> None:
    assert checked_address(text).text == text


@pytest.mark.parametrize("text", REFUSED)
def test_refused_with_a_sentence_in_both_languages_that_does_not_repeat_the_address(text: str) -> None:
    with pytest.raises(AddressRefusedError) as refused:
        checked_address(text)
    assert refused.value.detail.endswith(".")
    assert refused.value.detail_ja.endswith("。")
    assert len(text) < 4 or text not in refused.value.detail + refused.value.detail_ja


@pytest.mark.parametrize("local", ["taro..k", "taro.", ".taro", "..."])
def test_the_old_carriers_dots_are_written_in_quotation_marks(local: str) -> None:
    address = checked_address(f"{local}@docomo.example")
    assert address.text == f'"{local}"@docomo.example'
    assert checked_address(address.text) == address


def test_the_domain_is_counted_in_lower_case() -> None:
    assert checked_address("User@Mail.EXAMPLE").domain == "mail.example"


@given(st.text(max_size=80) | st.from_regex(re.compile(r"[ -~\r\n]{0,30}@[ -~\r\n]{1,30}")))
def test_whatever_is_taken_is_one_line_of_ascii_without_angle_brackets_outside_quotes(text: str) -> None:
    try:
        taken = checked_address(text)
    except AddressRefusedError:
        return
    assert taken.text.isascii()
    assert taken.text.isprintable()
    assert len(taken.text) <= ADDRESS_LIMIT_CHARACTERS
    assert taken.text.startswith('"') or not set("<>, ") & set(taken.text)
