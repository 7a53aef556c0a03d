"""A partner's endpoint, its secrets, and the events that are kept for it. Secrets and bodies are sealed."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from connectors.partner.webhooks import webhook_statements as sql
from connectors.partner.webhooks.signing import new_secret
from hub.apart import committed
from hub.database import Database, Row, reachable
from hub.ids import uuid7
from hub.keys import Sealer, place
from hub.transaction import Transaction
from schemas.webhooks import SendWebhook

OLD_SECRET_FOR: Final = timedelta(hours=24)
EVENTS_KEPT: Final = timedelta(days=30)
FORGET_PIECE_ROWS: Final = 10_000


class EventType(StrEnum):
    """What partners are told of."""

    link_created = "link.created"
    link_ended = "link.ended"
    transfer_file_finished = "transfer_file.finished"
    test = "webhook.test"


class Endpoint(NamedTuple):
    """Where a partner is told, and the secrets that sign now, the newest first."""

    url: str
    whsecs: Sequence[str]
    disabled_at: datetime | None


class KeptEvent(NamedTuple):
    """What became of an event."""

    event_id: UUID
    type: EventType
    happened_at: datetime
    tries: int
    last_status: int | None
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
        """Another secret; the one before signs too for a day. None where there is no endpoint."""
        whsec = new_secret()
        sealed = self._seal("secret", party_id, whsec.encode())
        found = await committed(
            self._database, lambda tx: tx.fetch_value(sql.ROTATE, party_id, sealed, tx.now + OLD_SECRET_FOR)
        )
        return None if found is None else whsec

    async def end(self, party_id: UUID) -> None:
        """No more requests to it."""
        await committed(self._database, lambda tx: tx.execute(sql.END, party_id))

    async def endpoint(self, party_id: UUID) -> Endpoint | None:
        """As it is now."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(sql.ENDPOINT, party_id)
            now = reading.clock.now()
        if row is None:
            return None
        sealed = [row["secret_sealed"]]
        if row["old_until"] is not None and row["old_until"] > now:
            sealed.append(row["old_secret_sealed"])
        whsecs = [self._open("secret", party_id, one).decode() for one in sealed]
        return Endpoint(row["url"], whsecs, row["disabled_at"])

    async def listening(self, party_ids: Sequence[UUID], tx: Transaction) -> set[UUID]:
        """Those of these parties who have an endpoint."""
        return {row["party_id"] for row in await tx.fetch(sql.LISTENING, list(set(party_ids)))}

    async def say(
        self, party_id: UUID, kind: EventType, data: Mapping[str, str | int], tx: Transaction, about: int = 0
    ) -> UUID:
        """Keep an event, and have it sent after the commit; returns its id."""
        event_id = uuid7()
        told = {"type": kind.value, "timestamp": tx.now.isoformat(timespec="seconds"), "data": dict(data)}
        body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        sealed = self._seal("body", event_id, body)
        await tx.execute(sql.KEEP, event_id, party_id, kind.value, sealed, tx.now)
        tx.send(SendWebhook(party_id=party_id, event_id=event_id), about)
        return event_id

    async def test(self, party_id: UUID) -> UUID:
        """An event that tells nothing."""
        return await committed(self._database, lambda tx: self.say(party_id, EventType.test, {}, tx))

    async def body(self, message: SendWebhook) -> bytes | None:
        """What the event says; None where it is kept no longer."""
        async with reachable(), self._database.reading() as reading:
            sealed = await reading.fetch_value(sql.EVENT, message.event_id, message.party_id)
        return None if sealed is None else self._open("body", message.event_id, sealed)

    async def tried(self, message: SendWebhook, status: int | None, *, delivered: bool, gone: bool) -> None:
        """What the endpoint answered; one that is `gone` is asked no more."""

        async def work(tx: Transaction) -> None:
            await tx.execute(sql.TRIED, message.event_id, status, delivered, tx.now)
            if gone:
                await tx.execute(sql.DISABLE, message.party_id, tx.now)

        await committed(self._database, work)

    async def events(self, party_id: UUID, before: UUID | None, limit: int) -> list[KeptEvent]:
        """The latest first."""
        async with reachable(), self._database.reading() as reading:
            rows = await reading.fetch(sql.EVENTS, party_id, before, limit)
        return [_kept(row) for row in rows]

    async def replay(self, party_id: UUID, event_ids: Sequence[UUID]) -> list[UUID]:
        """Have those of these events that are the party's sent again, under the same ids."""

        async def work(tx: Transaction) -> list[UUID]:
            found = [row["event_id"] for row in await tx.fetch(sql.OWN, party_id, list(event_ids))]
            for event_id in found:
                tx.send(SendWebhook(party_id=party_id, event_id=event_id))
            return found

        return await committed(self._database, work)

    async def forget(self) -> None:
        """Events that have had their time, a piece at a time."""
        await committed(self._database, lambda tx: tx.execute(sql.FORGET, tx.now - EVENTS_KEPT, FORGET_PIECE_ROWS))

    def _seal(self, column: str, row_id: UUID, value: bytes) -> bytes:
        return self._sealer.seal(value, place("partner.webhook", column, row_id))

    def _open(self, column: str, row_id: UUID, sealed: bytes) -> bytes:
        return self._sealer.open(sealed, place("partner.webhook", column, row_id))


def _kept(row: Row) -> KeptEvent:
    return KeptEvent(
        row["event_id"],
        EventType(row["type"]),
        row["happened_at"],
        row["tries"],
        row["last_status"],
        row["delivered_at"],
    )
