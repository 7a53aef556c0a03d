"""Who is a shop or fund, which municipality has applied for it, and whose an event is."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from hub.keys import Sealer, place
from hub.transaction import Transaction
from schemas.municipalities import Registered, SupportEventRegistered
from schemas.offers import ApplyForParty
from schemas.parties import PartyKind, PartyRegistered
from schemas.problems import RefusalCode
from schemas.values import event_pool
from workers.goods import statements

KINDS: Final = frozenset({PartyKind.shop, PartyKind.fund})


async def parties_registered(events: Sequence[PartyRegistered], tx: Transaction) -> None:
    """Shops and funds are kept, by the registry's word."""
    found = {event.party_id: event for event in events if event.kind in KINDS}
    kinds, names = [one.kind.value for one in found.values()], [one.name for one in found.values()]
    await tx.execute(statements.WRITE_PARTIES, list(found), kinds, names)


async def support_events_registered(events: Sequence[SupportEventRegistered], tx: Transaction) -> None:
    """An event's points are whose event it is."""
    pools = [event_pool(event.event_id) for event in events]
    await tx.execute(statements.WRITE_EVENT_POOLS, pools, [event.lg_code for event in events])


class Applications:
    """Which municipality uses which shop or fund, and where its office is written to."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def apply(self, messages: Sequence[ApplyForParty], tx: Transaction) -> list[Registered]:
        """See ApplyForParty. Rare, so one by one."""
        return [await self._apply(message, tx) for message in messages]

    async def mails(self, party_id: UUID, lg_codes: Sequence[str], tx: Transaction) -> dict[str, str]:
        """The offices' addresses by lg_code; who has not applied is missing."""
        rows = await tx.fetch(statements.APPLICATIONS, party_id, list(lg_codes))
        return {
            row["lg_code"]: self._sealer.open(row["mail_sealed"], _place(party_id, row["lg_code"])).decode()
            for row in rows
        }

    async def _apply(self, message: ApplyForParty, tx: Transaction) -> Registered:
        if await tx.fetch_row(statements.PARTY, message.party_id) is None:
            return Registered(code=RefusalCode.unknown_party)
        sealed = self._sealer.seal(message.mail.encode(), _place(message.party_id, message.lg_code))
        await tx.execute(statements.APPLY, message.lg_code, message.party_id, message.mode.value, sealed, tx.now)
        return Registered(id=message.party_id)


def _place(party_id: object, lg_code: str) -> str:
    return place("goods.application", "mail", f"{party_id}/{lg_code}")
