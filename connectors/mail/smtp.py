"""Carrying letters to the mail server: a few connections, kept open, one mail at a time each (RFC 5321)."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from connectors.mail.conversation import Conversation, ConversationError, Reply
from hub.clock import Clock
from hub.errors import NoAnswerError, OutsideDownError

IDLE_LIMIT_S: Final = 20.0
"""A connection that nobody used for so long is not trusted any more."""
MAILS_PER_CONNECTION_LIMIT: Final = 500
MAIL_SERVER: Final = "smtp"
"""The one other side of all mails."""
DOWN_S: Final = 5.0
"""How long the server is left alone after it could not be reached."""
ANSWERS_LIMIT: Final = 24
"""The most answers that one mail waits for: connection, greeting, TLS, each way to log in, the mail, and a reset."""
STRAGGLERS_S: Final = 1.0
"""How long mails that are in work already, and waited for a connection, are not tried after that."""

log = structlog.get_logger()


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

    conversation: Conversation
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
            OutsideDownError: no connection: no mail is worth a try now.
            NoAnswerError: no answer in time, or the connection was lost: whether the mail was taken is unknown.
        """
        async with self._slots:
            line = self._kept_line() or await self._new_line()
            answered = False
            try:
                reply = await line.conversation.deliver(sender, recipient, message)
                answered = True
            except (ConversationError, TimeoutError) as error:
                raise NoAnswerError(f"SMTP: {type(error).__name__}", destination=MAIL_SERVER) from None
            finally:
                self._put_back(line, usable=answered)
        return reply

    async def close(self) -> None:
        """Say goodbye on all idle connections."""
        while self._idle:
            self._idle.pop().conversation.close()

    def _kept_line(self) -> _Line | None:
        while self._idle:
            line = self._idle.pop()
            if line.conversation.is_open and self._clock.monotonic() - line.used_at < IDLE_LIMIT_S:
                return line
            line.conversation.close()
        return None

    def _put_back(self, line: _Line, *, usable: bool) -> None:
        line.mails += 1
        line.used_at = self._clock.monotonic()
        if not usable:
            line.conversation.abort()
        elif line.mails < MAILS_PER_CONNECTION_LIMIT:
            self._idle.append(line)
        else:
            line.conversation.close()

    async def _new_line(self) -> _Line:
        down_s = self._down_until - self._clock.monotonic()
        if down_s > 0:
            raise OutsideDownError("the mail server is not reached", destination=MAIL_SERVER, retry_after_s=down_s)
        client = client_of(self._server)
        try:
            await client.connect()
            await client.ehlo()
            return _Line(Conversation(client, self._server.timeout_s))
        except (SMTPException, OSError, TimeoutError, ConversationError) as error:
            client.close()
            self._down_until = self._clock.monotonic() + STRAGGLERS_S
            code = error.code if isinstance(error, SMTPResponseException) else None
            log.warning("mail_server_not_reached", error=type(error).__name__, code=code)
            raise OutsideDownError(
                f"SMTP: {type(error).__name__}", destination=MAIL_SERVER, retry_after_s=DOWN_S
            ) from None


def try_limit_s(server: Server) -> float:
    """How long one mail may take that is taken in the end, a connection of its own included."""
    return server.timeout_s * ANSWERS_LIMIT


def client_of(server: Server) -> SMTP:
    """Opens one connection: TLS, certificate, login."""
    return SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname=server.local_hostname,
        timeout=server.timeout_s,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        username=server.user,
        password=server.password,
    )
