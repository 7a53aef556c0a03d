"""The SMTP side, on aiosmtpd; a mail is read in one piece and not line by line, at half the cost."""

import asyncio
import logging
import re
import ssl
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from tests.peers.mailbox.faults import Faults
from tests.peers.mailbox.kept import Kept

MAIL_LIMIT_BYTES: Final = 1 << 20
IDLE_TIMEOUT_S: Final = 300

_END: Final = b"\r\n.\r\n"
_PLAIN_ADDRESS: Final = re.compile(r"<([A-Za-z0-9._+-]+@[A-Za-z0-9.-]+)>(.*)")


class Hooks:
    """What aiosmtpd asks at each step of a mail."""

    def __init__(self, kept: Kept, faults: Faults, *, pipelining: bool = True) -> None:
        self.pipelining = pipelining
        self.kept = kept
        self.faults = faults

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, answers: list[str]
    ) -> list[str]:
        """Commands may come together: they are read from a stream anyway."""
        session.host_name = hostname
        return [answers[0], "250-PIPELINING", *answers[1:]] if self.pipelining else answers

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender, or not."""
        if self.faults.sender_reply is not None:
            self.kept.refused += 1
            return self.faults.sender_reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the recipient, or not."""
        refusal = self.faults.for_recipient(address)
        if refusal is not None:
            self.kept.refused += 1
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: "Catcher", _session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail, or not."""
        if self.faults.delay_s:
            await asyncio.sleep(self.faults.delay_s)
        refusal = self.faults.for_data()
        if refusal is not None:
            self.kept.refused += 1
            return refusal
        content = envelope.content
        for recipient in envelope.rcpt_tos:
            self.kept.keep(envelope.mail_from or "", recipient, content if isinstance(content, bytes) else b"")
        if self.faults.takes_drop():
            server.cut()
        return "250 OK"


class Catcher(SMTP):
    """One connection."""

    # aiosmtpd gives its stream reader this limit: here it bounds the whole mail.
    line_length_limit = MAIL_LIMIT_BYTES

    def __init__(self, hooks: Hooks, hostname: str, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(
            hooks,
            data_size_limit=MAIL_LIMIT_BYTES,
            hostname=hostname,
            timeout=IDLE_TIMEOUT_S,
            tls_context=tls,
            loop=asyncio.get_running_loop(),
        )
        hooks.kept.connections += 1
        self._answers = b""

    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Read the mail in one piece, up to the line with a dot."""
        if await self.check_helo_needed():
            return
        envelope = self.envelope
        if envelope is None or not envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        if arg:
            await self.push("501 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        mail = await self._reader.readuntil(_END)
        envelope.content = mail[:-3].replace(b"\r\n..", b"\r\n.")
        status: Any = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        if self.transport is not None:
            await self.push(status)

    async def push(self, status: str | bytes) -> None:
        """Answers to commands that came together go back together."""
        self._answers += status.encode() if isinstance(status, str) else status
        self._answers += b"\r\n"
        if not self._reader._buffer:  # type: ignore[attr-defined]
            self._writer.write(self._answers)
            self._answers = b""
            await self._writer.drain()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The ordinary address without the email package's parser, which takes longer than all the rest."""
        found = _PLAIN_ADDRESS.fullmatch(arg)
        return (found[1], found[2]) if found else super()._getaddr(arg)

    def cut(self) -> None:
        """Hang up at once."""
        self._writer.transport.abort()


async def serve_smtp(hooks: Hooks, port: int, hostname: str = "mailbox.invalid") -> tuple[asyncio.Server, int]:
    """Listen on 127.0.0.1. Returns the server and its port."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Catcher(hooks, hostname), "127.0.0.1", port)
    bound: int = server.sockets[0].getsockname()[1]
    return server, bound
