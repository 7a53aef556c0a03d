"""Our tables of presence and jobs, for all processes that agents are connected to."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from connectors.terminal import uplink_statements as sql
from hub.apart import committed
from hub.database import Database, Row
from hub.keys import Sealer, place
from hub.transaction import Reading, Transaction
from schemas.card_jobs import Ask, CardRemoved, MergeFilesAnswered, Presence, PresenceOf, Presences
from schemas.uplink import (
    CardEvent,
    CardJob,
    CardResult,
    Job,
    MergeAnswers,
    MergeFilesResult,
    MergeFolder,
    NotifyResult,
    NumberResult,
    Outcome,
)

DEAD_AFTER_S: Final = 10.0
"""A process that has said nothing for this long is dead, and the terminals connected to it are away."""
JOBS_KEPT_S: Final = 60.0
"""How long a job stays when its time is over: longer than anybody waits for an answer, `schemas.card_jobs`."""
CARDS_LIMIT: Final = 16
"""Of one terminal at a time; more readers nobody has, and the card that came first counts as taken out."""
CARD_EVENTS_KEPT: Final = timedelta(days=90)
LOOK: Final = "look"
"""Signalled to all: the connections of some terminals are not theirs any more."""

Result = CardResult | NumberResult | NotifyResult | MergeFilesResult
KINDS: Final[dict[type[Result], tuple[str, ...]]] = {
    CardResult: ("card", "release"),
    NumberResult: ("number",),
    NotifyResult: ("notify",),
    MergeFilesResult: ("merge_files",),
}
"""A result → the jobs that it may be of."""
_JOB: Final[TypeAdapter[Job]] = TypeAdapter(Job)
_RESULT: Final[TypeAdapter[Result]] = TypeAdapter(Result)


@dataclass(frozen=True, slots=True)
class Due:
    """A job to be sent over a connection of this process."""

    connection_id: UUID
    job: Job


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that was asked; `result` is None where the connection was lost, or nobody wants it any more."""

    job_id: UUID
    result: Result | None


