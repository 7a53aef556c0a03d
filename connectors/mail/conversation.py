"""One connection to the mail server, once it is open, safe and logged in: mails, with commands sent together.

aiosmtplib opens the connection; from there on the commands of a mail go out in one piece where the server allows it
(PIPELINING, RFC 2920): two round trips a mail instead of four, and a third of the cost.
"""

import asyncio
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from aiosmtplib import SMTP

REPLY_LIMIT_BYTES: Final = 32_768

_START_INPUT: Final = 354
_GOOD: Final = 2
_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])(?:([245]\.[0-9]{1,3}\.[0-9]{1,3})\b)?|\r?$)")


class ConversationError(Exception):
    """The connection is lost, or the server does not speak SMTP."""


class Stage(StrEnum):
    """How far a mail came."""

    sender = "sender"
    recipient = "recipient"
    content = "content"


@dataclass(frozen=True, slots=True)
class Reply:
    """The server's last word on one mail. Its free text is left behind: it may repeat the address.

    Attributes:
        stage: the step that was answered.
        code: 250, or the three digits that say why not.
        status: the enhanced status code (RFC 3463) such as `5.1.1`, or empty.
    """

    stage: Stage
    code: int
    status: str = ""

    @property
    def accepted(self) -> bool:
        """The server has taken the mail and answers for it now."""
        return self.stage is Stage.content and self.code // 100 == _GOOD


@dataclass(frozen=True, slots=True)
class _Said:
    """One reply as it came."""

    code: int
    status: str


class Conversation(asyncio.Protocol):
    """One mail at a time; after any error but a refusal the connection is of no more use.

    A mail is small and answered before the next, so what waits to be written is bounded without flow control.
    """

    def __init__(self, client: SMTP, timeout_s: float) -> None:
        """Take over a connection on which EHLO has been answered; each answer is waited for `timeout_s`.

        Raises:
            ConversationError: it has been lost meanwhile.
        """
        if client.transport is None or client.transport.is_closing():
            raise ConversationError("lost before the first mail")
        # uvloop's transports have the methods of asyncio's, but not its classes.
        self._transport = cast("asyncio.Transport", client.transport)
        self._pipelining = client.supports_extension("pipelining")
        self._timeout_s = timeout_s
        self._buffer = b""
        self._said: list[_Said] = []
        self._wanted = 0
        self._answered: asyncio.Future[None] | None = None
        self._transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether another mail may be tried."""
        return not self._transport.is_closing()

    async def deliver(self, sender: str, recipient: str, message: bytes) -> Reply:
        """Hand one mail over; the addresses are checked ones, the message has CRLF line ends.

        Raises:
            ConversationError: the connection was lost; whether the mail was taken is unknown.
            TimeoutError: the same.
        """
        mail = f"MAIL FROM:<{sender}>\r\n".encode("ascii")
        rcpt = f"RCPT TO:<{recipient}>\r\n".encode("ascii")
        said = await self._commands(mail, rcpt, b"DATA\r\n")
        for stage, one in zip(Stage, said, strict=False):
            if one.code // 100 != _GOOD and one.code != _START_INPUT:
                await self._reset(data_begun=said[-1].code == _START_INPUT)
                return Reply(stage, one.code, one.status)
        (last,) = await self._say(message.replace(b"\r\n.", b"\r\n..") + b".\r\n", 1)
        return Reply(Stage.content, last.code, last.status)

    def close(self) -> None:
        """Say goodbye and hang up."""
        if self.is_open:
            self._transport.write(b"QUIT\r\n")
        self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in what came, and wake who waits once all replies are there (asyncio's)."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            found = _LINE.match(line)
            if found is None:
                self._fail("no SMTP reply")
                return
            if found[2] != b"-":
                self._said.append(_Said(int(found[1]), (found[3] or b"").decode("ascii")))
        if self._answered is None or len(self._buffer) > REPLY_LIMIT_BYTES or len(self._said) > self._wanted:
            # Nobody asked: a server that is about to hang up says so.
            self._fail("more than was asked for")
        elif len(self._said) == self._wanted and not self._answered.done():
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits (asyncio's)."""
        self._fail("lost" if exc is None else type(exc).__name__)

    async def _commands(self, *commands: bytes) -> list[_Said]:
        if self._pipelining:
            return await self._say(b"".join(commands), len(commands))
        said: list[_Said] = []
        for command in commands:
            said += await self._say(command, 1)
            if said[-1].code // 100 > _START_INPUT // 100:
                break
        return said

    async def _say(self, data: bytes, replies: int) -> list[_Said]:
        if not self.is_open:
            raise ConversationError("lost")
        self._said, self._wanted = [], replies
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._answered
        finally:
            self._answered = None
        return self._said

    async def _reset(self, *, data_begun: bool) -> None:
        """Ready for the next mail, or closed: what was said of this one stands either way."""
        try:
            if data_begun:
                # The commands went out together, and the server waits for a mail to nobody: an empty one.
                await self._say(b".\r\n", 1)
            await self._say(b"RSET\r\n", 1)
        except (ConversationError, TimeoutError):
            self.abort()

    def _fail(self, why: str) -> None:
        self._transport.abort()
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConversationError(why))
