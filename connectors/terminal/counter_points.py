"""「ポイント利用」 (画面28–31): a citizen's points are used at the place where the terminal is."""

from typing import Final
from uuid import UUID

from connectors.terminal.counter_operations import CounterOperations, citizen_of
from connectors.terminal.counter_places import here, name_of, names_of
from connectors.terminal.counter_point_shapes import Receipt, Usable, UsablePool, UseForm
from connectors.terminal.counter_posting import DEADLINE_S, Asking, CounterPosting, Posted, request_hash
from connectors.terminal.counter_sessions import Session
from connectors.terminal.counter_shapes import Purpose
from hub.bus import Bus
from schemas.points import PostingCommand, UsableAtOf, UsePoints
from schemas.values import NO_EXPIRY

SPENDS: Final = (Purpose.use_points, Purpose.issue_voucher)


class CounterPoints:
    """The steps of a use, and its receipt."""

    def __init__(self, operations: CounterOperations, posting: CounterPosting, bus: Bus) -> None:
        self._operations = operations
        self._posting = posting
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

        def make(asking: Asking) -> PostingCommand:
            return UsePoints(
                party_id=asking.at.place_id,
                command_id=asking.command_id,
                request_hash=request_hash(form),
                citizen_id=citizen_of(asking.operation),
                pool=form.pool,
                points=form.points,
                at_most=form.at_most,
                store_id=asking.at.place_id,
                lg_code=asking.at.lg_code,
            )

        return await self._receipt(await self._posting.post(operation_id, session, Purpose.use_points, make))

    async def receipt(self, operation_id: UUID, session: Session) -> Receipt:
        """「レシート印字」, also where the answer to 「利用」 was lost.

        Raises ProblemError, as `CounterPosting.posted`.
        """
        return await self._receipt(await self._posting.posted(operation_id, session, Purpose.use_points))

    async def _receipt(self, used: Posted) -> Receipt:
        ((pool, left),) = used.answer.balances.items()
        return Receipt(
            receipt_number=used.asking.command_id,
            place=used.asking.at.place,
            pool=pool,
            name=await name_of(self._bus, pool),
            points=used.answer.points,
            left=left,
            day=used.answer.posted_on,
        )
