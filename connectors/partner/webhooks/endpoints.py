"""A party's endpoint, its secrets, and the events that are kept for it. Secrets and bodies are sealed."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from connectors.partner.webhooks import webhook_statements as sql
from connectors.partner.webhooks.events import Tested, Told
from connectors.partner.webhooks.signing import new_secret
from hub.apart import committed
from hub.database import Database, reachable
from hub.forgetting import forget
from hub.ids import uuid7
from hub.keys import Sealer, place
from hub.transaction import Transaction
from schemas.webhooks import KeptWebhook, SendWebhook

OLD_SECRET_FOR: Final = timedelta(hours=24)
OLD_SECRETS_LIMIT: Final = 9
"""Of one party; who changes it more often within a day ends the earliest of them."""
EVENTS_KEPT: Final = timedelta(days=30)


class Endpoint(NamedTuple):
    """Where a party is told, and the secrets that sign now, the newest first."""

    url: str
    whsecs: Sequence[str]
    disabled_at: datetime | None


class KeptEvent(NamedTuple):
    """What an event says, and what has become of it."""

    body: bytes
    tries: int
    delivered_at: datetime | None


class Endpoints:
    """Our tables of them."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def set_up(self, party_id: UUID, url: str) -> str:
        """An endpoint; returns its secret, which is told once."""
        whsec = new_secret()
        sealed = self._seal("secret", party_id, whsec.encode())
        await committed(self._database, lambda tx: tx.execute(sql.SET_UP, party_id, url, sealed))
        return whsec

    async def rotate(self, party_id: UUID) -> str | None:
        """Another secret; those before sign too for a day each. None where there is no endpoint."""
        whsec = new_secret()
        sealed = self._seal("secret", party_id, whsec.encode())

        async def work(tx: Transaction) -> bool:
            asked = (party_id, sealed, tx.now + OLD_SECRET_FOR, tx.now, OLD_SECRETS_LIMIT - 1)
            return await tx.fetch_value(sql.ROTATE, *asked) is not None

        return whsec if await committed(self._database, work) else None

    async def end(self, party_id: UUID) -> None:
        """No more requests to it."""
        await committed(self._database, lambda tx: tx.execute(sql.END, party_id))

    async def endpoint(self, party_id: UUID) -> Endpoint | None:
        """As it is now."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(sql.ENDPOINT, party_id)
            old = await reading.fetch(sql.OLD_SECRETS, party_id, reading.clock.now())
        if row is None:
            return None
        sealed = [row["secret_sealed"], *(one["secret_sealed"] for one in old)]
        whsecs = [self._open("secret", party_id, one).decode() for one in sealed]
        return Endpoint(row["url"], whsecs, row["disabled_at"])

    async def tell(self, told: Sequence[Told], tx: Transaction) -> list[UUID]:
        """Keep what is told to parties that have an endpoint, and have it sent after the commit; returns the ids.

        Who has none is told nothing, and nothing is kept. What one that is disabled misses is kept, to be replayed.
        """
        if not told:
            return []
        found = await tx.fetch(sql.LISTENING, list({one.party_id for one in told}))
        disabled_at = {row["party_id"]: row["disabled_at"] for row in found}
        rows = []
        for one in told:
            if one.party_id in disabled_at:
                rows.append(kept := self._kept(one, tx))
                if disabled_at[one.party_id] is None:
                    tx.send(SendWebhook(party_id=one.party_id, event_id=kept[0]), one.about)
        if rows:
            await tx.copy("partner", "webhook_event", sql.EVENT_COLUMNS, rows)
        return [row[0] for row in rows]

    def _kept(self, one: Told, tx: Transaction) -> tuple[UUID, UUID, str, bytes, datetime]:
        event_id = uuid7()
        said = {
            "type": one.data.TYPE.value,
            "timestamp": tx.now.isoformat(timespec="seconds"),
            "data": one.data.model_dump(mode="json"),
        }
        body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        return event_id, one.party_id, one.data.TYPE.value, self._seal("body", event_id, body), tx.now

    async def test(self, party_id: UUID) -> list[UUID]:
        """An event that tells nothing; none where there is no endpoint."""
        return await committed(self._database, lambda tx: self.tell([Told(party_id, Tested())], tx))

    async def event(self, message: SendWebhook) -> KeptEvent | None:
        """What is to be sent; None where it is kept no longer."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(sql.EVENT, message.event_id, message.party_id)
        if row is None:
            return None
        return KeptEvent(self._open("body", message.event_id, row["body_sealed"]), row["tries"], row["delivered_at"])

    async def tried(
        self, message: SendWebhook, status: int | None, *, delivered: bool = False, gone_from: str | None = None
    ) -> bool:
        """What the endpoint answered; whether it is asked no more: it is gone from there, and no other is set."""

        async def work(tx: Transaction) -> bool:
            await tx.execute(sql.TRIED, message.event_id, status, delivered, tx.now)
            if gone_from is None:
                return False
            return await tx.fetch_row(sql.DISABLE, message.party_id, gone_from, tx.now) is not None

        return await committed(self._database, work)

    async def events(
        self, party_id: UUID, before: UUID | None, limit: int, *, undelivered: bool = False
    ) -> list[KeptWebhook]:
        """What became of a party's events, the latest first."""
        async with reachable(), self._database.reading() as reading:
            rows = await reading.fetch(sql.UNDELIVERED if undelivered else sql.EVENTS, party_id, before, limit)
        return [KeptWebhook.model_validate(dict(row)) for row in rows]

    async def replay(self, party_id: UUID, event_ids: Sequence[UUID]) -> list[UUID]:
        """Have those of these events that are the party's sent again, under the same ids."""
        return await committed(self._database, lambda tx: send_again(party_id, event_ids, tx))

    async def forget(self) -> None:
        """Events that have had their time."""
        await forget(self._database, sql.FORGET, EVENTS_KEPT)

    def _seal(self, column: str, row_id: UUID, value: bytes) -> bytes:
        return self._sealer.seal(value, place("partner.webhook", column, row_id))

    def _open(self, column: str, row_id: UUID, sealed: bytes) -> bytes:
        return self._sealer.open(sealed, place("partner.webhook", column, row_id))


async def send_again(party_id: UUID, event_ids: Sequence[UUID], tx: Transaction, about: int = 0) -> list[UUID]:
    """Those of these events that are the party's, taken already or not; returns which."""
    found = [row["event_id"] for row in await tx.fetch(sql.OWN, party_id, list(event_ids))]
    for event_id in found:
        tx.send(SendWebhook(party_id=party_id, event_id=event_id, again=True), about)
    return found
