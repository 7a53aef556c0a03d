"""Mails that are their text: to whoever keeps checkpoints, to operators and offices, to citizens about accounts."""

from typing import Final, NamedTuple

from connectors.mail.conversation import Reply
from connectors.mail.letters import (
    TWO_PARTS,
    Sign,
    both_parts,
    date_header,
    from_header,
    in_base64,
    subject_header,
    trace_header,
)
from connectors.mail.refusals import TRY_LATER_S, MailDeferredError, MailRefusedError, in_words, is_for_later
from connectors.mail.smtp import SmtpPool
from hub.clock import Clock
from hub.settings import Settings

_AUTOMATIC: Final = "Auto-Submitted: auto-generated\r\n"
_ONE_PART: Final = (
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
)


class PlainMail(NamedTuple):
    """What to send; `to` is a checked address, `name` what the Message-ID is made of, `page` the HTML part, if any."""

    to: str
    name: str
    subject: str
    text: str
    page: str = ""


class PlainMails:
    """Writes and sends them."""

    def __init__(self, settings: Settings, smtp: SmtpPool, sign: Sign | None, clock: Clock) -> None:
        self._sender = settings.mail_from
        self._from = from_header(settings.mail_from, settings.mail_from_name)
        self._smtp = smtp
        self._sign = sign
        self._clock = clock

    async def send(self, mail: PlainMail, traceparent: str) -> None:
        """Send one, of this trace.

        Raises:
            OutsideDownError: the mail server is not reached.
            TransientError: the mail server wants it later, or did not answer.
            MailRefusedError: the server refuses it for good.
        """
        reply = await self.deliver(mail, traceparent)
        if is_for_later(reply):
            raise MailDeferredError(in_words(reply), retry_after_s=TRY_LATER_S)
        if not reply.accepted:
            raise MailRefusedError(in_words(reply))

    async def deliver(self, mail: PlainMail, traceparent: str) -> Reply:
        """Send one, of this trace; what the server says to it. Raises OutsideDownError, NoAnswerError."""
        return await self._smtp.deliver(self._sender, mail.to, self._letter(mail, traceparent))

    def _letter(self, mail: PlainMail, traceparent: str) -> bytes:
        host = self._sender.rpartition("@")[2]
        headers = "".join(
            (
                self._from,
                f"To: {mail.to}\r\n",
                subject_header(mail.subject),
                date_header(self._clock.now()),
                f"Message-ID: <{mail.name}@{host}>\r\n",
                trace_header(traceparent),
                _AUTOMATIC,
                TWO_PARTS if mail.page else _ONE_PART,
            )
        ).encode("ascii")
        body = both_parts(mail.text, mail.page) if mail.page else in_base64(mail.text)
        signature = self._sign(headers, body) if self._sign is not None else b""
        return b"".join((signature, headers, b"\r\n", body))
