"""An order's way to the ledger and back: the same whether a shop's server asks, or a citizen on our page.

Everything goes under ids made of the shop's own, so that the same asked again is the same, whatever broke in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias, TypedDict
from uuid import UUID

from connectors.checkout.shapes import Authorization, OrderState
from connectors.checkout.store import Order, OrderStore, Wanted
from hub.bus import Bus
from hub.clock import Clock
from hub.web.problems import ProblemError
from schemas.checkouts import AuthorisePoints, CapturePoints, RefundCapture, VoidAuthorisation
from schemas.holds import HoldOf, HoldState, HoldView
from schemas.offers import UsablePoolsOf
from schemas.points import PostingStatus, RecordRefusal
from schemas.problems import ProblemCode, Refusal, RefusalCode

DEADLINE_S: Final = 10.0
HASH_BYTES: Final = 16

_OnceHeld: TypeAlias = CapturePoints | VoidAuthorisation | RefundCapture

_STATES: Final = {
    HoldState.open: OrderState.authorized,
    HoldState.taken: OrderState.captured,
    HoldState.returned: OrderState.released,
    HoldState.expired: OrderState.released,
}


class _About(TypedDict):
    """What all commands about an order's points have."""

    party_id: UUID
    command_id: str
    request_hash: bytes
    citizen_id: UUID
    hold_id: UUID


@dataclass(frozen=True, slots=True)
class Orders:
    """What can be done with an order of a shop or fund. All raise TransientError where no answer came."""

    bus: Bus
    store: OrderStore
    clock: Clock

    async def authorize(self, wanted: Wanted) -> Authorization:
        """Set its points aside. Raises ProblemError id_conflict (422) where the id stands for another order."""
        order = await self.store.take(wanted)
        return await self._set_aside(wanted.party_id, order) if order.code is None else _refused(order)

    async def refusal(self, party_id: UUID, pool: str, item_ids: Sequence[str]) -> RefusalCode | None:
        """`not_approved` where the pool's municipality has not approved all that is bought."""
        asked = UsablePoolsOf(party_id=party_id, offer_ids=list(item_ids), pools=[pool])
        usable = (await self.bus.call(asked, DEADLINE_S)).pools
        return None if pool in usable else RefusalCode.not_approved

    async def look_up(self, party_id: UUID, order_id: str) -> Authorization:
        """How it stands. Raises ProblemError not_found (404)."""
        order = await self._order(party_id, order_id)
        return await self._standing(party_id, order)

    async def capture(self, party_id: UUID, order_id: str, points: int | None) -> Authorization:
        """Spend all of it, or part. Raises ProblemError not_found, id_conflict."""
        order = await self._order(party_id, order_id)
        if order.code is None and points is not None and points > order.points:
            # Not asked: the ledger would keep the refusal under the order's one id, and take no right amount after it.
            standing = await self._standing(party_id, order)
            return standing.model_copy(update={"refusal": Refusal.of(RefusalCode.insufficient_points)})
        command = CapturePoints(**_about(party_id, order, f"c.{order_id}", f"capture:{points}"), points=points)
        return await self._do(party_id, order, command)

    async def void(self, party_id: UUID, order_id: str) -> Authorization:
        """Give all of it back. Raises ProblemError not_found."""
        order = await self._order(party_id, order_id)
        return await self._do(party_id, order, VoidAuthorisation(**_about(party_id, order, f"v.{order_id}", "void")))

    async def refund(self, party_id: UUID, order_id: str, refund_id: str, points: int) -> Authorization:
        """Give points back that were captured. Raises ProblemError not_found, id_conflict."""
        order = await self._order(party_id, order_id)
        about = _about(party_id, order, f"r.{refund_id}", f"refund:{order_id}:{points}")
        return await self._do(party_id, order, RefundCapture(**about, points=points))

    async def _order(self, party_id: UUID, order_id: str) -> Order:
        order = await self.store.order(party_id, order_id)
        if order is None:
            raise ProblemError(ProblemCode.not_found)
        return order

    async def give_up(self, party_id: UUID, order: Order) -> str | None:
        """Why no points are set aside for it, nor ever will be: the ledger refuses its id. None where some are."""
        posted = await self.bus.call(_refusal(party_id, order), DEADLINE_S)
        if posted.status is PostingStatus.refused:
            await self.store.refuse(party_id, order, posted.code or "")
        return posted.code

    async def _set_aside(self, party_id: UUID, order: Order) -> Authorization:
        if order.expires_at <= self.clock.now():
            return await self._too_late(party_id, order)
        command = AuthorisePoints(
            party_id=party_id,
            command_id=order.command_id,
            request_hash=order.request_hash,
            citizen_id=order.citizen_id,
            hold_id=order.hold_id,
            merchant_id=party_id,
            pool=order.pool,
            points=order.points,
            expires_at=order.expires_at,
        )
        posted = await self.bus.call(command, DEADLINE_S)
        if posted.status is PostingStatus.refused:
            await self.store.refuse(party_id, order, posted.code or "")
            return _refused(order, posted.code)
        return self._as_held(order, posted.hold)

    async def _do(self, party_id: UUID, order: Order, command: _OnceHeld) -> Authorization:
        if order.code is not None:
            return _refused(order)
        posted = await self.bus.call(command, DEADLINE_S)
        if posted.code == RefusalCode.no_hold:
            # It came before the order's authorization, or without one, and under this id that stays the answer.
            held = await self._set_aside(party_id, order)
            if held.state is OrderState.refused:
                return held
            posted = await self.bus.call(_second(command), DEADLINE_S)
        if posted.code == RefusalCode.id_conflict:
            raise ProblemError(ProblemCode.id_conflict)
        standing = self._as_held(order, posted.hold) if posted.hold else await self._standing(party_id, order)
        if posted.code is None:
            return standing
        return standing.model_copy(update={"refusal": Refusal.of(posted.code)})

    async def _standing(self, party_id: UUID, order: Order) -> Authorization:
        if order.code is not None:
            return _refused(order)
        hold = await self._hold(party_id, order)
        if hold is not None:
            return self._as_held(order, hold)
        if order.expires_at <= self.clock.now():
            return await self._too_late(party_id, order)
        # Taken by us, but its authorization was cut off: it has to be asked again.
        raise ProblemError(ProblemCode.outcome_unknown)

    async def _too_late(self, party_id: UUID, order: Order) -> Authorization:
        """How it ended that cannot be set aside any more, but may have been in time."""
        code = await self.give_up(party_id, order)
        if code is not None:
            return _refused(order, code)
        hold = await self._hold(party_id, order)
        if hold is None:
            raise ProblemError(ProblemCode.outcome_unknown)
        return self._as_held(order, hold)

    async def _hold(self, party_id: UUID, order: Order) -> HoldView | None:
        asked = HoldOf(citizen_id=order.citizen_id, counterparty_id=party_id, hold_id=order.hold_id)
        return (await self.bus.call(asked, DEADLINE_S)).hold

    def _as_held(self, order: Order, hold: HoldView | None) -> Authorization:
        state = OrderState.authorized if hold is None else _STATES[hold.state]
        if state is OrderState.authorized and order.expires_at <= self.clock.now():
            state = OrderState.released
        return Authorization(
            order_id=order.order_id,
            state=state,
            pool=order.pool,
            points=order.points,
            captured=hold.taken if hold else 0,
            refunded=hold.refunded if hold else 0,
            expires_at=order.expires_at,
        )


