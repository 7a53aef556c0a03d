"""Numbers of library and street cards as people and readers give them, made one: pure, the same on both sides.

Library cards are commonly NW-7 barcodes (Codabar): digits between a start and a stop character A to D, which some
readers send and others do not, with a check digit of one of several kinds (JIS X 0506 leaves the kind open).
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

NUMBER_LIMIT_CHARACTERS: Final = 64
TYPED_LIMIT_CHARACTERS: Final = 200

HYPHENS: Final = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc"
"""What a hyphen becomes on Japanese keyboards, after NFKC: the minus sign and the long-vowel sign are among them."""
_NUMBER: Final = re.compile(rf"[0-9A-Z$+./:]{{1,{NUMBER_LIMIT_CHARACTERS}}}", re.ASCII)
_START_STOP: Final = re.compile(r"[A-D](.+)[A-D]", re.ASCII)


class StartStop(StrEnum):
    """What happens to the start and stop characters of an NW-7 barcode, A to D at the two ends."""

    keep = "keep"
    cut = "cut"


class CheckDigit(StrEnum):
    """How the last digit follows from those before it; counted from the right where there are weights."""

    none = "none"
    luhn = "luhn"
    """Modulus 10, weights 2 1 2 1 …, two-digit products added digit by digit (M10W21)."""
    m10w3 = "m10w3"
    """Modulus 10, weights 3 1 3 1 …"""
    m11w27 = "m11w27"
    """Modulus 11, weights 2 3 4 5 6 7 2 3 …; 10 is written 0."""
    dr7 = "dr7"
    """The remainder of the whole number divided by 7 (7DR)."""
    dr9 = "dr9"
    """The remainder of the whole number divided by 9 (9DR)."""


def normalised(typed: str) -> str | None:
    """One number out of its many spellings: full-width, spaces, hyphens and small letters make no difference.

    None where anything else is in it, or nothing, or too much.
    """
    if len(typed) > TYPED_LIMIT_CHARACTERS:
        return None
    signs = (sign for sign in unicodedata.normalize("NFKC", typed) if not sign.isspace() and sign not in HYPHENS)
    number = "".join(signs)
    # Only ASCII letters are made capital: others are refused, not turned into something else.
    number = number.upper() if number.isascii() else number
    return number if _NUMBER.fullmatch(number) else None


def without_start_stop(number: str) -> str:
    """The number between an NW-7 barcode's start and stop characters, or as it is where they were not sent."""
    found = _START_STOP.fullmatch(number)
    return found[1] if found else number


def has_check_digit(number: str, kind: CheckDigit) -> bool:
    """Whether the last digit is right; start and stop characters do not count, other letters cannot be checked."""
    if kind is CheckDigit.none:
        return True
    digits = without_start_stop(number)
    if len(digits) < 2 or re.fullmatch("[0-9]+", digits) is None:  # noqa: PLR2004 - one digit, and its check
        return False
    return digits[-1] == str(_KINDS[kind](digits[:-1]))


def _luhn(digits: str) -> int:
    doubled = (sum(divmod(value * (2 - place % 2), 10)) for place, value in _from_the_right(digits))
    return -sum(doubled) % 10


def _m10w3(digits: str) -> int:
    return -sum(value * (3 - place % 2 * 2) for place, value in _from_the_right(digits)) % 10


def _m11w27(digits: str) -> int:
    return -sum(value * (2 + place % 6) for place, value in _from_the_right(digits)) % 11 % 10


def _from_the_right(digits: str) -> list[tuple[int, int]]:
    return [(place, int(digit)) for place, digit in enumerate(reversed(digits))]


_KINDS: Final[Mapping[CheckDigit, Callable[[str], int]]] = {
    CheckDigit.luhn: _luhn,
    CheckDigit.m10w3: _m10w3,
    CheckDigit.m11w27: _m11w27,
    CheckDigit.dr7: lambda digits: int(digits) % 7,
    CheckDigit.dr9: lambda digits: int(digits) % 9,
}
