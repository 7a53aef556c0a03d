"""Calls carried by the broker: a queue for each component, whoever is free takes the next; direct reply-to back."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from aio_pika import Message
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage, AbstractQueue

from hub.transports.rabbitmq.links import BROKER_ERRORS
from hub.transports.rabbitmq.publisher import BrokerUnusableError, Publisher
from hub.transports.rabbitmq.topology import CALLS, LOOK_S, REPLIES, call_queue, exchange_of
from hub.transports.remote_calls import Asked, RemoteCalls

log = structlog.get_logger()

CONTENT_TYPE: Final = "application/octet-stream"
"""Sealed: see hub.transports.remote_calls."""

CONSUME_TIMEOUT_S: Final = 5.0

Reply = Callable[[UUID, UUID, bytes], Awaitable[None]]
"""The other way back: (call id, caller, sealed)."""


class BrokerCalls:
    """Carries this process's calls to others, and answers theirs for the components hosted here."""

    def __init__(
        self,
        calls: RemoteCalls,
        publisher: Publisher,
        served: Collection[str],
        reply_otherwise: Reply,
        at_once_limit: int,
    ) -> None:
        self._calls = calls
        self._publisher = publisher
        self._served = served
        self._reply_otherwise = reply_otherwise
        self._at_once_limit = at_once_limit
        self._stopped = False
        self._serving: set[asyncio.Task[None]] = set()
        self._consuming: list[tuple[AbstractQueue, str]] = []
        self._ending: asyncio.Task[None] | None = None

    async def carry(self, asked: Asked) -> None:
        """Bring a call to whoever hosts its receiver. Raises BrokerUnusableError."""
        message = Message(
            asked.sealed,
            content_type=CONTENT_TYPE,
            message_id=str(asked.id),
            correlation_id=str(self._calls.process_id),
            reply_to=REPLIES,
            expiration=asked.left_s,
        )
        await self._publisher.send(CALLS, asked.receiver, message)

    def replied(self, message: AbstractIncomingMessage) -> None:
        """An answer has come back."""
        if message.message_id is not None:
            self._calls.answered(UUID(message.message_id), message.body)

    async def work(self, connection: AbstractConnection) -> None:
        """Take calls for us on this connection, until it is lost."""
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=self._at_once_limit)
        await exchange_of(connection, channel, CALLS)
        self._consuming.clear()
        gone = asyncio.Event()
        plain = await channel.get_underlay_channel()
        plain.on_consumer_cancel_callbacks.add(lambda _frame: self._cancelled(gone))
        for component in self._served:
            queue = await call_queue(channel, component)
            if not self._stopped:
                tag = await queue.consume(partial(self._came, component), timeout=CONSUME_TIMEOUT_S)
                self._consuming.append((queue, tag))
        if self._stopped:
            return  # with its connection go the consumers that nobody knew of as we were told to stop
        while not channel.is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await gone.wait()
                return  # the next connection begins by declaring it
            for component in self._served:
                await call_queue(channel, component)

    def _cancelled(self, gone: asyncio.Event) -> None:
        """The broker ends a consumer whose queue was deleted: told at once, whatever becomes of the connection."""
        log.warning("broker_call_queue_gone", receivers=list(self._served))
        gone.set()

    def stop_taking(self) -> None:
        """Have the broker bring no more; what it brings until it knows goes back."""
        self._stopped = True
        if self._ending is None:
            self._ending = asyncio.create_task(self._end_consuming())

    async def finish(self) -> None:
        """Take no more, and wait for what is in work; what was brought and not begun goes back to the queue."""
        self.stop_taking()
        assert self._ending is not None  # noqa: S101 - it was begun just now, or before
        await self._ending
        if self._serving:
            await asyncio.wait(self._serving)

    async def _end_consuming(self) -> None:
        cancels = (queue.cancel(tag, timeout=CONSUME_TIMEOUT_S) for queue, tag in self._consuming)
        # Of a channel that is lost the client says anything, a bare Exception too; and then all has gone back.
        await asyncio.gather(*cancels, return_exceptions=True)

    async def _came(self, component: str, message: AbstractIncomingMessage) -> None:
        if self._stopped:
            with suppress(*BROKER_ERRORS):
                await message.nack(requeue=True)
            return
        try:
            call_id, caller = UUID(message.message_id), UUID(message.correlation_id)
        except (ValueError, TypeError, AttributeError):
            log.warning("broker_call_unreadable", receiver=component)
            await message.reject()
            return
        task = asyncio.ensure_future(self._serve(component, call_id, caller, message))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, component: str, call_id: UUID, caller: UUID, message: AbstractIncomingMessage) -> None:
        reply = await self._calls.reply_to(call_id, component, caller, message.body)
        try:
            back = Message(reply, content_type=CONTENT_TYPE, message_id=str(call_id))
            await self._publisher.send("", message.reply_to or "", back)
        except BrokerUnusableError:
            await self._reply_otherwise(call_id, caller, reply)
        # Of a connection that was lost meanwhile nothing can be acknowledged, and nothing needs to be.
        with suppress(*BROKER_ERRORS):
            await message.ack()
