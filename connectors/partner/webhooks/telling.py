"""Which messages become events of which partner."""

from collections.abc import Mapping, Sequence

from connectors.partner.webhooks.endpoints import Endpoints, EventType
from hub.component import Handler
from hub.transaction import Transaction
from schemas.citizens import CitizenLinked
from schemas.links import CitizenUnlinked
from schemas.message import Message
from schemas.partner_files import TransferFileFinished


class Telling:
    """Hears what has happened; who has no endpoint is told nothing, and nothing is kept."""

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
        }

    async def linked(self, events: Sequence[CitizenLinked], tx: Transaction) -> None:
        """`link.created`."""
        listening = await self._endpoints.listening([event.party_id for event in events], tx)
        for about, event in enumerate(events):
            if event.party_id in listening:
                data = {"link_id": event.link_id}
                await self._endpoints.say(event.party_id, EventType.link_created, data, tx, about)

    async def unlinked(self, events: Sequence[CitizenUnlinked], tx: Transaction) -> None:
        """`link.ended`."""
        await self._unlinked(events, tx)
        listening = await self._endpoints.listening([event.party_id for event in events], tx)
        for about, event in enumerate(events):
            if event.party_id in listening and event.link_id is not None:
                data = {"link_id": event.link_id}
                await self._endpoints.say(event.party_id, EventType.link_ended, data, tx, about)

    async def finished(self, events: Sequence[TransferFileFinished], tx: Transaction) -> None:
        """`transfer_file.finished`."""
        listening = await self._endpoints.listening([event.party_id for event in events], tx)
        for about, event in enumerate(events):
            if event.party_id in listening:
                data: dict[str, str | int] = {"file_id": str(event.file_id), "rows": event.rows}
                await self._endpoints.say(event.party_id, EventType.transfer_file_finished, data, tx, about)
