"""What handlers get: the component's own tables inside the hub's transaction, and the word to say what is next."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from hub.ids import uuid7
from hub.tracing import TRACE, Traced
from schemas.message import Command, Event, Message

if TYPE_CHECKING:
    from hub.branches import Branches
    from hub.clock import Clock
    from hub.database import Connection, Database, Row
    from hub.keys import Sealer

SNAPSHOT_LIMIT_S: Final = 3600.0
"""How long one statement of a snapshot may take: it reads whole tables."""
WHOLE_TABLES: Final = "SET LOCAL enable_seqscan = on"
"""What hub.database.SESSION switches off."""
STREAM_CHUNK_ROWS: Final = 2_000
_SIGNAL: Final = re.compile(r"[!-~]{1,32}")
"""Short, so that many of them fit into one notification (hub.transports.wakes)."""


class Said(NamedTuple):
    """A message said in a transaction, waiting for its commit."""

    id: UUID
    message: Message
    correlation_id: UUID
    parent_span: int | None


class Reading:
    """The component's own tables, by its own role. SQL comes as a constant, values as arguments ($1, $2 …)."""

    def __init__(self, connection: "Connection", clock: "Clock", sealer: "Sealer") -> None:
        self._connection = connection
        self.clock = clock
        self.sealer = sealer
        """Seals what a component keeps that nobody may read in the database."""

    async def fetch(self, sql: str, *args: Any) -> "list[Row]":
        """All rows."""
        return await self._connection.fetch(sql, *args)

    async def fetch_row(self, sql: str, *args: Any) -> "Row | None":
        """The first row, or None."""
        return await self._connection.fetchrow(sql, *args)

    async def fetch_value(self, sql: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        return await self._connection.fetchval(sql, *args)

    @asynccontextmanager
    async def snapshot(self) -> "AsyncIterator[Snapshot]":
        """One committed state for many statements, however long they take; writers are not held up."""
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            await self._connection.execute(WHOLE_TABLES)
            yield Snapshot(self._connection, self.clock, self.sealer)


class Snapshot(Reading):
    """One committed state, the same for every statement, however long they take."""

    async def fetch_row(self, sql: str, *args: Any) -> "Row | None":
        """The first row, or None."""
        return await self._connection.fetchrow(sql, *args, timeout=SNAPSHOT_LIMIT_S)

    async def stream(self, sql: str, *args: Any) -> AsyncIterator["list[Row]"]:
        """All rows, in chunks."""
        cursor = await self._connection.cursor(sql, *args, timeout=SNAPSHOT_LIMIT_S)
        while rows := await cursor.fetch(STREAM_CHUNK_ROWS, timeout=SNAPSHOT_LIMIT_S):
            yield rows


class Writing(Reading):
    """A component's own tables in one database, in a transaction."""

    def __init__(self, connection: "Connection", clock: "Clock", sealer: "Sealer") -> None:
        super().__init__(connection, clock, sealer)
        self.now: datetime = clock.now()
        self.business_date: date = clock.business_date()

    async def execute(self, sql: str, *args: Any) -> str:
        """Run one statement; returns PostgreSQL's command tag (`UPDATE 3`)."""
        return await self._connection.execute(sql, *args)

    async def copy(self, schema: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """COPY rows into a table: the cheapest way to write many."""
        await self._connection.copy_records_to_table(table, schema_name=schema, columns=columns, records=rows)


class Transaction(Writing):
    """One transaction: rows, the inbox mark and what is said next commit together, or not at all."""

    def __init__(
        self,
        connection: "Connection",
        clock: "Clock",
        source: str,
        sealer: "Sealer",
        branches: "Branches | None" = None,
    ) -> None:
        super().__init__(connection, clock, sealer)
        self.source = source
        self.causes: Sequence[Traced] = ()
        """Each message of the run that is being handled."""
        self.said: list[Said] = []
        self.signals: set[str] = set()
        self._branches = branches

    async def at(self, database: "Database") -> Writing:
        """The same transaction in another database of the component's (hub/branches.py)."""
        return self if self._branches is None else await self._branches.at(database, self)

    def emit(self, event: Event, about: int = 0) -> UUID:
        """Say that something has happened, because of the run's message number `about`.

        It is heard by whoever the route table names, after the commit. Returns the event's id.
        """
        return self._say(event, about)

    def send(self, command: Command, about: int = 0) -> UUID:
        """Ask the command's one receiver durably; done at least once, after the commit. Returns the command's id."""
        return self._say(command, about)

    def signal(self, name: str) -> None:
        """Hint after the commit, to all processes that host this component, that there is something to do.

        A hint may be lost: look from time to time all the same. Raises ValueError for a name that is long, or no word.
        """
        if _SIGNAL.fullmatch(name) is None:
            raise ValueError(name)
        self.signals.add(name)

    def _say(self, message: Message, about: int) -> UUID:
        message_id = uuid7()
        causes = self.causes
        trace = causes[about].trace if about < len(causes) else TRACE.get()
        correlation_id, span = trace or (message_id, None)
        self.said.append(Said(message_id, message, correlation_id, span))
        return message_id
