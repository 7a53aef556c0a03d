"""What the registry says of schemes and events, kept by the ledger for itself."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from hub.transaction import Writing
from schemas.municipalities import SchemeRegistered, SupportEventRegistered
from schemas.values import event_pool, scheme_pool
from workers.ledger import statements

NEVER_CHANGED: Final = 0
"""An event's id stands for one event for ever, so that its registrations are not numbered."""


async def scheme_registered(events: Sequence[SchemeRegistered], tx: Writing) -> None:
    """Open a scheme for points, or take over its new rule, unless a newer one is known.

    Points already credited keep their last day.
    """
    await tx.execute(statements.REGISTER_ONE_AT_A_TIME)
    for event in events:
        await tx.execute(
            statements.REGISTER_POOL, scheme_pool(event.lg_code), event.lg_code, event.expiry_rule,
            date.min, date.max, [event.lg_code], event.revision,
        )  # fmt: skip


async def support_event_registered(events: Sequence[SupportEventRegistered], tx: Writing) -> None:
    """Open an event for points; they end with its service period."""
    await tx.execute(statements.REGISTER_ONE_AT_A_TIME)
    for event in events:
        await tx.execute(
            statements.REGISTER_POOL, event_pool(event.event_id), event.lg_code, f"date:{event.last.isoformat()}",
            event.first, event.last, [event.lg_code, *event.usable_in], NEVER_CHANGED,
        )  # fmt: skip
