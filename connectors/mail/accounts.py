"""Mails about a MyKey ID, its password and its mail address, to whoever has to know.

The old address is told of a new one, whatever was chosen: whoever took an account over would change it first. Each mail
is sent at least once, with the same Message-ID.
"""

import html
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Final

import structlog

from connectors.mail.addresses import Address, AddressRefusedError, checked_address
from connectors.mail.conversation import Reply
from connectors.mail.domains import DomainLimits
from connectors.mail.plain import PlainMail, PlainMails
from connectors.mail.recipients import Person, Recipients
from connectors.mail.refusals import MailDeferredError, MailRefusedError, Verdict, Verdicts, in_words
from connectors.mail.statements import FORGET_RECIPIENTS, REVOKE
from connectors.mail.texts import Words, in_paragraphs, one_line, page_of
from hub.clock import JAPAN
from hub.component import Handler, Unasked
from hub.database import Database
from hub.ids import uuid7
from hub.transaction import Transaction
from schemas.id_links import AccountLinked
from schemas.message import Envelope, Message
from schemas.mykey_ids import MailAddressChanged, MyKeyIdChanged, MyKeyIdCreated, MyKeyIdRevoked, PasswordChanged
from schemas.notices import AccountNoticeKind, SendAccountNotice

NoticedChange = MyKeyIdCreated | MyKeyIdChanged | MyKeyIdRevoked | PasswordChanged | AccountLinked

KIND_OF: Final[Mapping[type[NoticedChange], AccountNoticeKind]] = {
    MyKeyIdCreated: AccountNoticeKind.mykey_id_created,
    MyKeyIdChanged: AccountNoticeKind.mykey_id_changed,
    MyKeyIdRevoked: AccountNoticeKind.mykey_id_revoked,
    PasswordChanged: AccountNoticeKind.password_changed,
    AccountLinked: AccountNoticeKind.account_linked,
}
CHOSE: Final[Mapping[type[NoticedChange], Callable[[Person], bool]]] = {
    MyKeyIdCreated: lambda person: person.on_mykey_id_change,
    MyKeyIdChanged: lambda person: person.on_mykey_id_change,
    MyKeyIdRevoked: lambda person: person.on_mykey_id_change,
    PasswordChanged: lambda person: person.on_password_change,
    AccountLinked: lambda _person: True,  # whoever took the account over would link an account of their own
}

log = structlog.get_logger()


class AccountMails:
    """Hears of changes and mails them."""

    def __init__(
        self, recipients: Recipients, mails: PlainMails, database: Database, domains: DomainLimits, verdicts: Verdicts
    ) -> None:
        self._recipients = recipients
        self._database = database
        self._mails = mails
        self._domains = domains
        self._verdicts = verdicts
        self._words = {kind: _words(kind) for kind in AccountNoticeKind}

    def handlers(self) -> dict[type[Message], Handler]:
        """Which change is heard by what."""
        return {
            MyKeyIdCreated: self.changed,
            MyKeyIdChanged: self.changed,
            PasswordChanged: self.changed,
            AccountLinked: self.changed,
            MyKeyIdRevoked: self.revoked,
            MailAddressChanged: self.moved,
        }

    async def changed(self, events: Sequence[NoticedChange], tx: Transaction) -> None:
        """Ask for a mail for each whose citizen chose to hear of it."""
        found = await self._recipients.found((event.citizen_id for event in events), tx)
        for about, event in enumerate(events):
            person = found.get(event.citizen_id)
            if person is not None and person.is_reached and CHOSE[type(event)](person):
                _ask(KIND_OF[type(event)], event, person.name, person.address, tx, about)

    async def revoked(self, events: Sequence[MyKeyIdRevoked], tx: Transaction) -> None:
        """The last mail; then the citizen is forgotten here, for good."""
        await self.changed(events, tx)
        citizen_ids = [event.citizen_id for event in events]
        await tx.execute(REVOKE, citizen_ids)
        await tx.execute(FORGET_RECIPIENTS, citizen_ids)

    async def moved(self, events: Sequence[MailAddressChanged], tx: Transaction) -> None:
        """The new address counts from now on; it and the old one are told, unless it is the same one again."""
        found = await self._recipients.found((event.citizen_id for event in events), tx)
        await self._recipients.change_addresses(events, tx)
        for about, event in enumerate(events):
            if event.citizen_id in found and event.old_mail != event.mail:
                name = found[event.citizen_id].name
                _ask(AccountNoticeKind.mail_changed_away, event, name, event.old_mail, tx, about)
                _ask(AccountNoticeKind.mail_changed, event, name, event.mail, tx, about)

    async def send(self, envelope: Envelope) -> Unasked | None:
        """Send a SendAccountNotice; an address that is none, or that the server does not know, gets nothing.

        Raises:
            OutsideDownError: the mail server is not reached.
            NotYetError: it is not this provider's turn.
            TransientError: the mail server wants it later, or did not answer.
            MailRefusedError: the server refuses us, whoever the mail is for.
        """
        command = envelope.message
        if not isinstance(command, SendAccountNotice):
            raise TypeError(envelope.type)
        try:
            to = checked_address(command.address)
        except AddressRefusedError:
            log.info("account_notice_not_sent", notice_id=str(command.notice_id))
            return Unasked.UNASKED
        await self._domains.turn(to.domain)
        reply = await self._mails.deliver(self._mail(command, to.text), envelope.traceparent)
        await self._settle(command, to, reply)
        return None

    async def _settle(self, command: SendAccountNotice, to: Address, reply: Reply) -> None:
        verdict = self._verdicts.of(to, reply)
        if verdict is Verdict.accepted:
            self._domains.accepted(to.domain)
        elif verdict is Verdict.later:
            raise MailDeferredError(in_words(reply), retry_after_s=self._domains.later_s(to.domain, reply))
        elif verdict is Verdict.bounced:
            log.warning("address_bounced", citizen_id=str(command.citizen_id), code=reply.code, status=reply.status)
            async with self._database.transaction() as tx:
                await self._recipients.bounced(command.citizen_id, command.address, tx)
        else:
            raise MailRefusedError(in_words(reply))

    def _mail(self, command: SendAccountNotice, to: str) -> PlainMail:
        words = self._words[command.kind]
        name, at = one_line(command.name), command.at.astimezone(JAPAN)
        when = f"{at.year}年{at.month}月{at.day}日 {at:%H:%M}"
        text = words.text.substitute(name=name, at=when)
        page = words.html.substitute(name=html.escape(name), at=when)
        return PlainMail(to, f"{command.notice_id}", words.subject, text, page)


def _ask(
    kind: AccountNoticeKind,
    event: NoticedChange | MailAddressChanged,
    name: str,
    address: str,
    tx: Transaction,
    about: int,
) -> None:
    notice = SendAccountNotice(
        notice_id=uuid7(), citizen_id=event.citizen_id, kind=kind, name=name, address=address, at=tx.now
    )
    tx.send(notice, about)


def _words(kind: AccountNoticeKind) -> Words:
    """The words in their frames: the HTML says what the text says."""
    folder = files("connectors.mail") / "texts"
    subject, _, text = (folder / f"{kind.value}.txt").read_text("utf-8").partition("\n\n")
    frame = Template((folder / "account_frame.txt").read_text("utf-8"))
    return Words(
        subject,
        Template(frame.safe_substitute(letter=text.rstrip("\n"))),
        page_of(subject, in_paragraphs(text), "account_footer.html"),
    )
