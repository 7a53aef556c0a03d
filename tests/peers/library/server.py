"""The library's side of SIP2 2.00, by the published layouts: requests are read leniently, answers are to the letter."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

REQUEST_LIMIT_BYTES: Final = 4_096
JAPAN: Final = ZoneInfo("Asia/Tokyo")
SUPPORTED: Final = "YNNNYYYYYNNNNNNN"
"""What is answered (BX): 23, then 99, 97, 93, 63, 35."""

_TRAILER: Final = re.compile(rb"(?:AY([0-9]))?(AZ)([0-9A-F]{4})\Z")
_FIXED: Final[Mapping[str, int]] = {"93": 2, "99": 8, "23": 21, "63": 31, "35": 18, "97": 0}


@dataclass(frozen=True, slots=True)
class Library:
    """What this library is: its patrons are number → name, `logins` is user → password; with none, nobody logs in."""

    patrons: Mapping[str, str]
    institution: str = "LIB130001"
    charset: str = "utf-8"
    logins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: the fields by their two letters; `sequence` is None where there is no error detection."""

    code: str
    fields: Mapping[str, str]
    sequence: int | None


class SpoiltError(Exception):
    """The checksum does not fit."""


def checksum(covered: bytes) -> bytes:
    """Four hexadecimal digits."""
    return b"%04X" % (-sum(covered) & 0xFFFF)


def read(frame: bytes, charset: str) -> Request:
    """A request without its CR. Raises SpoiltError, KeyError for one that is not known here."""
    trailer = _TRAILER.search(frame)
    if trailer is not None and checksum(frame[: trailer.end(2)]) != trailer[3]:
        raise SpoiltError
    text = (frame[: trailer.start()] if trailer else frame).decode(charset, "replace")
    code = text[:2]
    pieces = text[2 + _FIXED[code] :].split("|")
    sequence = int(trailer[1]) if trailer is not None and trailer[1] is not None else None
    return Request(code, {piece[:2]: piece[2:] for piece in pieces}, sequence)


class Conversation:
    """One connection."""

    def __init__(self, library: Library, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._library = library
        self._reader = reader
        self._writer = writer
        self._is_in = not library.logins
        self._last = b""

    async def run(self) -> None:
        """Answer until the other side hangs up, or asks for what it may not."""
        try:
            while True:
                frame = (await self._reader.readuntil(b"\r"))[:-1].strip(b"\n")
                answer = self._answer(frame)
                if answer is None:
                    break
                self._last = answer
                self._writer.write(answer)
                await self._writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self._writer.close()

    def _answer(self, frame: bytes) -> bytes | None:
        try:
            request = read(frame, self._library.charset)
        except SpoiltError:
            return b"96AZ" + checksum(b"96AZ") + b"\r"
        except KeyError:
            return None
        if request.code == "97":
            return self._last
        if request.code == "93":
            user, password = request.fields.get("CN", ""), request.fields.get("CO")
            self._is_in = self._is_in or self._library.logins.get(user) == password
            return self._framed("941" if self._is_in else "940", request)
        return self._framed(self._body(request), request) if self._is_in else None

    def _body(self, request: Request) -> str:
        now = f"{datetime.now(JAPAN):%Y%m%d    %H%M%S}"
        number = request.fields.get("AA", "")
        institution = f"AO{self._library.institution}|"
        if request.code == "99":
            return f"98YNNNNN030003{now}2.00{institution}BX{SUPPORTED}|"
        if request.code == "35":
            return f"36Y{now}{institution}AA{number}|"
        name = self._library.patrons.get(number)
        flags, valid = ("Y" * 4 + " " * 10, "N") if name is None else (" " * 14, "Y")
        counts = "0000" * 6 if request.code == "63" else ""
        code = {"23": "24", "63": "64"}[request.code]
        return f"{code}{flags}009{now}{counts}{institution}AA{number}|AE{name or ''}|BL{valid}|"

    def _framed(self, body: str, request: Request) -> bytes:
        text = body.encode(self._library.charset, "replace")
        if request.sequence is None:
            return text + b"\r"
        covered = b"%bAY%dAZ" % (text, request.sequence)
        return covered + checksum(covered) + b"\r"


async def serve(library: Library, port: int) -> asyncio.Server:
    """Listen on loopback; 0 takes a free port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Conversation(library, reader, writer).run()

    return await asyncio.start_server(talk, "127.0.0.1", port, limit=REQUEST_LIMIT_BYTES)
