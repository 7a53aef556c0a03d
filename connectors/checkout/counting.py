"""What orders that ended give back to their day: what was not captured does not weigh on its limit.

Of those that ended by themselves the shop has to be told: it has asked for nothing, so nothing was answered.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from connectors.checkout import statements
from hub.clock import Clock
from hub.database import Database, reachable
from hub.transaction import Transaction
from schemas.checkouts import AuthorisationReleased, PointsCaptured
from schemas.shop_orders import OrderExpired

KEPT_FOR: Final = timedelta(days=31)
"""An authorization lives for 30 days at the most, and gives back to the day on which it was made."""


async def captured(messages: Sequence[PointsCaptured], tx: Transaction) -> None:
    """Only what was captured counts."""
    holds = [message.hold_id for message in messages]
    await tx.execute(statements.GIVE_BACK, holds, [message.points for message in messages])


async def released(messages: Sequence[AuthorisationReleased], tx: Transaction) -> None:
    """Nothing of it counts."""
    await tx.execute(statements.GIVE_BACK, [message.hold_id for message in messages], [0] * len(messages))
    expired = {message.hold_id: about for about, message in enumerate(messages) if message.expired}
    for row in await tx.fetch(statements.ORDERS_OF_HOLDS, list(expired)) if expired else ():
        about = expired[row["hold_id"]]
        event = OrderExpired(
            party_id=row["party_id"],
            order_id=row["order_id"],
            points=messages[about].points,
            expires_at=row["expires_at"],
        )
        tx.emit(event, about)


class ForgettingDays:
    """Deletes the counts of days that nothing is counted on any more."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def __call__(self) -> None:
        """As the job `forget_days`."""
        async with reachable(), self._database.transaction() as tx:
            await tx.execute(statements.FORGET_DAYS, self._clock.business_date() - KEPT_FOR)