def own_id(command_id: str) -> str:
    """The shop's own id of an order or a refund, out of the ledger's command."""
    return command_id.partition(".")[2]


def _about(party_id: UUID, order: Order, command_id: str, request: str) -> _About:
    return {
        "party_id": party_id,
        "command_id": command_id,
        "request_hash": sha256(request.encode()).digest()[:HASH_BYTES],
        "citizen_id": order.citizen_id,
        "hold_id": order.hold_id,
    }


def _refusal(party_id: UUID, order: Order) -> RecordRefusal:
    """What is answered as its authorization was, where the ledger had heard that, and has its id refused where not."""
    return RecordRefusal(
        party_id=party_id,
        command_id=order.command_id,
        request_hash=order.request_hash,
        citizen_id=order.citizen_id,
        code=RefusalCode.hold_expired,
    )


def _second(command: _OnceHeld) -> _OnceHeld:
    kind = command.command_id.partition(".")[0]
    return command.model_copy(update={"command_id": f"{kind}2.{own_id(command.command_id)}"})


def _refused(order: Order, code: str | None = None) -> Authorization:
    return Authorization(
        order_id=order.order_id,
        state=OrderState.refused,
        pool=order.pool,
        points=order.points,
        captured=0,
        refunded=0,
        expires_at=order.expires_at,
        refusal=Refusal.of(code or order.code or ""),
    )
