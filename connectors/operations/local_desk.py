"""The desk on the database itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import UUID

from connectors.operations.acts import Actor
from connectors.operations.component import component
from connectors.operations.correction_shapes import Correction, CorrectionAsked
from connectors.operations.operators import Operators
from connectors.operations.shapes import (
    ConnectionAsked,
    Copied,
    CopyAsked,
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
from connectors.operations.work import OWN_NAME, Work
from hub.clock import SystemClock
from hub.component import Installed
from hub.database import Database
from hub.process import HubProcess
from hub.settings import Settings
from hub.store import Way
from schemas.connections import ConnectionTested
from schemas.webhooks import Webhooks


class LocalDesk:
    """On the database, as its owner; each act is written down under the operating system's name."""

    def __init__(
        self, settings: Settings, owner_url: str, database: Database, operators: Operators, actor: Actor
    ) -> None:
        self._settings = settings
        self._owner_url = owner_url
        self._database = database
        self._operators = operators
        self._actor = actor
        work = Work(database, None, operators)
        self.flow, self.parked, self.deliveries = work.flow, work.parked, work.deliveries
        self.outages, self.messages, self.way = work.outages, work.messages, work.way
        self.acts, self.operators = work.acts, work.operators
        self.redriven = work.redrives.go_on
        self.corrections = work.corrections.latest
        self._work = work

    @property
    def place(self) -> str:
        """The database, and who works on it."""
        return f"{urlsplit(self._owner_url).path.lstrip('/')}, as {self._actor.name}"

    async def reveal(self, message_id: UUID, asked: ReasonAsked) -> Way:
        """See Desk."""
        return await self._work.reveal(self._actor, message_id, asked)

    async def redrive(self, asked: RedriveAsked) -> Redrive:
        """See Desk; here `redriven` is what goes on with it."""
        return await self._work.redrive(self._actor, asked)

    async def replay(self, asked: ReplayAsked) -> Replayed:
        """See Desk."""
        return await self._work.replay(self._actor, asked)

    async def note(self, asked: NoteAsked) -> Noted:
        """See Desk."""
        return await self._work.note(self._actor, asked)

    async def copy(self, message_id: UUID, asked: CopyAsked) -> Copied:
        """See Desk."""
        return await self._work.copy(self._actor, message_id, asked)

    async def pause(self, name: str, asked: ReasonAsked) -> Pause:
        """See Desk."""
        return await self._work.pause(self._actor, name, asked)

    async def resume(self, name: str, asked: RemarkAsked) -> Resumed:
        """See Desk."""
        return await self._work.resume(self._actor, name, asked)

    async def test_connection(self, name: str, asked: ConnectionAsked) -> ConnectionTested:
        """See Desk."""
        async with self._asking() as work:
            return await work.test_connection(self._actor, name, asked)

    async def webhooks(self, party_id: UUID, before: UUID | None, limit: int, *, undelivered: bool) -> Webhooks:
        """See Desk."""
        async with self._asking() as work:
            return await work.webhooks(party_id, before, limit, undelivered=undelivered)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Work]:
        """For what is asked of the processes at work: for a moment this is a process too."""
        asker = Installed(OWN_NAME, component).only_asking()
        async with HubProcess(self._settings, SystemClock(), [asker], self._owner_url) as process:
            yield Work(self._database, process, self._operators)

    async def add_operator(self, asked: OperatorAsked) -> OperatorAdded:
        """See Desk."""
        return await self._work.add_operator(self._actor, asked)

    async def revoke_operator(self, name: str, asked: ReasonAsked) -> OperatorRevoked:
        """See Desk."""
        return await self._work.revoke_operator(self._actor, name, asked)

    async def correct(self, asked: CorrectionAsked) -> Correction:
        """See Desk; raises NotByNameError here, as do the next two."""
        return await self._work.corrections.ask(self._actor, asked)

    async def approve_correction(self, correction_id: UUID, asked: RemarkAsked) -> Correction:
        """See Desk."""
        return await self._work.corrections.approve(self._actor, correction_id, asked)

    async def reject_correction(self, correction_id: UUID, asked: ReasonAsked) -> Correction:
        """See Desk."""
        return await self._work.corrections.reject(self._actor, correction_id, asked)
