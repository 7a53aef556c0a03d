"""Carrying letters to the mail server: a few connections, kept open, one mail at a time each (RFC 5321)."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import structlog
from aiosmtplib import SMTP, SMTPDataError, SMTPException
from aiosmtplib.errors import SMTPResponseException

from hub.clock import Clock
from hub.errors import TransientError

IDLE_LIMIT_S: Final = 20.0
"""A connection that nobody used for so long is not trusted any more."""
MAILS_PER_CONNECTION_LIMIT: Final = 500
QUIT_TIMEOUT_S: Final = 2.0
DOWN_S: Final = 5.0
"""How long nobody tries again after the server could not be reached."""

_ENHANCED_STATUS: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")
_GOOD: Final = 2

log = structlog.get_logger()


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
class Server:
    """The mail server we hand everything to.

    Attributes:
        security: `tls` from the first byte, `starttls` always, or `none`; certificates are always checked.
        timeout_s: for connecting, and for each answer.
    """

    host: str
    port: int
    security: str
    local_hostname: str
    timeout_s: float
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class _Line:
    """One connection."""

    client: SMTP
    mails: int = 0
    used_at: float = 0.0


class SmtpPool:
    """At most `connections_limit` connections to the server; the one used last is used first."""

    def __init__(self, server: Server, connections_limit: int, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._slots = asyncio.Semaphore(connections_limit)
        self._idle: list[_Line] = []
        self._down_until = 0.0

    async def deliver(self, sender: str, recipient: str, message: bytes) -> Reply:
        """Hand one mail over; the addresses are checked ones, the message has CRLF line ends.

        Raises:
            TransientError: no connection, no answer in time, or the connection was lost: whether the mail was
                taken is then unknown.
        """
        async with self._slots, self._line() as line:
            reply = await self._hand_over(line.client, sender, recipient, message)
            if not reply.accepted:
                await _reset(line.client)
        return reply

    async def close(self) -> None:
        """Say goodbye on all idle connections."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_quit(line.client) for line in idle))

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[_Line]:
        line = self._kept_line() or await self._new_line()
        healthy = False
        try:
            yield line
            healthy = True
        except (SMTPException, OSError, TimeoutError) as error:
            raise TransientError(f"SMTP: {type(error).__name__}") from None
        finally:
            if healthy and line.client.is_connected and line.mails < MAILS_PER_CONNECTION_LIMIT:
                line.mails += 1
                line.used_at = self._clock.monotonic()
                self._idle.append(line)
            else:
                line.client.close()

    def _kept_line(self) -> _Line | None:
        while self._idle:
            line = self._idle.pop()
            if line.client.is_connected and self._clock.monotonic() - line.used_at < IDLE_LIMIT_S:
                return line
            line.client.close()
        return None

    async def _new_line(self) -> _Line:
        down_s = self._down_until - self._clock.monotonic()
        if down_s > 0:
            raise TransientError("the mail server is not reached", retry_after_s=down_s)
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=server.local_hostname,
            timeout=server.timeout_s,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            username=server.user,
            password=server.password,
        )
        try:
            await client.connect()
            await client.ehlo()
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            self._down_until = self._clock.monotonic() + DOWN_S
            code = error.code if isinstance(error, SMTPResponseException) else None
            log.warning("mail_server_not_reached", error=type(error).__name__, code=code)
            raise TransientError(f"SMTP: {type(error).__name__}", retry_after_s=DOWN_S) from None
        return _Line(client)

    async def _hand_over(self, client: SMTP, sender: str, recipient: str, message: bytes) -> Reply:
        # The single commands instead of sendmail(): they say which step was refused, at half the cost.
        answer = await client.execute_command(b"MAIL", b"FROM:<" + sender.encode("ascii") + b">")
        if answer.code // 100 != _GOOD:
            return _reply(Stage.sender, answer.code, answer.message)
        answer = await client.execute_command(b"RCPT", b"TO:<" + recipient.encode("ascii") + b">")
        if answer.code // 100 != _GOOD:
            return _reply(Stage.recipient, answer.code, answer.message)
        try:
            answer = await client.data(message)
        except SMTPDataError as error:
            return _reply(Stage.content, error.code, error.message)
        return _reply(Stage.content, answer.code, answer.message)


def _reply(stage: Stage, code: int, text: str) -> Reply:
    found = _ENHANCED_STATUS.match(text)
    return Reply(stage, code, found[0] if found else "")


async def _reset(client: SMTP) -> None:
    """Ready for the next mail, or closed: either way what was said of this one stands."""
    try:
        await client.rset()
    except (SMTPException, OSError, TimeoutError):
        client.close()


async def _quit(client: SMTP) -> None:
    with suppress(SMTPException, OSError, TimeoutError):
        await client.quit(timeout=QUIT_TIMEOUT_S)
    client.close()
