"""One connection to a library system: logged in, asked how it is, then one question at a time."""

import asyncio
import re
import ssl
from enum import StrEnum
from typing import Final

from connectors.library import sip2
from connectors.library.sip2 import ChecksumError, NotSip2Error, Reply
from hub.clock import Clock
from schemas.libraries import LibrarySite

RETRY_LIMIT: Final = 3
"""How often in all a frame is asked for again, sent again, or passed over, before a question is given up."""
READ_BYTES: Final = 4_096

_LINE_END: Final = re.compile(rb"[\r\n]")
_STATUS_BY_23: Final = 0
_YES: Final = "Y"


class LineLostError(Exception):
    """The connection is gone, or of no more use."""


class LoginRefusedError(Exception):
    """The library system does not let us in: the login registered here is not right."""


class ClosedError(Exception):
    """The library system says of itself that it is not at work."""


class NotUnderstoodError(Exception):
    """The answer does not say whether there is such a patron: mostly the charset registered here is not right."""


class Patron(StrEnum):
    """All that is taken from an answer about a patron."""

    known = "known"
    unknown = "unknown"


class Line:
    """One connection; after any error it is of no more use."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: LibrarySite, clock: Clock
    ) -> None:
        self.site = site
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._received = bytearray()
        self._sequence = 0
        self._takes_23 = True

    @classmethod
    async def connect(cls, site: LibrarySite, clock: Clock) -> "Line":
        """Raises OSError (a certificate that does not fit is one), TimeoutError."""
        secure = ssl.create_default_context() if site.security == "tls" else None
        async with asyncio.timeout(site.timeout_s):
            reader, writer = await asyncio.open_connection(
                site.host, site.port, ssl=secure, limit=sip2.FRAME_LIMIT_BYTES
            )
        return cls(reader, writer, site, clock)

    @property
    def is_open(self) -> bool:
        """Whether the other side has not hung up, as far as we know."""
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def log_in(self) -> None:
        """93, where there is a login. Raises LoginRefusedError and what `_ask` raises."""
        if self.site.login:
            body = sip2.login(self.site.login, self.site.password, self.site.location)
            reply = await self._ask(body, sip2.LOGIN)
            if reply.fixed != "1":
                raise LoginRefusedError

    async def status(self) -> Reply:
        """99: learn what it can be asked. Raises ClosedError and what `_ask` raises."""
        reply = await self._ask(sip2.status(), sip2.STATUS)
        if reply.fixed[0] != _YES:
            raise ClosedError
        supported = reply.fields.get("BX", "")
        self._takes_23 = supported[_STATUS_BY_23 : _STATUS_BY_23 + 1] != "N"
        return reply

    async def patron(self, number: str) -> Patron:
        """Whether there is a patron of this very number. Raises NotUnderstoodError and what `_ask` raises."""
        make, code = (
            (sip2.patron_status, sip2.PATRON_STATUS)
            if self._takes_23
            else (sip2.patron_information, sip2.PATRON_INFORMATION)
        )
        site = self.site
        reply = await self._ask(make(self._clock.now(), site.institution, number, site.terminal_password), code)
        valid = reply.fields.get("BL")
        if valid not in {_YES, "N"}:
            raise NotUnderstoodError
        # Some systems find a patron by another number too; that one is not what the card says.
        is_same = reply.fields.get("AA") in {None, "", number}
        return Patron.known if valid == _YES and is_same else Patron.unknown

    def close(self) -> None:
        """Hang up at once; what was not answered is of no interest any more."""
        self._writer.transport.abort()

    async def _ask(self, body: str, code: str) -> Reply:
        """One question, one answer.

        Raises:
            LineLostError: no connection any more, too long a frame, or frames that are spoilt again and again.
            TimeoutError: no answer in the site's time.
        """
        sequence = self._sequence if self.site.checksums else None
        self._sequence = (self._sequence + 1) % sip2.SEQUENCES
        frame = sip2.framed(body, self.site.charset, sequence)
        try:
            async with asyncio.timeout(self.site.timeout_s):
                await self._send(frame)
                for _ in range(1 + RETRY_LIMIT):
                    reply = await self._reply(frame)
                    if reply is not None and reply.code == code and _is_in_turn(reply, sequence):
                        return reply
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise LineLostError from error
        raise LineLostError

    async def _reply(self, frame: bytes) -> Reply | None:
        """The next frame; None where one was spoilt or asked for, and something was sent because of that."""
        try:
            reply = sip2.read(await self._frame(), self.site.charset)
        except ChecksumError:
            await self._send(sip2.resend())
            return None
        except NotSip2Error as error:
            raise LineLostError from error
        if reply.code == sip2.RESEND:
            await self._send(frame)
            return None
        return reply

    async def _send(self, frame: bytes) -> None:
        self._writer.write(frame)
        await self._writer.drain()

    async def _frame(self) -> bytes:
        """The next frame that is not empty: some systems end theirs by CR LF. The time is limited by `_ask`."""
        while True:
            ended = _LINE_END.search(self._received)
            if ended is not None:
                frame = bytes(self._received[: ended.start()])
                del self._received[: ended.end()]
                if frame.strip():
                    return frame
                continue
            if len(self._received) > sip2.FRAME_LIMIT_BYTES:
                raise LineLostError
            received = await self._reader.read(READ_BYTES)
            if not received:
                raise LineLostError
            self._received += received


def _is_in_turn(reply: Reply, asked: int | None) -> bool:
    """Where we have numbered nothing, systems that number all the same count as they like."""
    return asked is None or reply.sequence in {asked, None}
