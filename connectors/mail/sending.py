"""Sending one notice: who it goes to now, the mail, the mail server's answer, and the record that it is done.

Look-ups and records of notices in work at the same time share their statements (`together`). A notice
recorded as done is not sent again; between the server's 250 and the record lies the one moment in which a
crash makes a duplicate, with the same Message-ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import structlog

from connectors.mail.addresses import Address, AddressRefusedError, checked_address
from connectors.mail.choices import CHOICE_OF
from connectors.mail.conversation import Reply
from connectors.mail.domains import DomainLimits
from connectors.mail.letters import Letters, Recipient
from connectors.mail.notices import first_id_of
from connectors.mail.recipients import ADDRESS, NAME, TABLE
from connectors.mail.refusals import MailDeferredError, MailRefusedError, Verdict, Verdicts, in_words
from connectors.mail.smtp import SmtpPool
from connectors.mail.statements import ADDRESSED, FORGET_NOTICES, MARK_BOUNCED, RECORD_NOTICES
from connectors.mail.together import Together
from hub import failpoints
from hub.clock import Clock
from hub.component import Unasked
from hub.database import Database, Row
from hub.keys import Sealer, place
from schemas.message import Envelope
from schemas.notices import NoticeKind, SendNotice

BATCH_LIMIT: Final = 256
"""The most notices looked up, or recorded, by one statement."""
KEPT_DAYS: Final = 400
"""How long it is remembered that a notice was sent: well beyond any retry."""
FORGET_EVERY_S: Final = 3600.0
FORGET_PIECE_LIMIT: Final = 5_000
FORGET_PIECES_LIMIT: Final = 200

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Done:
    """What is recorded of a notice; `address_sealed` as it was looked up, where that address has bounced."""

    notice: SendNotice
    state: str
    code: int
    address_sealed: bytes | None = None


class Sending:
    """The mail connector's one outside command."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sealer: Sealer,
        letters: Letters,
        smtp: SmtpPool,
        sender: str,
        domains: DomainLimits,
        verdicts: Verdicts,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sealer = sealer
        self._letters = letters
        self._smtp = smtp
        self._sender = sender
        self._domains = domains
        self._verdicts = verdicts
        self._look_ups = Together(self._look_up, BATCH_LIMIT)
        self._records = Together(self._record, BATCH_LIMIT)

    async def __call__(self, envelope: Envelope) -> Unasked | None:
        """Send a SendNotice; the mail server is not asked where nobody wants it any more, or it comes too late.

        Raises:
            OutsideDownError: the mail server is not reached: all mails wait, and none loses an attempt.
            NoAnswerError: the mail server did not answer.
            NotYetError: it is not this provider's turn.
            MailDeferredError: the mail server wants it later.
            MailRefusedError: the server refuses us, whoever the mail is for.
        """
        notice = envelope.message
        if not isinstance(notice, SendNotice):
            raise TypeError(envelope.type)
        row = await self._look_ups.ask(notice)
        is_late = _is_late(notice, self._clock.business_date())
        if row["is_done"] or is_late or not _is_wanted(notice, row):
            log.info("notice_not_sent", notice_id=str(notice.notice_id), is_done=row["is_done"], is_late=is_late)
            return Unasked.UNASKED
        recipient = self._recipient(notice.citizen_id, row)
        if recipient is None:
            await self._records.ask(_Done(notice, "bounced", 0, row["address_sealed"]))
            return Unasked.UNASKED
        await self._domains.turn(recipient.address.domain)
        letter = self._letters.write(notice, recipient, self._clock.now(), envelope.traceparent)
        reply = await self._smtp.deliver(self._sender, recipient.address.text, letter)
        await self._settle(notice, recipient.address, row["address_sealed"], reply)
        return None

    async def _settle(self, notice: SendNotice, address: Address, address_sealed: bytes, reply: Reply) -> None:
        verdict = self._verdicts.of(address, reply)
        if verdict is Verdict.accepted:
            failpoints.reach("mail.before_record")
            self._domains.accepted(address.domain)
            await self._records.ask(_Done(notice, "sent", reply.code))
        elif verdict is Verdict.later:
            raise MailDeferredError(in_words(reply), retry_after_s=self._domains.later_s(address.domain, reply))
        elif verdict is Verdict.bounced:
            log.warning("address_bounced", citizen_id=str(notice.citizen_id), code=reply.code, status=reply.status)
            await self._records.ask(_Done(notice, "bounced", reply.code, address_sealed))
        else:
            raise MailRefusedError(in_words(reply))

    def _recipient(self, citizen_id: UUID, row: Row) -> Recipient | None:
        name = self._sealer.open(row["name_sealed"], place(TABLE, NAME, citizen_id)).decode()
        text = self._sealer.open(row["address_sealed"], place(TABLE, ADDRESS, citizen_id)).decode()
        try:
            address = checked_address(text)
        except AddressRefusedError:
            return None
        return Recipient(address, name, row["point_name"], row["municipality"])

    async def _look_up(self, notices: Sequence[SendNotice]) -> list[Row]:
        ids = [notice.notice_id for notice in notices]
        async with self._database.reading() as reading:
            rows = await reading.fetch(
                ADDRESSED, ids, [notice.citizen_id for notice in notices], [notice.pool for notice in notices]
            )
        found = {row["notice_id"]: row for row in rows}
        return [found[notice_id] for notice_id in ids]

    async def _record(self, done: Sequence[_Done]) -> list[None]:
        bounced = sorted({(one.notice.citizen_id, one.address_sealed) for one in done if one.address_sealed})
        async with self._database.transaction() as tx:
            await tx.execute(
                RECORD_NOTICES,
                [one.notice.notice_id for one in done],
                [one.notice.citizen_id for one in done],
                [one.notice.kind.value for one in done],
                [one.state for one in done],
                [one.code for one in done],
                tx.now,
            )
            if bounced:
                citizens, addresses = zip(*bounced, strict=True)
                await tx.execute(MARK_BOUNCED, citizens, addresses, tx.now)
        return [None] * len(done)


def _is_wanted(notice: SendNotice, row: Row) -> bool:
    """Whether the citizen still wants to hear of it, at an address that has not bounced since."""
    return row["state"] == "ok" and bool(row[CHOICE_OF[notice.kind].value])


def _is_late(notice: SendNotice, today: date) -> bool:
    """Whether what it warns of has happened: points are good through their last day, and move as a day begins."""
    if notice.kind is NoticeKind.moving_soon:
        return notice.day <= today
    return notice.kind is NoticeKind.expiring_soon and notice.day < today


class Forgetting:
    """Notices long done are forgotten, oldest first: nothing asks for them any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self) -> None:
        """Delete in pieces, so that nobody waits for long."""
        for _ in range(FORGET_PIECES_LIMIT):
            async with self._database.transaction() as tx:
                before = first_id_of(tx.business_date - timedelta(days=KEPT_DAYS))
                gone = await tx.execute(FORGET_NOTICES, before, FORGET_PIECE_LIMIT)
            if gone != f"DELETE {FORGET_PIECE_LIMIT}":
                return
