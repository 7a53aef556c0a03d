"""「ポイント利用」 (画面28–31): a citizen's points are used at the place where the terminal is."""

from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog

from connectors.terminal.counter_operations import CounterOperations, citizen_of
from connectors.terminal.counter_places import Here, here, names_of
from connectors.terminal.counter_point_shapes import Receipt, Usable, UsablePool, UseForm
from connectors.terminal.counter_posting import DEADLINE_S, Posted, command_id_of, post, posted
from connectors.terminal.counter_sessions import Session
from connectors.terminal.counter_shapes import Purpose
from hub.bus import Bus
from hub.web.problems import ProblemError
from schemas.points import PostingCommand, UsableAtOf, UsePoints
from schemas.problems import ProblemCode
from schemas.values import NO_EXPIRY

HASH_BYTES: Final = 16
SPENDS: Final = (Purpose.use_points, Purpose.issue_voucher)

log: Final = structlog.get_logger()


class CounterPoints:
    """The steps of a use, and its receipt."""

    def __init__(self, operations: CounterOperations, bus: Bus) -> None:
        self._operations = operations
        self._bus = bus

    async def usable(self, operation_id: UUID, session: Session) -> Usable:
        """What the citizen can use here (画面29, 32)."""
        async with self._operations.at(operation_id, session, *SPENDS) as operation:
            at = await here(self._bus, operation.terminal_id)
            asked = UsableAtOf(citizen_id=citizen_of(operation), lg_code=at.lg_code)
            pools = (await self._bus.call(asked, DEADLINE_S)).pools
            names = await names_of(self._bus, [one.pool for one in pools])
            told = [
                UsablePool(
                    pool=one.pool,
                    name=names[one.pool].name,
                    holder=names[one.pool].holder,
                    points=one.active,
                    last=next((part.last for part in one.expiring if part.last != NO_EXPIRY), None),
                )
                for one in pools
            ]
            return Usable(place=at.place, pools=told)

    async def use(self, operation_id: UUID, session: Session, form: UseForm) -> Receipt:
        """「利用」. Pressed again it is the same use."""
        async with self._operations.at(operation_id, session, Purpose.use_points) as operation:
            at = await here(self._bus, operation.terminal_id)
            await self._operations.still(operation)

            def make(attempt: int) -> PostingCommand:
                return UsePoints(
                    party_id=at.place_id,
                    command_id=command_id_of(operation_id, attempt),
                    request_hash=request_hash(form),
                    citizen_id=citizen_of(operation),
                    pool=form.pool,
                    points=form.points,
                    at_most=form.at_most,
                    store_id=at.place_id,
                    lg_code=at.lg_code,
                )

            used = await post(self._bus, operation_id, make)
            await self._operations.done(operation)
            log.info("counter_operation_done", operation_id=operation_id, purpose=operation.purpose.value)
            return await self._receipt(at, used)

    async def receipt(self, operation_id: UUID, session: Session) -> Receipt:
        """「レシート印字」, also where the answer to 「利用」 was lost.

        Raises ProblemError not_found: nothing was used.
        """
        operation = await self._operations.of(operation_id, session)
        at = await here(self._bus, operation.terminal_id)
        used = await posted(self._bus, at.place_id, operation_id)
        if operation.purpose is not Purpose.use_points or used is None:
            raise ProblemError(ProblemCode.not_found)
        return await self._receipt(at, used)

    async def _receipt(self, at: Here, used: Posted) -> Receipt:
        ((pool, left),) = used.answer.balances.items()
        return Receipt(
            receipt_number=used.command_id,
            place=at.place,
            pool=pool,
            name=(await names_of(self._bus, [pool]))[pool].name,
            points=used.answer.points,
            left=left,
            day=used.answer.posted_on,
        )


def request_hash(form: UseForm) -> bytes:
    """By which the ledger tells the same form from another one."""
    return sha256(form.model_dump_json().encode()).digest()[:HASH_BYTES]
