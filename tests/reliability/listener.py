"""Stands in for mail: records each event of points that it hears, in the transaction of its inbox mark.

For each it has a notice sent, and records the sending too, outside of that transaction.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID, uuid5

from hub.component import Component, Context, Installed
from hub.database import Database
from hub.routes import ROUTES
from hub.transaction import Reading, Transaction
from schemas.connections import ConnectionTested, MailServerReached
from schemas.message import Command, Envelope, Event, Message
from schemas.notices import MailAddressState, MailAddressStateOf, NoticeKind, SendNotice
from schemas.points import PointsEvent

HEAR: Final = """
INSERT INTO mail.heard (type, citizen_id, party_id, command_id, pool)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])
"""
SENT: Final = "INSERT INTO mail.sent (notice_id) VALUES ($1)"
MAKE_TABLES: Final = """
CREATE TABLE IF NOT EXISTS mail.heard (
    id bigint GENERATED ALWAYS AS IDENTITY, type text NOT NULL, citizen_id uuid NOT NULL, party_id uuid NOT NULL,
    command_id text NOT NULL, pool text NOT NULL
);
CREATE TABLE IF NOT EXISTS mail.sent (notice_id uuid NOT NULL);
GRANT SELECT, INSERT ON mail.heard, mail.sent TO mykey_mail;
"""
"""The listener's own tables, in the schema of the component that it stands in for."""

NAMESPACE: Final = UUID(int=0x6E6F74696365)


def notice_id_of(message_type: str, party_id: UUID, command_id: str, pool: str) -> UUID:
    """The one notice of an event."""
    return uuid5(NAMESPACE, f"{message_type} {party_id} {command_id} {pool}")


async def hear(events: Sequence[Message], tx: Transaction) -> None:
    """Record events of points and ask for their notices; whatever else comes is done with."""
    points = [event for event in events if isinstance(event, PointsEvent)]
    await tx.execute(
        HEAR,
        [event.TYPE for event in points],
        [event.citizen_id for event in points],
        [event.party_id for event in points],
        [event.command_id for event in points],
        [event.pool for event in points],
    )
    for number, event in enumerate(points):
        tx.send(_notice(event, tx.business_date), about=number)


def _notice(event: PointsEvent, today: date) -> SendNotice:
    return SendNotice(
        notice_id=notice_id_of(event.TYPE, event.party_id, event.command_id, event.pool),
        citizen_id=event.citizen_id, kind=NoticeKind.granted, pool=event.pool, points=event.points, day=today,
    )  # fmt: skip


class Sender:
    """Sends notices outside, at least once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, envelope: Envelope) -> None:
        """A mail server that remembers."""
        assert isinstance(envelope.message, SendNotice)
        async with self._database.transaction() as tx:
            await tx.execute(SENT, envelope.message.notice_id)


async def reached(_query: MailServerReached) -> ConnectionTested:
    """Its mail server is always there."""
    return ConnectionTested(steps=[])


async def address_is_good(_query: MailAddressStateOf, _reading: Reading) -> MailAddressState:
    """No address has bounced."""
    return MailAddressState()


def component(context: Context) -> Component:
    """Handles whatever mail is sent."""
    return _hearing(context, ("mail",))


def all_hearers(context: Context) -> Component:
    """Handles whatever anybody is told of points: `DELIVERED` has it delivered to mail then."""
    return _hearing(context, HEARERS)


def _hearing(context: Context, hearers: Sequence[str]) -> Component:
    routed = [message_type for message_type, route in ROUTES.items() if not {*hearers}.isdisjoint(route.receivers)]
    sender = Sender(context.database)
    return Component(
        name="mail",
        handlers=dict.fromkeys([kind for kind in routed if issubclass(kind, Event)], hear),
        outside=dict.fromkeys([kind for kind in routed if issubclass(kind, Command)], sender.send),
        answers={MailAddressStateOf: address_is_good},
        connection_tests={MailServerReached: reached},
    )


INSTALLED: Final = Installed("mail", component)
HEARERS: Final = ("mail", "checkout", "street")
FOR_ALL: Final = Installed("mail", all_hearers)
"""Stands in for all of them at once, where routes can be changed: in one process, for one run."""
DELIVERED: Final = {
    kind: ("mail",) for kind, route in ROUTES.items() if issubclass(kind, PointsEvent) and route.receivers
}
HEARD: Final = frozenset(
    kind.TYPE for kind, route in ROUTES.items() if issubclass(kind, PointsEvent) and "mail" in route.receivers
)
"""What mail hears."""
HEARD_BY_ANYBODY: Final = frozenset(kind.TYPE for kind in DELIVERED)
