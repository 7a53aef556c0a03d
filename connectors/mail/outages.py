"""Outages of other sides, mailed to the operators: one mail when one begins, one when it is over.

While the mail server itself is down nothing can be mailed: the log and the metrics tell it, and the mail that it is
over says how long that was. Each is sent at least once, with the same Message-ID.
"""

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from string import Template
from typing import Final

import structlog

from connectors.mail.addresses import checked_address
from connectors.mail.plain import PlainMail, PlainMails
from connectors.mail.smtp import MAIL_SERVER
from hub.clock import JAPAN
from hub.errors import PermanentError
from hub.settings import Settings
from hub.transaction import Transaction
from schemas.message import Envelope
from schemas.outages import OutageBegan, OutageEnded, SendOutageMail

OURS: Final = ("mail.outside", MAIL_SERVER)
BEGAN: Final = "began"
ENDED: Final = "ended"
MINUTE_S: Final = 60
SETTING: Final = "MYKEY_OPERATOR_MAIL_TO"

log = structlog.get_logger()


class NoOperatorError(PermanentError):
    """MYKEY_OPERATOR_MAIL_TO was unset since this outage: set it, then redrive."""


class OutageMails:
    """Hears of outages and mails them; with no address in the settings, it does not."""

    def __init__(self, settings: Settings, mails: PlainMails) -> None:
        """Raises AddressRefusedError where the address in the settings is none to send to."""
        operators = settings.operator_mail_to
        self._to = None if operators is None else checked_address(operators).text
        self._mails = mails
        self._words = {name: _words(name) for name in (BEGAN, ENDED)}

    async def began(self, events: Sequence[OutageBegan], tx: Transaction) -> None:
        """Ask for a mail for each, but for the mail server's own."""
        if self._to is None:
            log.warning("outages_told_to_nobody", setting=SETTING, outages=len(events))
        for about, event in enumerate(events):
            if self._to is not None and (event.receiver, event.destination) != OURS:
                tx.send(SendOutageMail(**event.model_dump()), about)

    async def ended(self, events: Sequence[OutageEnded], tx: Transaction) -> None:
        """Ask for a mail for each."""
        for about, event in enumerate(events):
            if self._to is not None:
                tx.send(SendOutageMail(**event.model_dump(exclude={"probes"})), about)

    async def send(self, envelope: Envelope) -> None:
        """Send a SendOutageMail.

        Raises:
            OutsideDownError: the mail server is not reached.
            TransientError: the mail server wants it later, or did not answer.
            MailRefusedError: the server refuses it for good.
            NoOperatorError: there is nobody to send it to any more.
        """
        command = envelope.message
        if not isinstance(command, SendOutageMail):
            raise TypeError(envelope.type)
        if self._to is None:
            raise NoOperatorError(str(command.outage_id))
        name = BEGAN if command.ended_at is None else ENDED
        subject, text = (template.substitute(_filling(command)) for template in self._words[name])
        mail = PlainMail(self._to, f"outage.{command.outage_id}.{name}", subject, text)
        await self._mails.send(mail, envelope.traceparent)


def _words(name: str) -> tuple[Template, Template]:
    """The subject and the text, in Japanese and English."""
    subject, _, text = (files("connectors.mail") / "texts" / f"outage_{name}.txt").read_text("utf-8").partition("\n\n")
    return Template(subject), Template(text)


def _filling(command: SendOutageMail) -> dict[str, str]:
    ended_at = command.ended_at or command.began_at
    minutes, seconds = divmod(round((ended_at - command.began_at).total_seconds()), MINUTE_S)
    return {
        "destination": command.destination,
        "receiver": command.receiver,
        "error": command.error,
        "began": _time(command.began_at),
        "ended": _time(ended_at),
        "minutes": str(minutes),
        "seconds": str(seconds),
    }


def _time(at: datetime) -> str:
    return f"{at.astimezone(JAPAN):%Y-%m-%d %H:%M:%S} JST"
