"""Stands in for mail: records each event of points that it hears, in the transaction of its inbox mark."""

from collections.abc import Sequence
from typing import Final

from hub.component import Component, Context, Installed
from hub.routes import ROUTES
from hub.transaction import Transaction
from schemas.message import Command, Envelope, Event, Message
from schemas.points import PointsEvent

HEAR: Final = """
INSERT INTO mail.heard (type, citizen_id, party_id, command_id, pool)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])
"""


async def hear(events: Sequence[Message], tx: Transaction) -> None:
    """Record events of points; whatever else comes is done with."""
    points = [event for event in events if isinstance(event, PointsEvent)]
    await tx.execute(
        HEAR,
        [event.TYPE for event in points],
        [event.citizen_id for event in points],
        [event.party_id for event in points],
        [event.command_id for event in points],
        [event.pool for event in points],
    )


async def nothing(_envelope: Envelope) -> None:
    """No mail leaves here."""


def component(_context: Context) -> Component:
    """Handles whatever mail is sent."""
    routed = [message_type for message_type, route in ROUTES.items() if "mail" in route.receivers]
    return Component(
        name="mail",
        handlers=dict.fromkeys([kind for kind in routed if issubclass(kind, Event)], hear),
        outside=dict.fromkeys([kind for kind in routed if issubclass(kind, Command)], nothing),
    )


INSTALLED: Final = Installed("mail", component)