class UplinkStore:
    """What one process, named by `process_id`, knows and tells of its connections."""

    def __init__(self, database: Database, sealer: Sealer, process_id: UUID) -> None:
        self._database = database
        self._sealer = sealer
        self.process_id = process_id

    # ------------------------------------------------------------------------------------------------ connections

    async def enter(self, terminal_id: str, connection_id: UUID) -> None:
        """A terminal is connected here now; where it was connected before, it is no longer."""

        async def work(tx: Transaction) -> None:
            before = await tx.fetch(sql.BEFORE, terminal_id)
            await self._take_away(tx, before)
            await tx.execute(sql.STARTED, self.process_id)
            await tx.execute(sql.ENTER, terminal_id, self.process_id, connection_id, tx.now)

        await committed(self._database, work)

    async def leave(self, connection_ids: Collection[UUID]) -> None:
        """These connections are lost: their jobs are too, and the cards that were in count as taken out."""
        if connection_ids:
            await committed(self._database, lambda tx: self._leave(tx, connection_ids))

    async def drop(self, terminal_ids: Collection[str], tx: Transaction) -> None:
        """Whoever is connected as one of these terminals is not that terminal any more."""
        await self._take_away(tx, await tx.fetch(sql.CONNECTIONS_OF, list(terminal_ids)))

    async def connected(self) -> set[UUID]:
        """The connections that count for this process."""
        async with self._database.reading() as reading:
            return {row["connection_id"] for row in await reading.fetch(sql.CONNECTED, self.process_id)}

    async def connected_among(self, terminal_ids: Collection[str]) -> set[str]:
        """Those that are connected, to whatever process."""
        if not terminal_ids:
            return set()
        async with self._database.reading() as reading:
            return {row["terminal_id"] for row in await reading.fetch(sql.CONNECTIONS_OF, list(terminal_ids))}

    async def _take_away(self, tx: Transaction, connections: Sequence[Row]) -> None:
        """From whichever processes have them."""
        if connections:
            await self._leave(tx, [row["connection_id"] for row in connections])
            tx.signal(LOOK)

    async def _leave(self, tx: Transaction, connection_ids: Collection[UUID]) -> None:
        for row in await tx.fetch(sql.LEAVE, list(connection_ids), tx.now):
            for insertion in row["insertions"]:
                tx.emit(CardRemoved(terminal_id=row["terminal_id"], insertion=insertion))
        lost = await tx.fetch(sql.LOSE, list(connection_ids))
        _signal(tx, (row["asked_by"] for row in lost))

    # ------------------------------------------------------------------------------------------- this process itself

    async def is_alive(self) -> None:
        """Say that this process is, and bury those that have not for long."""

        async def work(tx: Transaction) -> None:
            await tx.execute(sql.ALIVE, self.process_id)
            await self._take_away(tx, await tx.fetch(sql.ORPHANS, DEAD_AFTER_S))

        await committed(self._database, work)

    async def have_seen(self) -> None:
        """The terminals connected here are."""
        async with self._database.transaction() as tx:
            await tx.execute(sql.SEEN, self.process_id, tx.now)

    async def is_ending(self) -> None:
        """This process takes no more connections."""
        async with self._database.connection() as connection:
            await connection.execute(sql.NOT_ALIVE, self.process_id)

    async def sweep(self) -> None:
        """Forget what nobody will ask for."""
        async with self._database.transaction() as tx:
            await tx.execute(sql.SWEEP_JOBS, JOBS_KEPT_S)
            await tx.execute(sql.SWEEP_PROCESSES, DEAD_AFTER_S)
            await tx.execute(sql.SWEEP_CARD_EVENTS, tx.now - CARD_EVENTS_KEPT)

    # ---------------------------------------------------------------------------------------------- what agents tell

    async def card_event(self, connection_id: UUID, event: CardEvent) -> bool:
        """Record it, and tell that a card is gone. False: the terminal was connected anew meanwhile.

        A card that is put in takes no other one out: there may be a reader for each.
        """

        async def work(tx: Transaction) -> bool:
            row = await tx.fetch_row(sql.HELD, connection_id)
            if row is None:
                return False
            is_in = [event.insertion] if event.what == "inserted" else []
            held = [one for one in row["insertions"] if one != event.insertion] + is_in
            await tx.execute(sql.HOLD, connection_id, held[-CARDS_LIMIT:])
            await tx.execute(sql.RECORD_CARD, tx.now, row["terminal_id"], event.what, event.insertion)
            for insertion in held[:-CARDS_LIMIT] if is_in else [event.insertion]:
                tx.emit(CardRemoved(terminal_id=row["terminal_id"], insertion=insertion))
            return True

        return await committed(self._database, work)

    async def reader_state(self, connection_id: UUID, *, connected: bool) -> None:
        """Whether the agent has a reader."""
        async with self._database.connection() as connection:
            await connection.execute(sql.READER, connection_id, connected)

    async def merge_folder(self, connection_id: UUID, folder: MergeFolder) -> None:
        """How the agent's folder for merge files is."""
        async with self._database.connection() as connection:
            await connection.execute(sql.MERGE_FOLDER, connection_id, folder.trouble or "ready")

    async def merge_answers(self, terminal_id: str, said: MergeAnswers) -> None:
        """Say what the street's program has answered; told again by the agent, it is said again."""
        async with self._database.transaction() as tx:
            tx.emit(MergeFilesAnswered(terminal_id=terminal_id, answers=said.answers))

    async def presence_of(self, query: PresenceOf, reading: Reading) -> Presences:
        """Who is connected, to whatever process."""
        rows = await reading.fetch(sql.PRESENCES, query.terminal_ids, DEAD_AFTER_S)
        found = {row["terminal_id"]: {name: row[name] for name in Presence.model_fields} for row in rows}
        return Presences(terminals={terminal_id: Presence(**fields) for terminal_id, fields in found.items()})

    # ---------------------------------------------------------------------------------------------------------- jobs

    async def ask(self, ask: Ask, job: Job) -> Job | None:
        """Make a job for whoever is connected at the terminal: it, or the one made of this very ask before.

        None where nobody is; see also ReleaseCard. This process wants to know how it ends.
        """
        async with self._database.transaction() as tx:
            again = ask.ask_id, ask.terminal_id, self.process_id
            before = await tx.fetch_row(sql.ASKED_AGAIN, *again)
            if before is None:
                if await self._make(tx, ask.terminal_id, ask.operation_id, job, ask.ask_id):
                    return job
                before = await tx.fetch_row(sql.ASKED_AGAIN, *again)
        return None if before is None else self._job(*before)

    async def tell(self, terminal_id: str, operation_id: UUID, job: Job) -> None:
        """Make a job of which nobody wants to know how it ends."""
        async with self._database.transaction() as tx:
            await self._make(tx, terminal_id, operation_id, job, None)

    async def _make(self, tx: Transaction, terminal_id: str, operation_id: UUID, job: Job, ask_id: UUID | None) -> bool:
        purpose, nonce = (job.purpose, job.nonce) if isinstance(job, CardJob) else (None, None)
        sealed = self._sealer.seal(job.model_dump_json().encode(), _request(job.job_id))
        asked_by = None if ask_id is None else self.process_id
        held_by = await tx.fetch_value(
            sql.ASK, job.job_id, terminal_id, operation_id, job.kind, purpose, nonce, sealed, asked_by, job.limit_s,
            DEAD_AFTER_S, ask_id,
        )  # fmt: skip
        if held_by is not None:
            _signal(tx, [held_by])
        return held_by is not None

    async def due(self) -> list[Due]:
        """What is to be sent from here, in the order it was asked; each is given once."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql.SEND, self.process_id)
        return [
            Due(row["connection_id"], self._job(row["job_id"], row["request_sealed"], row["left_s"]))
            for row in sorted(rows, key=lambda row: row["job_id"])
        ]

    async def consume(self, connection_id: UUID, result: Result) -> bool:
        """Take a result, before anything of it is looked at. False: such a job was not sent there, or has ended."""
        sealed = self._sealer.seal(result.model_dump_json().encode(), _result(result.job_id))
        is_busy = isinstance(result, CardResult | NumberResult) and result.outcome is Outcome.busy
        async with self._database.transaction() as tx:
            if is_busy:
                await tx.fetch_row(sql.HELD, connection_id)  # before the job, as whoever else locks both
            row = await tx.fetch_row(sql.CONSUME, result.job_id, connection_id, list(KINDS[type(result)]), sealed)
            if row is not None:
                _signal(tx, [row["asked_by"]])
                if is_busy:
                    await tx.execute(sql.BUSY, result.job_id)
        return row is not None

    async def ended(self, job_ids: Collection[UUID]) -> list[Ended]:
        """Those of these jobs that have ended."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql.COLLECT, list(job_ids))
        return [Ended(row["job_id"], self._opened(row["job_id"], row["result_sealed"])) for row in rows]

    async def forget(self, ask_id: UUID) -> None:
        """Nobody waits for it any more: a result of it is not taken."""
        async with self._database.connection() as connection:
            await connection.execute(sql.FORGET, ask_id)

    def _job(self, job_id: UUID, sealed: bytes, left_s: float) -> Job:
        job = _JOB.validate_json(self._sealer.open(sealed, _request(job_id)))
        return job.model_copy(update={"limit_s": min(left_s, job.limit_s)})

    def _opened(self, job_id: UUID, sealed: bytes | None) -> Result | None:
        return None if sealed is None else _RESULT.validate_json(self._sealer.open(sealed, _result(job_id)))


def _signal(tx: Transaction, process_ids: Iterable[UUID | None]) -> None:
    for process_id in process_ids:
        if process_id is not None:
            tx.signal(process_id.hex)


def _request(job_id: UUID) -> str:
    return place("terminal.job", "request", job_id)


def _result(job_id: UUID) -> str:
    return place("terminal.job", "result", job_id)
