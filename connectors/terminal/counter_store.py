"""Operations at counters, one at a time at each terminal, for all processes of this component.

An operation is alive while its row says so and its time is not up. Whatever asks looks at the row, so that an end is
seen by all processes with its commit. What it knows of a citizen is sealed, and gone when it ends.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from connectors.terminal import counter_statements as sql
from connectors.terminal.counter_shapes import OperationHow, Purpose, State
from hub.apart import committed
from hub.database import Database, Row, reachable
from hub.keys import Sealer, place
from hub.transaction import Transaction
from schemas.card_jobs import CardRemoved
from schemas.logins import EndSessions
from schemas.problems import RefusalCode

IDLE: Final = timedelta(seconds=60)
WHOLE: Final = timedelta(minutes=5)
READING: Final = timedelta(seconds=75)
"""A read that a person is asked for, the hub's margin for its answer with it."""
PRINTED_FOR: Final = timedelta(minutes=10)
"""So long after its whole time is up a voucher is printed again without the card."""
KEPT: Final = timedelta(days=1)
"""How long an operation that has ended still says so."""

Result = TypeVar("Result")


class Kept(BaseModel):
    """What an operation keeps sealed.

    `session` is the registry's, where the card has a MyKey ID. `new_citizen_id` is who a MyKey ID would be made for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    new_citizen_id: UUID
    session: str | None = None
    proof_id: UUID
    signature_serial: str | None = None
    signature_due: bool = False


class Operation(BaseModel):
    """An operation as its row is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation_id: UUID
    session_id: UUID
    terminal_id: str
    purpose: Purpose
    how: OperationHow
    address_notice: bool
    state: State
    code: str | None
    ends_at: datetime
    insertion: UUID | None
    card_id: UUID | None
    citizen_id: UUID | None
    kept: Kept | None


