"""Our tables of files: bytes taken in, progress, results."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from connectors.partner import statements
from connectors.partner.pipeline import ItemOutcome
from hub.database import Database, Row, reachable
from hub.errors import TransientError
from schemas.partner_files import TransferFileFinished, WorkTransferFile
from schemas.points import PostingStatus

CHUNK_BYTES: Final = 1 << 20


class FileState(StrEnum):
    """How far a file is."""

    taken = "taken"
    working = "working"
    finished = "finished"


@dataclass(frozen=True, slots=True)
class Received:
    """A file whose bytes are all in `partner.file_chunk`."""

    file_id: UUID
    party_id: UUID
    idempotency_key: str
    media_type: str
    sha256: bytes
    size_bytes: int
    chunks: int
    rows: int


class Taken(NamedTuple):
    """A file that was taken durably, by its party's own key."""

    file_id: UUID
    rows: int
    sha256: bytes


@dataclass(slots=True)
class Counts:
    """How a file's rows ended so far. A repeated row counts as `replayed` where it had been posted before."""

    posted: int = 0
    points: int = 0
    replayed: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: ItemOutcome) -> None:
        """Count one more row."""
        if outcome.status is PostingStatus.refused:
            code = outcome.faults[0].code.value
            self.refused[code] = self.refused.get(code, 0) + 1
        elif outcome.replayed:
            self.replayed += 1
        else:
            self.posted += 1
            self.points += outcome.points


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file and its progress: `done` of its `rows` have their outcome."""

    file_id: UUID
    party_id: UUID
    media_type: str
    chunks: int
    rows: int
    done: int
    counts: Counts
    taken_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def state(self) -> FileState:
        """Taken, then working, then finished."""
        if self.finished_at is not None:
            return FileState.finished
        return FileState.taken if self.started_at is None else FileState.working


class ResultRow(NamedTuple):
    """How one line of a file ended; `code` is None where it was posted."""

    line: int
    transfer_id: str | None
    code: str | None
    points: int
    posted_on: date | None
    replayed: bool


class FileStore:
    """Reads and writes files, by the connector's own role."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_chunk(self, file_id: UUID, n: int, line_feeds_before: int, content: bytes) -> None:
        """Keep the nth chunk of a file that is coming in, with the number of line feeds in those before it."""
        async with reachable(), self._database.transaction() as tx:
            await tx.execute(statements.ADD_CHUNK, file_id, n, line_feeds_before, content, tx.now)

    async def drop_chunks(self, file_id: UUID) -> None:
        """Forget what came in of a file that is not taken."""
        async with reachable(), self._database.transaction() as tx:
            await tx.execute(statements.DROP_CHUNKS, file_id)

    async def take(self, file: Received) -> bool:
        """Take a file durably, and have it worked through.

        Returns:
            False where the party has handed in another one under the same key meanwhile.
        """
        async with reachable(), self._database.transaction() as tx:
            taken = await tx.fetch_value(
                statements.TAKE,
                file.file_id,
                file.party_id,
                file.idempotency_key,
                file.media_type,
                file.sha256,
                file.size_bytes,
                file.chunks,
                file.rows,
                tx.now,
            )
            if taken is not None:
                tx.send(WorkTransferFile(file_id=file.file_id))
        return taken is not None

    async def taken(self, party_id: UUID, idempotency_key: str) -> Taken | None:
        """The file of this party under its own key."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(statements.TAKEN, party_id, idempotency_key)
        return None if row is None else Taken(row["file_id"], row["rows"], row["sha256"])

    async def unfinished(self, party_id: UUID, limit: int) -> int:
        """How many files of this party wait or are in work; counted up to the limit."""
        async with reachable(), self._database.reading() as reading:
            found: int = await reading.fetch_value(statements.UNFINISHED, party_id, limit)
        return found

    async def file(self, file_id: UUID) -> StoredFile | None:
        """A file and how far it is."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(statements.FILE, file_id)
        return None if row is None else _stored_file(row)

    async def chunk(self, file_id: UUID, n: int) -> bytes:
        """The nth chunk."""
        async with reachable(), self._database.reading() as reading:
            content: bytes = await reading.fetch_value(statements.CHUNK, file_id, n)
        return content

    async def chunk_of_line(self, file_id: UUID, line: int) -> tuple[int, int]:
        """Where the line of this number, from 0, begins: the chunk, and how many ends of lines in it come before."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(statements.CHUNK_OF_LINE, file_id, line)
        return (0, line) if row is None else (row["n"], line - row["line_feeds_before"])

    async def go_on(self, file_id: UUID) -> None:
        """Have a file's work gone on with, when others have had their turn."""
        async with reachable(), self._database.transaction() as tx:
            tx.send(WorkTransferFile(file_id=file_id))

    async def asking(self, file_id: UUID, rows: int) -> int:
        """Keep that the ledger is asked about the first `rows` rows; returns about how many it had been before."""
        async with reachable(), self._database.transaction() as tx:
            before: int = await tx.fetch_value(statements.ASKING, file_id, rows)
        return before

    async def told(self, file_id: UUID, transfer_ids: Sequence[str]) -> set[str]:
        """Those of these ids that rows had which have their results."""
        async with reachable(), self._database.reading() as reading:
            rows = await reading.fetch(statements.TOLD, file_id, transfer_ids)
        return {row["transfer_id"] for row in rows}

    async def results(self, file_id: UUID, after_line: int, limit: int) -> list[ResultRow]:
        """The results of at most `limit` lines after `after_line`, in order."""
        async with reachable(), self._database.reading() as reading:
            rows = await reading.fetch(statements.RESULTS, file_id, after_line, limit)
        return [ResultRow(*row) for row in rows]

    async def record(
        self, file: StoredFile, done: int, first_line: int, outcomes: Sequence[ItemOutcome], counts: Counts
    ) -> bool:
        """Keep the outcomes of the rows after the first `done`, and the progress, in one transaction.

        Returns:
            Whether these were the last rows.

        Raises:
            TransientError: somebody else has gone on with this file.
        """
        async with reachable(), self._database.transaction() as tx:
            found = await tx.fetch_row(
                statements.PROGRESS,
                file.file_id,
                done,
                done + len(outcomes),
                counts.posted,
                counts.points,
                counts.replayed,
                json.dumps(counts.refused),
                tx.now,
            )
            if found is None:
                raise TransientError("another process works on this file")
            rows = [_result_row(file.file_id, first_line + n, one) for n, one in enumerate(outcomes)]
            await tx.copy("partner", "file_result", statements.RESULT_COLUMNS, rows)
            if found["finished"]:
                tx.emit(TransferFileFinished(file_id=file.file_id, party_id=file.party_id, rows=file.rows))
        return bool(found["finished"])


def _result_row(file_id: UUID, line: int, one: ItemOutcome) -> tuple[Any, ...]:
    code = one.faults[0].code.value if one.faults else None
    return file_id, line, one.transfer_id, code, one.points, one.posted_on, one.replayed


def _stored_file(row: Row) -> StoredFile:
    return StoredFile(
        file_id=row["file_id"],
        party_id=row["party_id"],
        media_type=row["media_type"],
        chunks=row["chunks"],
        rows=row["rows"],
        done=row["done"],
        counts=Counts(row["posted"], row["points"], row["replayed"], json.loads(row["refused"])),
        taken_at=row["taken_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
