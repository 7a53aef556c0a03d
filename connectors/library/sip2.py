"""Frames of SIP2 2.00 (3M Standard Interchange Protocol): made, and read leniently. Pure.

A message is two digits, fixed fields, fields of two letters ended by `|`, then `AY` and a sequence digit, `AZ` and a
checksum over all bytes before it, and CR. What the bytes mean is the site's charset, which so decides the checksum too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.clock import JAPAN

FRAME_LIMIT_BYTES: Final = 8_192
SEQUENCES: Final = 10
END: Final = b"\r"

LOGIN: Final = "94"
STATUS: Final = "98"
PATRON_STATUS: Final = "24"
PATRON_INFORMATION: Final = "64"
RESEND: Final = "96"
"""The other side asks for our last message again."""

_FIXED_CHARACTERS: Final[Mapping[str, int]] = {
    LOGIN: 1,
    STATUS: 34,
    PATRON_STATUS: 35,
    PATRON_INFORMATION: 59,
    RESEND: 0,
}
_TRAILER: Final = re.compile(rb"(?:AY([0-9]))?(AZ)([0-9A-Fa-f]{4})\Z")
_SEQUENCE_ONLY: Final = re.compile(rb"AY([0-9])\Z")
_UNWRITABLE: Final = re.compile(r"[|\x00-\x1f\x7f]")
_ANY_LANGUAGE: Final = "000"
_NO_SUMMARY: Final = " " * 10
"""A blank summary asks for none of a patron's items."""


class NotSip2Error(ValueError):
    """What came is not a message that we asked for."""


class ChecksumError(NotSip2Error):
    """The checksum does not fit: to be asked for again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A message as it came; of a field that comes twice, the first one counts. `sequence` is None where it has none."""

    code: str
    fixed: str
    fields: Mapping[str, str]
    sequence: int | None = None


def checksum(covered: bytes) -> bytes:
    """Four hexadecimal digits: the two's complement of the 16-bit sum of all bytes up to and including `AZ`."""
    return b"%04X" % (-sum(covered) & 0xFFFF)


def framed(body: str, charset: str, sequence: int | None) -> bytes:
    """A message ready to be sent; without error detection where `sequence` is None.

    Raises UnicodeEncodeError where the charset has no such sign.
    """
    text = body.encode(charset)
    if sequence is None:
        return text + END
    covered = b"%bAY%dAZ" % (text, sequence)
    return covered + checksum(covered) + END


def resend() -> bytes:
    """97: please send your last message again."""
    return b"97AZ" + checksum(b"97AZ") + END


def read(frame: bytes, charset: str) -> Reply:
    """A frame without its CR. Signs that the charset does not have are replaced, unknown fields are kept.

    Raises:
        ChecksumError: it has one, and it is wrong.
        NotSip2Error: it is cut short, or no answer to anything we ask.
    """
    frame = frame.strip(b" \t\0")
    trailer = _TRAILER.search(frame)
    if trailer is not None and checksum(frame[: trailer.end(2)]) != trailer[3].upper():
        raise ChecksumError
    ending = trailer or _SEQUENCE_ONLY.search(frame)
    text = (frame[: ending.start()] if ending else frame).decode(charset, "replace")
    code = text[:2]
    width = _FIXED_CHARACTERS.get(code)
    if width is None or len(text) < 2 + width:
        raise NotSip2Error
    sequence = int(ending[1]) if ending is not None and ending[1] is not None else None
    # Split only now: in CP932 the second byte of a kanji or kana may be a `|`.
    return Reply(code, text[2 : 2 + width], _fields(text[2 + width :]), sequence)


def _fields(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for piece in text.split("|"):
        found.setdefault(piece[:2], piece[2:])
    return found


# --------------------------------------------------------------------------------------------------- what we ask


def login(user: str, password: str, location: str) -> str:
    """93: both in the clear, as all systems want it."""
    return "9300" + _field("CN", user) + _field("CO", password) + (_field("CP", location) if location else "")


def status() -> str:
    """99: we are in order, print 80 columns, speak 2.00."""
    return "9900802.00"


def patron_status(now: datetime, institution: str, number: str, terminal_password: str) -> str:
    """23: is there such a patron? The least that a library system can be asked of one."""
    who = _field("AO", institution) + _field("AA", number)
    return "23" + _ANY_LANGUAGE + _time(now) + who + _field("AC", terminal_password) + _field("AD", "")


def patron_information(now: datetime, institution: str, number: str, terminal_password: str) -> str:
    """63: the same for systems that know no 23; none of the patron's items is asked for."""
    who = _field("AO", institution) + _field("AA", number)
    password = _field("AC", terminal_password) if terminal_password else ""
    return "63" + _ANY_LANGUAGE + _time(now) + _NO_SUMMARY + who + password


def _time(now: datetime) -> str:
    return f"{now.astimezone(JAPAN):%Y%m%d    %H%M%S}"


def _field(name: str, value: str) -> str:
    if _UNWRITABLE.search(value):
        raise ValueError(name)
    return f"{name}{value}|"
