"""The ledger's signed checkpoints, mailed to whoever keeps them out of the hub's reach.

At least once, with the same Message-ID each time: two copies of one document hurt nobody, so nothing is recorded.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from string import Template
from typing import Final

from connectors.mail.addresses import checked_address
from connectors.mail.plain import PlainMail, PlainMails
from hub.clock import JAPAN
from hub.errors import PermanentError
from hub.settings import Settings
from hub.transaction import Transaction
from schemas.audit import CheckpointSigned
from schemas.message import Envelope
from schemas.notices import SendCheckpoint

DIGEST_CHARACTERS: Final = 32


class NoKeeperError(PermanentError):
    """MYKEY_CHECKPOINT_MAIL_TO was unset since this checkpoint was signed: set it, then redrive."""


class CheckpointMails:
    """Hears of checkpoints and mails them; with no address in the settings, it does not."""

    def __init__(self, settings: Settings, mails: PlainMails) -> None:
        """Raises AddressRefusedError where the address in the settings is none to send to."""
        keeper = settings.checkpoint_mail_to
        self._to = None if keeper is None else checked_address(keeper).text
        self._mails = mails
        subject, _, text = (files("connectors.mail") / "texts" / "checkpoint.txt").read_text("utf-8").partition("\n\n")
        self._subject, self._text = Template(subject), Template(text)

    async def signed(self, events: Sequence[CheckpointSigned], tx: Transaction) -> None:
        """Ask for one mail for each checkpoint."""
        if self._to is None:
            return
        for about, event in enumerate(events):
            tx.send(SendCheckpoint(number=event.number, document=event.document), about)

    async def send(self, envelope: Envelope) -> None:
        """Send a SendCheckpoint.

        Raises:
            OutsideDownError: the mail server is not reached.
            TransientError: the mail server wants it later, or did not answer.
            MailRefusedError: the server refuses it for good.
            NoKeeperError: there is nobody to send it to any more.
        """
        command = envelope.message
        if not isinstance(command, SendCheckpoint):
            raise TypeError(envelope.type)
        if self._to is None:
            raise NoKeeperError(str(command.number))
        digest = hashlib.sha256(command.document.encode()).hexdigest()[:DIGEST_CHARACTERS]
        name, subject = f"checkpoint.{command.number}.{digest}", self._subject.substitute(number=command.number)
        await self._mails.send(PlainMail(self._to, name, subject, self._words(command)), envelope.traceparent)

    def _words(self, command: SendCheckpoint) -> str:
        at = datetime.fromisoformat(json.loads(command.document)["time"]).astimezone(JAPAN)
        time = f"{at.year}年{at.month}月{at.day}日 {at:%H:%M:%S}（日本時間）"
        return self._text.substitute(number=command.number, time=time, document=command.document)
