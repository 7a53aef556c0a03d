"""Where the terminal program works: on the database itself, or over the operators' door."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol
from uuid import UUID

from connectors.operations.acts import Act
from connectors.operations.correction_shapes import Correction, CorrectionAsked
from connectors.operations.local_desk import LocalDesk
from connectors.operations.operators import HASH_PURPOSE, Operator, Operators
from connectors.operations.remote_desk import RemoteDesk, session_of
from connectors.operations.shapes import (
    ConnectionAsked,
    Copied,
    CopyAsked,
    Flow,
    Group,
    NoteAsked,
    Noted,
    OperatorAdded,
    OperatorAsked,
    OperatorRevoked,
    Pause,
    ReasonAsked,
    Redrive,
    RedriveAsked,
    RemarkAsked,
    ReplayAsked,
    Replayed,
    Resumed,
)
from connectors.operations.work import OWN_NAME, system_actor
from hub import serving
from hub.clock import SystemClock
from hub.database import Database
from hub.keys import Keys
from hub.outages import Outage
from hub.sealing import PURPOSE
from hub.settings import Settings
from hub.store import Search, StoredMessage, WaitingDelivery, Way
from schemas.connections import ConnectionTested
from schemas.webhooks import Webhooks

CONNECTIONS: Final = 2


class Desk(Protocol):
    """All that the terminal program can see and do."""

    @property
    def place(self) -> str:
        """Where this is, for a person."""

    async def flow(self) -> Flow:
        """What flows."""

    async def parked(self) -> list[Group]:
        """What is parked, by kind of failure."""

    async def deliveries(self, state: str, fingerprint: str | None, after: int, limit: int) -> list[WaitingDelivery]:
        """Deliveries in a state."""

    async def outages(self, limit: int) -> list[Outage]:
        """Other sides that are down, then the latest that were."""

    async def messages(self, wanted: Search) -> list[StoredMessage]:
        """Messages that fit, latest first."""

    async def way(self, message_id: UUID) -> Way:
        """One message's whole way, masked."""

    async def acts(self, before: UUID | None, limit: int) -> list[Act]:
        """The audit, latest first."""

    async def operators(self) -> list[Operator]:
        """All operators."""

    async def webhooks(self, party_id: UUID, before: UUID | None, limit: int, *, undelivered: bool) -> Webhooks:
        """A party's endpoint and what it was told, latest first."""

    async def reveal(self, message_id: UUID, asked: ReasonAsked) -> Way:
        """One message's whole way with personal data."""

    async def redrive(self, asked: RedriveAsked) -> Redrive:
        """Begin to redrive."""

    async def redriven(self, redrive_id: UUID) -> Redrive:
        """How far that is by now."""

    async def replay(self, asked: ReplayAsked) -> Replayed:
        """Have a party told again."""

    async def note(self, asked: NoteAsked) -> Noted:
        """Leave a note."""

    async def copy(self, message_id: UUID, asked: CopyAsked) -> Copied:
        """Deliver an edited copy instead."""

    async def pause(self, name: str, asked: ReasonAsked) -> Pause:
        """Pause a component."""

    async def resume(self, name: str, asked: RemarkAsked) -> Resumed:
        """Let it go on."""

    async def test_connection(self, name: str, asked: ConnectionAsked) -> ConnectionTested:
        """Have a component try its other side."""

    async def add_operator(self, asked: OperatorAsked) -> OperatorAdded:
        """Add an operator."""

    async def revoke_operator(self, name: str, asked: ReasonAsked) -> OperatorRevoked:
        """Revoke one."""

    async def corrections(self, before: UUID | None, limit: int, *, only_open: bool) -> list[Correction]:
        """Requests for corrections, latest first."""

    async def correct(self, asked: CorrectionAsked) -> Correction:
        """Ask for one."""

    async def approve_correction(self, correction_id: UUID, asked: RemarkAsked) -> Correction:
        """Approve what somebody else asked for."""

    async def reject_correction(self, correction_id: UUID, asked: ReasonAsked) -> Correction:
        """Reject it."""


@asynccontextmanager
async def desk_of(settings: Settings, url: str | None) -> AsyncIterator[Desk]:
    """The desk over the door at `url`, or the one on the database of the settings.

    Raises NoTokenError, OpenLineError, NotMigratedError; TransientError where PostgreSQL does not answer.
    """
    if url is not None:
        async with session_of(url) as client:
            yield RemoteDesk(url, client)
        return
    async with serving.migrated(settings) as owner_url:
        keys = Keys(settings.key())
        database = Database(OWN_NAME, owner_url, CONNECTIONS, SystemClock(), keys.sealer(PURPOSE))
        await database.open()
        try:
            yield LocalDesk(settings, owner_url, database, Operators(keys.hasher(HASH_PURPOSE)), system_actor())
        finally:
            await database.close()
