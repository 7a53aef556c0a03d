"""Merges that no street has answered in time, mailed to the operators: one mail for what became overdue together."""

from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import Final
from uuid import UUID

import structlog

from connectors.mail.addresses import checked_address
from connectors.mail.outages import SETTING, NoOperatorError
from connectors.mail.plain import PlainMail, PlainMails
from hub.clock import JAPAN
from hub.settings import Settings
from hub.transaction import Transaction
from schemas.merges import MergeOverdue, SendOverdueMail
from schemas.message import Envelope

TEXT: Final = "merges_overdue.txt"

log = structlog.get_logger()


class OverdueMails:
    """Hears of overdue merges and mails them; with no address in the settings, it does not."""

    def __init__(self, settings: Settings, mails: PlainMails) -> None:
        """Raises AddressRefusedError where the address in the settings is none to send to."""
        operators = settings.operator_mail_to
        self._to = None if operators is None else checked_address(operators).text
        self._mails = mails
        subject, _, text = (files("connectors.mail") / "texts" / TEXT).read_text("utf-8").partition("\n\n")
        self._subject, self._text = Template(subject), Template(text)

    async def overdue(self, events: Sequence[MergeOverdue], tx: Transaction) -> None:
        """Ask for one mail a street."""
        if self._to is None:
            log.warning("overdue_merges_told_to_nobody", setting=SETTING, merges=len(events))
            return
        by_street: dict[UUID, list[MergeOverdue]] = {}
        for event in events:
            by_street.setdefault(event.street_id, []).append(event)
        for street_id, merges in by_street.items():
            tx.send(
                SendOverdueMail(
                    street_id=street_id,
                    first_hold_id=merges[0].hold_id,
                    merges=len(merges),
                    points=sum(merge.points for merge in merges),
                    opened_at=min(merge.opened_at for merge in merges),
                ),
                events.index(merges[0]),
            )

    async def send(self, envelope: Envelope) -> None:
        """Send a SendOverdueMail.

        Raises:
            OutsideDownError: the mail server is not reached.
            TransientError: the mail server wants it later, or did not answer.
            MailRefusedError: the server refuses it for good.
            NoOperatorError: there is nobody to send it to any more.
        """
        command = envelope.message
        if not isinstance(command, SendOverdueMail):
            raise TypeError(envelope.type)
        if self._to is None:
            raise NoOperatorError(str(command.first_hold_id))
        filling = {
            "street": str(command.street_id),
            "merges": str(command.merges),
            "points": f"{command.points:,}",
            "opened": f"{command.opened_at.astimezone(JAPAN):%Y-%m-%d %H:%M:%S} JST",
        }
        subject, text = self._subject.substitute(filling), self._text.substitute(filling)
        mail = PlainMail(self._to, f"overdue.{command.first_hold_id}", subject, text)
        await self._mails.send(mail, envelope.traceparent)
