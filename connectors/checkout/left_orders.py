"""Orders that nobody brings to an end: cut off before the ledger heard of them, and never asked about again."""

import asyncio
from typing import Final
from uuid import UUID

import structlog

from connectors.checkout.orders import Orders
from connectors.checkout.store import Order
from hub.errors import HubError

log: Final = structlog.get_logger()


class LeftOrders:
    """The job `end_left`."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def __call__(self) -> None:
        """Refuse those that no points are set aside for, so that they weigh on no day and may be chosen again."""
        left = await self._orders.store.left()
        answers = await asyncio.gather(*(self._is_held(party_id, order) for party_id, order in left))
        held = [order.hold_id for (_, order), is_held in zip(left, answers, strict=True) if is_held]
        if held:
            await self._orders.store.known(held)

    async def _is_held(self, party_id: UUID, order: Order) -> bool:
        """One that cannot be asked about holds no other up, and has its turn again."""
        try:
            code = await self._orders.give_up(party_id, order)
        except HubError as error:
            log.warning("order_not_asked", hold_id=order.hold_id, error=type(error).__qualname__)
            return False
        log.info("left_order_ended", hold_id=order.hold_id, code=code)
        return code is None
