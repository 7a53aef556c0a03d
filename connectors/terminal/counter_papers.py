"""What is printed on a voucher to be read again: its number, its check code, and both in a QR."""

import re
from datetime import date, timedelta
from typing import Final, NamedTuple
from unicodedata import normalize
from uuid import UUID

import qrcode
from qrcode.image.svg import SvgPathImage

from hub.clock import business_date_of
from hub.keys import Hasher
from schemas.card_numbers import HYPHENS
from schemas.holds import HoldView
from schemas.vouchers import CANDIDATES

QR_HEAD: Final = "MYKEYV1"
QR_BORDER_MODULES: Final = 4
"""The quiet zone (ISO/IEC 18004)."""
NUMBER_DIGITS: Final = 8
CHECK_CHARS: Final = 8
BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TYPED: Final = re.compile(rf"(?:{QR_HEAD}:)?([0-9]{{{NUMBER_DIGITS}}})[:,/]?([A-Z2-7]{{{CHECK_CHARS}}})")


class VoucherRead(NamedTuple):
    """What a QR says, or what was typed."""

    number: str
    check_code: str


def read(text: str) -> VoucherRead | None:
    """A QR as a reader types it, or number and check code off the paper: width, case, hyphens, spaces do not matter."""
    signs = (sign for sign in normalize("NFKC", text) if not sign.isspace() and sign not in HYPHENS)
    found = _TYPED.fullmatch("".join(signs).upper())
    return None if found is None else VoucherRead(found[1], found[2])


def shown_number(number: str) -> str:
    """9876-5432."""
    return f"{number[:4]}-{number[4:]}"


def qr_text(number: str, check_code: str) -> str:
    """Of characters that a QR packs tightly."""
    return f"{QR_HEAD}:{number}:{check_code}"


def qr_svg(text: str) -> str:
    """The QR's picture, an SVG of its own."""
    made = qrcode.QRCode(border=QR_BORDER_MODULES, image_factory=SvgPathImage)
    made.add_data(text)
    return made.make_image().to_string(encoding="unicode")


def last_day_of(voucher: HoldView) -> date:
    """A voucher is good through the day before the midnight on which it expires."""
    assert voucher.expires_at is not None  # noqa: S101 - a voucher always expires
    return business_date_of(voucher.expires_at - timedelta(seconds=1))


class Drawing:
    """Numbers and check codes by chance, yet the same for the same attempt of the same operation.

    Asked again, the very command is sent again. They are a keyed hash, so that nobody else can tell them.
    """

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher

    def numbers(self, operation_id: UUID, attempt: int) -> tuple[str, ...]:
        """Candidates for a number; the first that is free becomes the voucher's."""
        drawn = [self._drawn(operation_id, attempt, f"number {n}") for n in range(CANDIDATES)]
        return tuple(f"{one % 10**NUMBER_DIGITS:0{NUMBER_DIGITS}}" for one in drawn)

    def check_code(self, operation_id: UUID, attempt: int) -> str:
        """40 bits."""
        drawn = self._drawn(operation_id, attempt, "check code")
        return "".join(BASE32[drawn >> 5 * n & 31] for n in range(CHECK_CHARS))

    def _drawn(self, operation_id: UUID, attempt: int, what: str) -> int:
        return int.from_bytes(self._hasher.hash(f"{operation_id.hex} {attempt} {what}".encode()))
