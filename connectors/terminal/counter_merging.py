"""「商店街ポイント合算」 (画面37–39): a citizen's points leave for the street whose terminal this is."""

import asyncio
from typing import Final
from uuid import UUID, uuid5

import structlog

from connectors.terminal.counter_operations import CounterOperations, citizen_of
from connectors.terminal.counter_places import here
from connectors.terminal.counter_reasons import refused
from connectors.terminal.counter_sessions import Session
from connectors.terminal.counter_shapes import MergeChoices, MergeDone, MergeForm, MergePool, Purpose
from connectors.terminal.counter_store import Operation
from hub.bus import Bus
from hub.errors import UnroutableError
from schemas.points import UsableAtOf
from schemas.problems import Refusal, RefusalCode
from schemas.service_ids import ServiceIdOf
from schemas.streets import IdKind, MergeAnswer, MergeState, StartMerge, Street, StreetOf

DEADLINE_S: Final = 10.0
MERGE_DEADLINE_S: Final = 40.0
"""The ledger's answer, and the agent's for the file."""
ATTEMPTS_LIMIT: Final = 20
"""Amounts tried in one operation."""

log: Final = structlog.get_logger()


class CounterMerging:
    """The two steps, each in one operation."""

    def __init__(self, operations: CounterOperations, bus: Bus) -> None:
        self._operations = operations
        self._bus = bus

    async def choices(self, operation_id: UUID, session: Session) -> MergeChoices:
        """The points, and which card of the street is the citizen's (画面37)."""
        async with self._operations.at(operation_id, session, Purpose.merge_points) as operation:
            street = await self._street(session)
            asked = UsableAtOf(citizen_id=citizen_of(operation), lg_code=await self._lg_code(operation))
            usable = (await self._bus.call(asked, DEADLINE_S)).pools
            pools = [MergePool(pool=one.pool, points=one.active) for one in usable]
            return MergeChoices(street=street.name, number=await self._number(street, operation), pools=pools)

    async def merge(self, operation_id: UUID, session: Session, form: MergeForm) -> MergeDone:
        """「合算」. The operation is the merge's own id: pressed again it goes on where it was."""
        async with self._operations.at(operation_id, session, Purpose.merge_points) as operation:
            street, lg_code = await asyncio.gather(self._street(session), self._lg_code(operation))
            await self._operations.still(operation)
            command = StartMerge(
                merge_id=operation_id,
                issuer_id=street.issuer_id,
                citizen_id=citizen_of(operation),
                pool=form.pool,
                points=form.points,
                terminal_id=operation.terminal_id,
                lg_code=lg_code,
            )
            answer = await self._started(command)
            if answer.code is not None:
                raise refused(answer.code)
            await self._operations.done(operation)
            log.info("counter_operation_done", operation_id=operation_id, purpose=operation.purpose.value)
            why = None if answer.undelivered is None else Refusal.of(answer.undelivered)
            return MergeDone(
                number=answer.number,
                points=answer.points,
                left=answer.left,
                undelivered=None if why is None else why.detail,
                undelivered_ja=None if why is None else why.detail_ja,
            )

    async def _started(self, command: StartMerge) -> MergeAnswer:
        """Under the next id where an amount was refused before: as long as nothing has left, it may be mended.

        One whose outcome is not known is never followed by another.
        """
        first = command.merge_id
        answer = await self._bus.call(command, MERGE_DEADLINE_S)
        for attempt in range(1, ATTEMPTS_LIMIT):
            if answer.code != RefusalCode.id_conflict or answer.state is not MergeState.failed:
                break
            command = command.model_copy(update={"merge_id": uuid5(first, str(attempt))})
            answer = await self._bus.call(command, MERGE_DEADLINE_S)
        return answer

    async def _street(self, session: Session) -> Street:
        if session.issuer_id is None:
            raise refused(RefusalCode.no_street)
        try:
            street = (await self._bus.call(StreetOf(issuer_id=session.issuer_id), DEADLINE_S)).street
        except UnroutableError:
            street = None  # an installation without streets
        if street is None:
            raise refused(RefusalCode.no_street)
        return street

    async def _lg_code(self, operation: Operation) -> str:
        return (await here(self._bus, operation.terminal_id)).lg_code

    async def _number(self, street: Street, operation: Operation) -> str | None:
        """A street that keeps MyKey IDs has no number that would be shown."""
        if street.layout.id_kind is IdKind.mykey_id:
            return None
        asked = ServiceIdOf(citizen_id=citizen_of(operation), issuer_id=street.issuer_id)
        found = (await self._bus.call(asked, DEADLINE_S)).service_id
        if found is None:
            raise refused(RefusalCode.no_service_id)
        return found.number
