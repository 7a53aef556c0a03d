"""The `rabbitmq` transport, with the `postgres` one standing behind it for as long as the broker is away."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from hub.errors import PermanentError
from hub.outbox import ToDo
from hub.settings import Settings
from hub.tracing import Trace
from hub.transports.port import Hosting, Loop
from hub.transports.postgres import PostgresTransport
from hub.transports.rabbitmq.arrivals import BrokerArrivals
from hub.transports.rabbitmq.broker_calls import BrokerCalls
from hub.transports.rabbitmq.cloud_events import MAC_PURPOSE
from hub.transports.rabbitmq.consumer import Consumer
from hub.transports.rabbitmq.links import Link
from hub.transports.rabbitmq.publisher import BrokerUnusableError, Publisher
from schemas.message import Message


class NoBrokerNamedError(PermanentError):
    """MYKEY_AMQP_URL names no broker."""


class RabbitTransport:
    """See hub.transports.port.Transport.

    Three links: the broker blocks a connection that publishes while an alarm of its own is on, acknowledgements
    included; and what takes calls must not wait for what takes deliveries.
    """

    def __init__(self, hosting: Hosting, settings: Settings, postgres: PostgresTransport) -> None:
        if settings.amqp_url is None:
            raise NoBrokerNamedError
        self._postgres = postgres
        mac = hosting.keys.hasher(MAC_PURPOSE)
        self._publisher = Publisher(mac, postgres.hint, self._replied)
        self._consumer = Consumer(mac)
        self.calls = BrokerCalls(
            postgres.remote, self._publisher, hosting.components, postgres.calls.reply, hosting.calls_at_once
        )
        url, ca_file = settings.amqp_url.get_secret_value(), settings.amqp_ca_file
        works = {"out": self._publisher.work, "in": self._consumer.work, "calls": self.calls.work}
        self._links = [Link(name, url, ca_file, work) for name, work in works.items()]
        postgres.calls.stands_behind = True

    def loops(self) -> Mapping[str, Loop]:
        """See Transport."""
        return {**self._postgres.loops(), **{f"broker.{link.name}": link.run for link in self._links}}

    def arrivals(self, receiver: str, wake: Callable[[int], bool]) -> BrokerArrivals:
        """See Transport."""
        made = BrokerArrivals(receiver, wake, self._consumer.changed)
        self._consumer.add(made)
        return made

    def tell(self, todo: ToDo) -> None:
        """See Transport."""
        for (receiver, lane), messages in todo.items():
            if messages:
                self._publisher.offer(receiver, lane, messages)
            else:
                self._postgres.hint(receiver)

    def signal(self, name: str) -> None:
        """See Transport: the broker has queues for receivers, and this is for processes."""
        self._postgres.signal(name)

    async def ask(self, receiver: str, messages: Sequence[Message], trace: Trace, deadline_s: float) -> list[Any]:
        """See Transport.

        What the broker has not taken goes by PostgreSQL; if it was taken after all, its own id has it done once.
        """
        remote = self._postgres.remote
        async with remote.asking(receiver, messages, trace, deadline_s) as asked:
            try:
                await self.calls.carry(asked)
            except BrokerUnusableError:
                await self._postgres.calls.carry(asked)
            return await remote.answers_to(asked, messages)

    def stop_taking(self) -> None:
        """See Transport."""
        self.calls.stop_taking()
        self._postgres.stop_taking()

    async def finish(self) -> None:
        """See Transport."""
        await self._publisher.finish()
        await asyncio.gather(self.calls.finish(), self._postgres.finish())

    def complaint(self) -> str | None:
        """See Transport."""
        if not all(link.is_up for link in self._links):
            return "the broker cannot be reached"
        return None if self._publisher.takes_all else "the broker does not take everything"

    def _replied(self, message: AbstractIncomingMessage) -> None:
        self.calls.replied(message)
