"""The near end: batches and calls given to the broker, each confirmed or known to be not.

A publish that timed out is unknown. Nothing hangs on it: what is due is found without the broker, and done once.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
from aio_pika import Message
from aio_pika.abc import AbstractConnection, AbstractExchange, AbstractIncomingMessage

from hub import failpoints
from hub.errors import TransientError
from hub.keys import Hasher
from hub.metrics import PUBLISHED
from hub.outbox import MessageRow
from hub.transports.rabbitmq.cloud_events import CONTENT_TYPE, MAC_HEADER, batch_of
from hub.transports.rabbitmq.links import BROKER_ERRORS
from hub.transports.rabbitmq.topology import CALLS, EXCHANGE, REPLIES, delivery_key, exchange_of

log = structlog.get_logger()

PUBLISH_TIMEOUT_S: Final = 5.0
IN_FLIGHT_LIMIT: Final = 300
"""The most batches that wait for their confirmation; those beyond are not published, but found by polling."""
REST_S: Final = 5.0
"""How long nothing is published to where the broker has not confirmed in time: to all of it while an alarm of its own
blocks us, to one queue where that is stuck."""
BLOCKED_AFTER_S: Final = 0.1
"""Once the broker has said that it blocks us, nobody waits for longer than that."""


class BrokerUnusableError(TransientError):
    """The broker did not take it: not connected, blocked, or no queue there."""


class Publisher:
    """Publishes on its link; `hint` is told of what could not be published, `replied` of replies to calls.

    `mac` marks batches as ours.
    """

    def __init__(
        self, mac: Hasher, hint: Callable[[str], None], replied: Callable[[AbstractIncomingMessage], None]
    ) -> None:
        self._mac = mac
        self._hint = hint
        self._replied = replied
        self._exchanges: dict[str, AbstractExchange] = {}
        self._connection: AbstractConnection | None = None
        self._rests_until_s: dict[str, float] = {}
        """By routing key."""
        self._under_way: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Future[None]] = set()

    @property
    def takes_all(self) -> bool:
        """Whether nothing is known that is not taken."""
        return self._connection is not None and all(map(self._is_to_be_tried, self._rests_until_s))

    async def work(self, connection: AbstractConnection) -> None:
        """Publish on this connection, until it is lost."""
        channel = await connection.channel(on_return_raises=True)
        try:
            replies = await channel.get_queue(REPLIES, ensure=False)
            await replies.consume(self._reply_came, no_ack=True)
            named = {name: await exchange_of(connection, channel, name) for name in (EXCHANGE, CALLS)}
            self._exchanges = {**named, "": channel.default_exchange}
            self._connection = connection
            await channel.closed()
        finally:
            self._exchanges, self._connection = {}, None

    def offer(self, receiver: str, lane: int, messages: Sequence[MessageRow]) -> None:
        """Have a batch published, without waiting."""
        room = len(self._under_way) < IN_FLIGHT_LIMIT
        if not room or self._connection is None or not self._is_to_be_tried(delivery_key(receiver, lane)):
            self._hint(receiver)
            return
        task = asyncio.create_task(self._publish(receiver, lane, messages))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def send(self, exchange: str, key: str, message: Message) -> None:
        """Publish one message and wait for its confirmation. Raises BrokerUnusableError.

        The exchange "" is the broker's own way back to a caller, who may be gone: it never counts that as routed.
        """
        if self._connection is None or not self._is_to_be_tried(key):
            raise BrokerUnusableError
        giving = _give(self._connection, self._exchanges[exchange], key, message)
        # In a task of its own: the client cancels whoever waits when the connection is lost, and who calls may have
        # less time than the broker is given.
        sending = asyncio.ensure_future(giving)
        self._sending.add(sending)
        sending.add_done_callback(partial(self._sent, key))
        await asyncio.wait([sending])
        error = _error_of(sending)
        if error is None:
            return
        if not isinstance(error, (asyncio.CancelledError, *BROKER_ERRORS)):
            raise error
        raise BrokerUnusableError from error

    async def finish(self) -> None:
        """Wait for what is under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _is_to_be_tried(self, key: str) -> bool:
        return time.monotonic() >= self._rests_until_s.get(key, 0.0)

    def _rest(self, key: str) -> None:
        now_s = time.monotonic()
        resting = {one: until_s for one, until_s in self._rests_until_s.items() if until_s > now_s}
        self._rests_until_s = {**resting, key: now_s + REST_S}

    def _sent(self, key: str, sending: "asyncio.Future[None]") -> None:
        """What came of it counts also where nobody waits for it any more."""
        self._sending.discard(sending)
        error = _error_of(sending)
        PUBLISHED.labels("confirmed" if error is None else type(error).__name__).inc()
        if isinstance(error, TimeoutError):
            self._rest(key)
        if isinstance(error, (asyncio.CancelledError, *BROKER_ERRORS)):
            log.warning("broker_publish_failed", key=key, error=type(error).__qualname__)

    async def _publish(self, receiver: str, lane: int, messages: Sequence[MessageRow]) -> None:
        failpoints.reach("relay.before_publish")
        try:
            batch = batch_of(messages)
            message = Message(batch, content_type=CONTENT_TYPE, headers={MAC_HEADER: self._mac.word(batch)})
            await self.send(EXCHANGE, delivery_key(receiver, lane), message)
        except BrokerUnusableError:
            self._hint(receiver)
        else:
            failpoints.reach("relay.after_publish")

    async def _reply_came(self, message: AbstractIncomingMessage) -> None:
        self._replied(message)


def _error_of(sending: "asyncio.Future[None]") -> BaseException | None:
    return asyncio.CancelledError() if sending.cancelled() else sending.exception()


async def _give(connection: AbstractConnection, exchange: AbstractExchange, key: str, message: Message) -> None:
    if connection.transport is None:
        raise BrokerUnusableError
    async with asyncio.timeout(BLOCKED_AFTER_S):
        await connection.transport.ready()
    await exchange.publish(message, key, mandatory=bool(exchange.name), timeout=PUBLISH_TIMEOUT_S)
