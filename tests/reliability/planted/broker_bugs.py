"""Bugs of the RabbitMQ transport, in workers that cannot fall back on the store: with it they would do no harm.

(A publisher that waits for no confirmation shows nowhere: what it loses is found by polling, and nothing else.)
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from typing import Final
from unittest import mock
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage

from hub import deliveries
from hub.database import Database
from hub.deliveries import Due, Place, Stored
from hub.errors import TransientError
from hub.transports.rabbitmq.arrivals import BrokerArrivals
from hub.transports.rabbitmq.consumer import Consumer
from tests.reliability.planted.bugs import Bug

CUT_OFF: Final = "mail"
"""The receiver that sees only what the broker brings; what it says to itself goes on."""


@contextmanager
def store_cut_off() -> Iterator[None]:
    """No bug by itself: what is not done comes again by the broker."""
    fetch_but = deliveries.fetch_but

    async def brought_only(database: Database, place: Place, after: int, held: Mapping[UUID, Stored]) -> list[Due]:
        due = await fetch_but(database, place, after, held)
        if place.receiver != CUT_OFF:
            return due
        brought = list(takewhile(lambda one: one.message_id in held, due))
        if due and not brought:
            raise TransientError("not brought yet")
        return brought

    with mock.patch.object(deliveries, "fetch_but", brought_only):
        yield


@contextmanager
def acknowledged_when_brought() -> Iterator[None]:
    """The broker is told that all is well before anything is done."""

    async def came(_self: Consumer, arrivals: BrokerArrivals, lane: int, message: AbstractIncomingMessage) -> None:
        await message.ack()
        if message.delivery_tag is not None:
            arrivals.came(lane, message.delivery_tag, message.body)

    async def nothing_more(self: Consumer) -> None:
        for one in self._receivers:
            one.finished.clear()
            one.unwanted.clear()

    with (
        store_cut_off(),
        mock.patch.object(Consumer, "_came", came),
        mock.patch.object(Consumer, "_acknowledge", nothing_more),
    ):
        yield


BROKER_BUGS: Final = {
    bug.name: bug
    for bug in (
        Bug("store_cut_off", store_cut_off, frozenset()),
        Bug("acknowledged_when_brought", acknowledged_when_brought, frozenset({"I10"})),
    )
}
