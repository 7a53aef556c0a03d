"""What shops and funds ask of a municipality, mailed to its office with the address of the page (mission I.7, I.8).

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
from schemas.notices import OfficeMailKind, SendOfficeMail
from schemas.offers import ApprovalAsked, ScreeningPassed

OFFERS: Final = "/municipal/offers"
REFERRALS: Final = "/municipal/referrals"

log = structlog.get_logger()


class OfficeMails:
    """Hears that a municipality is asked, and mails it."""

    def __init__(self, mails: PlainMails, own_url: str) -> None:
        self._mails = mails
        self._own_url = own_url
        self._words = {kind: _words(kind) for kind in OfficeMailKind}

    async def asked(self, events: Sequence[ApprovalAsked], tx: Transaction) -> None:
        """Ask for one mail for each."""
        for about, event in enumerate(events):
            path = f"{OFFERS}/{event.party_id}/{quote(event.offer_id, safe='')}?revision={event.revision}"
            request = SendOfficeMail(
                notice_id=uuid7(),
                kind=OfficeMailKind.approval_asked,
                party=event.party,
                title=event.title,
                merchant=event.merchant,
                url=f"{self._own_url}{path}",
                address=event.mail,
            )
            tx.send(request, about)

    async def passed(self, events: Sequence[ScreeningPassed], tx: Transaction) -> None:
        """Ask for one mail for each."""
        for about, event in enumerate(events):
            request = SendOfficeMail(
                notice_id=uuid7(),
                kind=OfficeMailKind.screening_passed,
                party=event.party,
                title=event.business,
                url=f"{self._own_url}{REFERRALS}/{event.referral_id}",
                address=event.mail,
            )
            tx.send(request, about)

    async def send(self, envelope: Envelope) -> Unasked | None:
        """Send a SendOfficeMail; an address that is none gets nothing.

        Raises:
            OutsideDownError: the mail server is not reached.
            TransientError: the mail server wants it later, or did not answer.
            MailRefusedError: the server refuses it for good.
        """
        command = envelope.message
        if not isinstance(command, SendOfficeMail):
            raise TypeError(envelope.type)
        try:
            to = checked_address(command.address).text
        except AddressRefusedError:
            log.warning("office_mail_not_sent", notice_id=command.notice_id)
            return Unasked.UNASKED
        words = {
            "party": one_line(command.party),
            "title": one_line(command.title),
            "merchant": one_line(command.merchant),
            "url": command.url,
        }
        subject, text = (template.substitute(words) for template in self._words[command.kind])
        await self._mails.send(PlainMail(to, f"{command.notice_id}", subject, text), envelope.traceparent)
        return None


def _words(kind: OfficeMailKind) -> tuple[Template, Template]:
    """The subject and the text."""
    subject, _, text = (files("connectors.mail") / "texts" / f"{kind.value}.txt").read_text("utf-8").partition("\n\n")
    return Template(subject), Template(text)