class CounterStore:
    """Begins them, takes them for an act, and ends them."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def begin(
        self,
        operation_id: UUID,
        session_id: UUID,
        terminal_id: str,
        purpose: Purpose,
        how: OperationHow,
        *,
        notice: bool,
    ) -> list[UUID]:
        """A new operation; returns those that it has ended at this terminal."""

        async def work(tx: Transaction) -> list[UUID]:
            ended = await self._ended(await tx.fetch(sql.END_LIVE, [terminal_id], _OVER, tx.now), tx)
            await tx.execute(
                sql.BEGIN,
                operation_id,
                session_id,
                terminal_id,
                purpose.value,
                how,
                notice,
                tx.now + WHOLE,
                tx.now + READING,
            )
            return ended

        return await self._committed(work)

    async def of(self, operation_id: UUID, session_id: UUID) -> Operation | None:
        """The operation, if it is this session's; one whose time is up is over."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(sql.OPERATION, operation_id, session_id)
            return None if row is None else self._operation(row, reading.clock.now())

    async def is_latest(self, operation: Operation) -> bool:
        """Whether none has begun at its terminal after it, and it is not long over."""
        async with reachable(), self._database.reading() as reading:
            ended = reading.clock.now() - PRINTED_FOR
            return bool(await reading.fetch_value(sql.IS_LATEST, operation.operation_id, ended))

    async def proven(
        self, operation_id: UUID, insertion: UUID, card_id: UUID | None, citizen_id: UUID | None, kept: Kept
    ) -> bool:
        """The card has proven itself. False where that card is out already, or the operation over."""
        sealed = self._sealer.seal(kept.model_dump_json().encode(), _kept_in(operation_id))

        async def work(tx: Transaction) -> bool:
            return bool(
                await tx.fetch_value(sql.PROVEN, operation_id, insertion, card_id, citizen_id, sealed, tx.now + IDLE)
            )

        return await self._committed(work)

    async def wait_on(self, operation_id: UUID) -> bool:
        """The citizen is asked for something more. False where the operation is over."""

        async def work(tx: Transaction) -> bool:
            return bool(await tx.fetch_value(sql.WAIT_ON, operation_id, tx.now + READING, tx.now))

        return await self._committed(work)

    async def take(self, operation_id: UUID, session_id: UUID) -> Operation | None:
        """For one act at a time. None where it is not proven, or its time is up."""

        async def work(tx: Transaction) -> Operation | None:
            row = await tx.fetch_row(sql.TAKE, operation_id, session_id, tx.now, tx.now + READING)
            return None if row is None else self._operation(row, tx.now)

        return await self._committed(work)

    async def is_still(self, operation_id: UUID) -> bool:
        """Whether what was taken is alive still."""

        async def work(tx: Transaction) -> bool:
            return bool(await tx.fetch_value(sql.STILL, operation_id, tx.now))

        return await self._committed(work)

    async def give_back(self, operation_id: UUID) -> None:
        """The act has not ended the operation: it may be tried again for as long as somebody is there."""
        await self._committed(lambda tx: tx.execute(sql.GIVE_BACK, operation_id, tx.now + IDLE))

    async def end(self, operation_id: UUID, state: State, code: str | None = None) -> None:
        """It is over, and so is the citizen's session with it."""

        async def work(tx: Transaction) -> None:
            await self._ended(await tx.fetch(sql.END, operation_id, state, code, tx.now), tx)

        await self._committed(work)

    async def end_session(self, session_id: UUID, terminal_id: str) -> list[UUID]:
        """The browser leaves; returns the operation that it had."""

        async def work(tx: Transaction) -> list[UUID]:
            await tx.execute(sql.END_SESSION, session_id)
            return await self._ended(await tx.fetch(sql.END_LIVE, [terminal_id], _OVER, tx.now), tx)

        return await self._committed(work)

    async def drop(self, terminal_ids: Collection[str], tx: Transaction) -> None:
        """These terminals are let in nowhere."""
        await tx.execute(sql.END_SESSIONS_AT, list(terminal_ids))
        rows = await tx.fetch(sql.END_LIVE, list(terminal_ids), RefusalCode.terminal_suspended.value, tx.now)
        await self._ended(rows, tx)

    async def card_removed(self, messages: Sequence[CardRemoved], tx: Transaction) -> None:
        """What was begun with that card is over, here and in the registry."""
        for about, message in enumerate(messages):
            await tx.execute(
                sql.CARD_REMOVED, message.terminal_id, message.insertion, RefusalCode.card_removed.value, tx.now
            )
            tx.send(EndSessions(terminal_id=message.terminal_id, insertion=message.insertion), about)

    async def _ended(self, rows: Sequence[Row], tx: Transaction) -> list[UUID]:
        for row in rows:
            if row["kept_sealed"] is not None:
                kept = self._opened(row["operation_id"], row["kept_sealed"])
                if kept.session is not None:
                    tx.send(EndSessions(session=kept.session))
        return [row["operation_id"] for row in rows]

    async def _committed(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        async with reachable():
            return await committed(self._database, work)

    def _operation(self, row: Row, now: datetime) -> Operation:
        fields = {name: row[name] for name in Operation.model_fields if name != "kept"}
        if row["ended_at"] is None and row["good_until"] <= now:
            fields |= {"state": "over", "code": _OVER}
        sealed = row["kept_sealed"]
        return Operation(**fields, kept=None if sealed is None else self._opened(row["operation_id"], sealed))

    def _opened(self, operation_id: UUID, sealed: bytes) -> Kept:
        return Kept.model_validate_json(self._sealer.open(sealed, _kept_in(operation_id)))


_OVER: Final = RefusalCode.operation_over.value


def _kept_in(operation_id: UUID) -> str:
    return place("terminal.counter_operation", "kept", operation_id)


async def sweep_operations(now: datetime, tx: Transaction) -> None:
    """Forget what has ended long ago."""
    await tx.execute(sql.SWEEP_OPERATIONS, now - KEPT)
