"""What stands in a merge file before it is encrypted (docs/streets.md): pure functions of a street's settings."""

import hashlib
from datetime import datetime
from typing import Final, NamedTuple

from hub.clock import JAPAN
from hub.errors import PermanentError
from schemas.streets import CipherMode, MergeLayout

SERIALS: Final = 1_000_000
"""Serial numbers there are; a number is used once in one second."""


class BadRecordError(PermanentError):
    """A value cannot be written in this street's layout: mend the layout's delimiter or encoding."""


class Fields(NamedTuple):
    """Fields 1 to 3: street point ID or MyKey ID, points, transaction number (取引済番号)."""

    member_id: str
    points: int
    number: str


def transaction_number(at: datetime, serial: int) -> str:
    """Date and time in Japan, and the serial: 20 digits. Raises ValueError for a serial that is none."""
    if not 0 <= serial < SERIALS:
        raise ValueError(serial)
    return f"{at.astimezone(JAPAN):%Y%m%d%H%M%S}{serial:06d}"


def record_of(layout: MergeLayout, fields: Fields, secret: str) -> bytes:
    """The one record of a file, with its hash in v1. Raises BadRecordError."""
    parts = [fields.member_id, str(fields.points), fields.number]
    if any(layout.delimiter in part or not part.isprintable() for part in parts):
        raise BadRecordError(fields.number)
    if not layout.mode.is_v2:
        parts.append(_hash(layout, parts, secret))
    return _encoded(layout, layout.delimiter.join(parts) + layout.line_end)


def header_of(mode: CipherMode, street: str, terminal_id: str, number: str, key_id: str) -> bytes:
    """v2's first line, which is also what the cipher authenticates beside the record."""
    return f"MPF2|{mode}|{street}|{terminal_id}|{number}|{key_id}\r\n".encode("ascii")


def _hash(layout: MergeLayout, parts: list[str], secret: str) -> str:
    joint = layout.delimiter if layout.hash_joining == "delimited" else ""
    text = _encoded(layout, joint.join([*parts, secret]))
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def _encoded(layout: MergeLayout, text: str) -> bytes:
    try:
        return text.encode(layout.encoding)
    except UnicodeEncodeError:
        # Not from the error: it would tell the text.
        raise BadRecordError("a sign that the encoding does not have") from None
