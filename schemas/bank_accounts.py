"""A bank account as Japan's banks write it in a bulk transfer (全銀): whom a municipality's money goes to (画面4)."""

from enum import StrEnum
from typing import Annotated, Final
from unicodedata import normalize

from pydantic import BeforeValidator, StringConstraints

from schemas.message import Said
from schemas.values import Name, narrowed_digits

HOLDER_LIMIT_CHARACTERS: Final = 30
"""A sound mark is a character of its own: ガ is two."""
NUMBER_SHOWN_DIGITS: Final = 3

_FULL: Final = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
_HALF: Final = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜﾝ"
_SMALL: Final = "ァィゥェォッャュョヮヵヶ"
_LARGE: Final = "アイウエオツヤユヨワカケ"
_STROKES: Final = "ー－‐‑‒–—―−"
_MARKS: Final = {"゛": "\u3099", "゜": "\u309a"}
"""Standing alone, which NFKC would give a blank; and as they join what is before them."""
_JOINED: Final = str.maketrans(_MARKS)
_ZENGIN: Final = str.maketrans(
    _FULL + _SMALL, _HALF + _LARGE.translate(str.maketrans(_FULL, _HALF)), ""
) | str.maketrans({**dict.fromkeys(_STROKES, "-"), "\u3099": "ﾞ", "\u309a": "ﾟ"})
_KATAKANA: Final = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}


def zengin_kana(text: str) -> str:
    """The text in the characters of a bulk transfer, as far as there are some for it.

    Half-width kana with their sound marks behind them, no small ones, a stroke for each ー, capitals. What else is in
    it stays, to be refused.
    """
    joined = normalize("NFKC", text.translate(_JOINED)).translate(_KATAKANA)
    return normalize("NFD", joined).translate(_ZENGIN).upper().strip()


def _zengin(value: object) -> object:
    return zengin_kana(value) if isinstance(value, str) else value


BankCode = Annotated[str, BeforeValidator(narrowed_digits), StringConstraints(strict=True, pattern=r"^[0-9]{4}$")]
BranchCode = Annotated[str, BeforeValidator(narrowed_digits), StringConstraints(strict=True, pattern=r"^[0-9]{3}$")]
AccountNumber = Annotated[str, BeforeValidator(narrowed_digits), StringConstraints(strict=True, pattern=r"^[0-9]{7}$")]
"""Seven digits, with leading zeros; width, blanks and hyphens make no difference."""
AccountHolder = Annotated[
    str,
    BeforeValidator(_zengin),
    StringConstraints(
        strict=True,
        max_length=HOLDER_LIMIT_CHARACTERS,
        pattern=r"^([ｳｶ-ﾄﾊ-ﾎ]ﾞ|[ﾊ-ﾎ]ﾟ|[ｱ-ﾝ]|[A-Z0-9 ().-])+$",
    ),
]
"""The holder's name (口座名義) as banks compare it: kana, written in any width, kept by `zengin_kana`."""


class AccountKind(StrEnum):
    """預金種目."""

    ordinary = "ordinary"
    """普通, in a bulk transfer 1."""
    current = "current"
    """当座, 2."""
    savings = "savings"
    """貯蓄, 4."""


class BankAccount(Said):
    """Where money is paid to; the names of bank and branch as typed."""

    bank_code: BankCode
    bank: Name
    branch_code: BranchCode
    branch: Name
    kind: AccountKind
    number: AccountNumber
    holder: AccountHolder

    @property
    def masked_number(self) -> str:
        """All but its last three digits hidden."""
        shown = self.number[-NUMBER_SHOWN_DIGITS:]
        return shown.rjust(len(self.number), "*")
