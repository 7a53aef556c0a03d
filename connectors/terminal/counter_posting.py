"""What an operation posts, under ids that are its own: an answer that was lost is asked for again.

An id has one outcome for ever. So where an amount was refused the next one has the next id; one whose outcome is not
known is never followed by another.
"""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from connectors.terminal.counter_operations import CounterOperations, citizen_of
from connectors.terminal.counter_places import Here, here
from connectors.terminal.counter_reasons import refused
from connectors.terminal.counter_sessions import Session
from connectors.terminal.counter_shapes import Purpose, Shape
from connectors.terminal.counter_store import Operation
from hub.bus import Bus
from hub.web.problems import ProblemError
from schemas.points import OutcomesOf, PostingAnswer, PostingCommand, RecordRefusal
from schemas.problems import ProblemCode, RefusalCode

DEADLINE_S: Final = 10.0
ATTEMPTS_LIMIT: Final = 20
"""Amounts tried in one operation, and receipts asked for of nothing."""
ENDED: Final = frozenset({"done", "over"})
HASH_BYTES: Final = 16

log: Final = structlog.get_logger()


class Asking(NamedTuple):
    """For whom, where, and under which of its ids an operation asks."""

    operation: Operation
    at: Here
    attempt: int

    @property
    def command_id(self) -> str:
        """The place's own id of it, which a receipt shows."""
        return command_id_of(self.operation.operation_id, self.attempt)


Make = Callable[[Asking], PostingCommand]


class Posted(NamedTuple):
    """What was posted, and as what it was asked for."""

    asking: Asking
    answer: PostingAnswer


class CounterPosting:
    """Posts once in an operation, with its card; tells afterwards what was posted."""

    def __init__(self, operations: CounterOperations, bus: Bus) -> None:
        self._operations = operations
        self._bus = bus

    async def post(self, operation_id: UUID, session: Session, purpose: Purpose, make: Make) -> Posted:
        """The act of the operation, which is over with it; the same once more is told the same.

        Raises ProblemError where it is refused; `done_before` where something else was posted.
        """
        operation, at = await asyncio.gather(
            self._operations.of(operation_id, session), here(self._bus, session.terminal_id)
        )
        if operation.purpose is purpose and operation.state in ENDED:
            return await self._told_again(operation, at, make)
        async with self._operations.at(operation_id, session, purpose) as taken:
            await self._operations.still(taken)
            posted = await self._posted(taken, at, make)
            await self._operations.done(taken)
            log.info("counter_operation_done", operation_id=operation_id, purpose=purpose.value)
            return posted

    async def posted(self, operation_id: UUID, session: Session, purpose: Purpose) -> Posted:
        """What the operation has posted, for as long as the citizen may still be there.

        Raises ProblemError: not_found where nothing was posted, and then nothing that was asked for will be;
        `operation_over` once the next operation has begun here, or some time has passed.
        """
        operation = await self._operations.of(operation_id, session)
        if operation.purpose is not purpose:
            raise ProblemError(ProblemCode.not_found)
        if not await self._operations.is_latest(operation):
            raise refused(RefusalCode.operation_over)
        if operation.state == "acting":
            raise refused(RefusalCode.terminal_busy)
        found = await self._settled(operation, await here(self._bus, operation.terminal_id))
        if found is None:
            raise ProblemError(ProblemCode.not_found)
        return found

    async def _posted(self, operation: Operation, at: Here, make: Make) -> Posted:
        for asking in _askings(operation, at):
            answer = await self._bus.call(make(asking), DEADLINE_S)
            if answer.code is None:
                return Posted(asking, answer)
            if answer.code != RefusalCode.id_conflict and not answer.replayed:
                raise refused(answer.code)
            found = await self._found(operation, at)
            if found is not None:
                return await self._same(found, make)
            if not await self._operations.is_still(operation):
                # Its id may have been taken just now by whoever was told that nothing was posted.
                raise refused(RefusalCode.operation_over)
        raise refused(RefusalCode.operation_over)

    async def _told_again(self, operation: Operation, at: Here, make: Make) -> Posted:
        """What an operation that has ended has posted, also where its card was pulled before it could say so."""
        found = await self._found(operation, at)
        if found is None or not await self._operations.is_latest(operation):
            raise refused(operation.code or RefusalCode.operation_over)
        return await self._same(found, make)

    async def _same(self, found: Posted, make: Make) -> Posted:
        """The ledger tells whether the very same was asked: under an id with an outcome nothing new is posted."""
        answer = await self._bus.call(make(found.asking), DEADLINE_S)
        if answer.code is not None:
            raise refused(RefusalCode.done_before)
        return found

    async def _found(self, operation: Operation, at: Here) -> Posted | None:
        """What has been posted as far as the books say now."""
        asked = {asking.command_id: asking for asking in _askings(operation, at)}
        found = await self._bus.call(OutcomesOf(party_id=at.place_id, command_ids=list(asked)), DEADLINE_S)
        for one in found.outcomes:
            if one.answer.code is None:
                return Posted(asked[one.command_id], one.answer)
        return None

    async def _settled(self, operation: Operation, at: Here) -> Posted | None:
        """The same, once and for all: an id that is still open is taken, so that what was asked under it comes late."""
        if operation.citizen_id is None:
            return None
        for asking in _askings(operation, at):
            found = await self._found(operation, at)
            if found is not None:
                return found
            taken = RecordRefusal(
                party_id=at.place_id,
                command_id=asking.command_id,
                request_hash=hash_of(asking.command_id),
                citizen_id=citizen_of(operation),
                code=RefusalCode.operation_over,
            )
            answer = await self._bus.call(taken, DEADLINE_S)
            if answer.code == RefusalCode.operation_over and not answer.replayed:
                return None
        return None


def command_id_of(operation_id: UUID, attempt: int) -> str:
    """The place's own id of an attempt."""
    return f"{operation_id.hex}.{attempt}"


def request_hash(form: Shape) -> bytes:
    """By which the ledger tells the same form from another one."""
    return hash_of(form.model_dump_json())


def hash_of(text: str) -> bytes:
    """16 bytes."""
    return sha256(text.encode()).digest()[:HASH_BYTES]


def _askings(operation: Operation, at: Here) -> list[Asking]:
    return [Asking(operation, at, attempt) for attempt in range(ATTEMPTS_LIMIT)]
