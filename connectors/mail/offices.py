"""Approval requests, mailed to the municipality's office with the address of the page (mission I.7).

Each is sent at least once, with the same Message-ID.
"""

from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import Final
from urllib.parse import quote

import structlog

from connectors.mail.addresses import AddressRefusedError, checked_address
from connectors.mail.plain import PlainMail, PlainMails
from connectors.mail.texts import one_line
from hub.component import Unasked
from hub.ids import uuid7
from hub.transaction import Transaction
from schemas.message import Envelope
from schemas.notices import SendApprovalRequest
from schemas.offers import ApprovalAsked

PAGE: Final = "/municipal/offers"

log = structlog.get_logger()


class OfficeMails:
    """Hears that a municipality is asked, and mails it."""

    def __init__(self, mails: PlainMails, own_url: str) -> None:
        self._mails = mails
        self._own_url = own_url
        subject, _, text = (
            (files("connectors.mail") / "texts" / "approval_asked.txt").read_text("utf-8").partition("\n\n")
        )
        self._subject, self._text = Template(subject), Template(text)

    async def asked(self, events: Sequence[ApprovalAsked], tx: Transaction) -> None:
        """Ask for one mail for each."""
        for about, event in enumerate(events):
            path = f"{PAGE}/{event.party_id}/{quote(event.offer_id, safe='')}"
            request = SendApprovalRequest(
                notice_id=uuid7(),
                party=event.party,
                title=event.title,
                merchant=event.merchant,
                url=f"{self._own_url}{path}",
                address=event.mail,
            )
            tx.send(request, about)

    async def send(self, envelope: Envelope) -> Unasked | None:
        """Send a SendApprovalRequest; an address that is none gets nothing.

        Raises:
            OutsideDownError: the mail server is not reached.
            TransientError: the mail server wants it later, or did not answer.
            MailRefusedError: the server refuses it for good.
        """
        command = envelope.message
        if not isinstance(command, SendApprovalRequest):
            raise TypeError(envelope.type)
        try:
            to = checked_address(command.address).text
        except AddressRefusedError:
            log.warning("approval_request_not_sent", notice_id=command.notice_id)
            return Unasked.UNASKED
        words = {
            "party": one_line(command.party),
            "title": one_line(command.title),
            "merchant": one_line(command.merchant),
            "url": command.url,
        }
        subject, text = self._subject.substitute(words), self._text.substitute(words)
        await self._mails.send(PlainMail(to, f"{command.notice_id}", subject, text), envelope.traceparent)
        return None
