"""Bank accounts in the characters of a bulk transfer (facts: 全銀)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.bank_accounts import AccountKind, BankAccount, zengin_kana

FULL = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"


def account(**other: str) -> BankAccount:
    right = {
        "bank_code": "9999",
        "bank": "ためし銀行",
        "branch_code": "001",
        "branch": "本店営業部",
        "kind": "ordinary",
        "number": "0012345",
        "holder": "キタナゴヤシ",
    }
    return BankAccount.model_validate(right | other)


@pytest.mark.parametrize(
    "typed, kept",
    [
        ("キタナゴヤシ　カイケイカンリシャ", "ｷﾀﾅｺﾞﾔｼ ｶｲｹｲｶﾝﾘｼﾔ"),
        ("きたなごやし", "ｷﾀﾅｺﾞﾔｼ"),
        ("ｷﾀﾅｺﾞﾔｼ", "ｷﾀﾅｺﾞﾔｼ"),
        ("カ゛ヴゔ", "ｶﾞｳﾞｳﾞ"),
        ("パーティー", "ﾊﾟ-ﾃｲ-"),
        ("ｱ-ｱ－ア−", "ｱ-ｱ-ｱ-"),
        ("（ザイ）Ａbc．１", "(ｻﾞｲ)ABC.1"),
        ("ァィゥェォッャュョヮヵヶ", "ｱｲｳｴｵﾂﾔﾕﾖﾜｶｹ"),
    ],
)
def test_a_holder_is_kept_as_banks_write_it(typed: str, kept: str) -> None:
    assert account(holder=typed).holder == kept


@given(st.text(st.sampled_from(FULL + "ガヂヅデヴパピプペポーッャ（）．－Ａａ1 "), min_size=1, max_size=15))
def test_whatever_kana_are_typed_are_kept_and_stay_so(typed: str) -> None:
    if typed.strip():
        kept = account(holder=typed).holder
        assert zengin_kana(kept) == kept
        assert kept == kept.strip()
        assert len(kept.encode("cp932")) == len(kept), "each is one byte of JIS X 0201"


@pytest.mark.parametrize(
    "holder", ["北名古屋市", "ヲ", "ヱビス", "ﾞｱ", "ｱﾞ", "ﾅﾟ", "ア・イ", "ア,イ", "", " ", "ｱ\nｲ", "É"]
)
def test_what_a_transfer_cannot_carry_is_refused(holder: str) -> None:
    with pytest.raises(ValidationError):
        account(holder=holder)


def test_a_sound_mark_counts_for_itself() -> None:
    assert len(account(holder="ガ" * 15).holder) == 30
    with pytest.raises(ValidationError):
        account(holder="ガ" * 15 + "ア")


def test_numbers_are_read_however_they_are_typed() -> None:
    typed = account(bank_code="９９９９", branch_code=" 001", number="００１-２３４５")
    assert (typed.bank_code, typed.branch_code, typed.number) == ("9999", "001", "0012345")
    assert typed.masked_number == "****345"
    assert typed.kind is AccountKind.ordinary


@pytest.mark.parametrize(
    "wrong",
    [
        *({"bank_code": "999"}, {"branch_code": "0001"}, {"bank": ""}, {"kind": "普通"}),
        *({"number": "12345"}, {"number": "12345678"}, {"number": "123456a"}),
    ],
)
def test_what_is_no_account_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        account(**wrong)
