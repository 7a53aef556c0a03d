"""Which messages become events of which party: a handler each, which only says what is told to whom."""

import json
from collections.abc import Mapping, Sequence

from connectors.partner.webhooks import webhook_statements as sql
from connectors.partner.webhooks.endpoints import Endpoints
from connectors.partner.webhooks.events import (
    REFUSED_ROWS_LIMIT,
    AuthorizationExpired,
    FileFinished,
    LinkCreated,
    LinkEnded,
    OfferApproved,
    OfferSentBack,
    Told,
)
from hub.component import Handler
from hub.database import Row
from hub.transaction import Transaction
from schemas.citizens import CitizenLinked
from schemas.links import CitizenUnlinked
from schemas.message import Message
from schemas.offers import ApprovalState, OfferDecided
from schemas.partner_files import TransferFileFinished
from schemas.shop_orders import OrderExpired


class Telling:
    """Hears what has happened."""

    def __init__(self, endpoints: Endpoints, unlinked: Handler) -> None:
        """`unlinked` is who else hears of an end of a link in this component."""
        self._endpoints = endpoints
        self._unlinked = unlinked

    def handlers(self) -> Mapping[type[Message], Handler]:
        """By message."""
        return {
            CitizenLinked: self.linked,
            CitizenUnlinked: self.unlinked,
            TransferFileFinished: self.finished,
            OrderExpired: self.expired,
            OfferDecided: self.decided,
        }

    async def linked(self, events: Sequence[CitizenLinked], tx: Transaction) -> None:
        """`link.created`."""
        told = [Told(one.party_id, LinkCreated(link_id=one.link_id), about) for about, one in enumerate(events)]
        await self._endpoints.tell(told, tx)

    async def unlinked(self, events: Sequence[CitizenUnlinked], tx: Transaction) -> None:
        """`link.ended`."""
        await self._unlinked(events, tx)
        told = [
            Told(one.party_id, LinkEnded(link_id=one.link_id), about)
            for about, one in enumerate(events)
            if one.link_id is not None
        ]
        await self._endpoints.tell(told, tx)

    async def finished(self, events: Sequence[TransferFileFinished], tx: Transaction) -> None:
        """`transfer_file.finished`."""
        places = {one.file_id: about for about, one in enumerate(events)}
        rows = await tx.fetch(sql.FINISHED_FILES, list(places), REFUSED_ROWS_LIMIT)
        await self._endpoints.tell([Told(row["party_id"], _file(row), places[row["file_id"]]) for row in rows], tx)

    async def expired(self, events: Sequence[OrderExpired], tx: Transaction) -> None:
        """`authorization.expired`."""
        told = [
            Told(one.party_id, AuthorizationExpired(**one.model_dump(exclude={"party_id"})), about)
            for about, one in enumerate(events)
        ]
        await self._endpoints.tell(told, tx)

    async def decided(self, events: Sequence[OfferDecided], tx: Transaction) -> None:
        """`offer.approved` or `offer.sent_back`."""
        told = [
            Told(one.party_id, _DECISIONS[one.state](**one.model_dump(exclude={"party_id", "state"})), about)
            for about, one in enumerate(events)
            if one.state in _DECISIONS
        ]
        await self._endpoints.tell(told, tx)


_DECISIONS = {ApprovalState.approved: OfferApproved, ApprovalState.sent_back: OfferSentBack}


def _file(row: Row) -> FileFinished:
    return FileFinished(
        file_id=row["file_id"],
        rows=row["rows"],
        posted=row["posted"],
        points=row["points"],
        replayed=row["replayed"],
        refused=json.loads(row["refused"]),
        refused_rows=json.loads(row["refused_rows"]),
    )
