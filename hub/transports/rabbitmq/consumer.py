"""Consumes the queues of the lanes that this process works on, and acknowledges what is done."""

import asyncio
import hmac
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import Any, Final

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue, ConsumerTag

from hub.keys import Hasher
from hub.metrics import UNROUTED
from hub.transports.rabbitmq.arrivals import PREFETCH, BrokerArrivals
from hub.transports.rabbitmq.cloud_events import MAC_HEADER, NOTHING_IN_IT
from hub.transports.rabbitmq.topology import (
    EXCHANGE,
    LOOK_S,
    delivery_key,
    delivery_queue,
    discard,
    exchange_of,
    queue_name,
    unrouted_count,
)

log = structlog.get_logger()

CONSUME_TIMEOUT_S: Final = 5.0
"""A queue that nobody can consume for so long is stuck, as one that was declared just before a power cut may be."""
TRIED_AT_ONCE: Final = 100
"""How many queues are tried at once, each on a channel of its own, where one is stuck."""


class Consumer:
    """Consumes on its link, for all receivers of this process; what bears no `mac` of ours is dropped."""

    def __init__(self, mac: Hasher) -> None:
        self._mac = mac
        self._receivers: list[BrokerArrivals] = []
        self._changed = asyncio.Event()
        self._consuming: dict[tuple[str, int], tuple[AbstractQueue, ConsumerTag]] = {}
        self._unacknowledged: dict[int, AbstractIncomingMessage] = {}
        """By delivery tag, in the order they came: what is done up to one of them is acknowledged at once."""

    def add(self, arrivals: BrokerArrivals) -> None:
        """Consume for this receiver, too."""
        self._receivers.append(arrivals)

    def changed(self) -> None:
        """Lanes were won or lost, or something is done."""
        self._changed.set()

    async def work(self, connection: AbstractConnection) -> None:
        """Consume on this connection, until it is lost."""
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=PREFETCH)
        await exchange_of(connection, channel, EXCHANGE)
        plain = await channel.get_underlay_channel()
        plain.on_consumer_cancel_callbacks.add(self._cancelled)
        try:
            looked_s = time.monotonic()
            while not channel.is_closed:
                self._changed.clear()
                if self._consuming and not any(one.wanted for one in self._receivers):
                    return  # we are told to stop; a closed connection gives all back at once
                await self._follow_lanes(connection, channel)
                await self._acknowledge()
                if time.monotonic() - looked_s > LOOK_S:
                    looked_s = time.monotonic()
                    await self._look(connection, channel)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._changed.wait()
        finally:
            self._consuming.clear()
            self._unacknowledged.clear()
            for arrivals in self._receivers:
                arrivals.forget()

    async def _follow_lanes(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        wanted = {(one.receiver, lane): one for one in self._receivers for lane in one.wanted}
        for place in self._consuming.keys() - wanted.keys():
            queue, tag = self._consuming.pop(place)
            await queue.cancel(tag)
        for place in sorted(wanted.keys() - self._consuming.keys()):
            queue = await delivery_queue(channel, delivery_key(*place))
            came = partial(self._came, wanted[place], place[1])
            try:
                self._consuming[place] = queue, await queue.consume(came, timeout=CONSUME_TIMEOUT_S)
            except TimeoutError:
                await _replace_stuck(connection, sorted(wanted.keys() - self._consuming.keys()))
                raise

    async def _came(self, arrivals: BrokerArrivals, lane: int, message: AbstractIncomingMessage) -> None:
        if message.delivery_tag is not None:
            self._unacknowledged[message.delivery_tag] = message
            arrivals.came(lane, message.delivery_tag, message.body if self._is_ours(lane, message) else NOTHING_IN_IT)

    def _is_ours(self, lane: int, message: AbstractIncomingMessage) -> bool:
        """Else the store has the messages, and is believed."""
        said = str(message.headers.get(MAC_HEADER, ""))
        is_ours = hmac.compare_digest(said.encode(), self._mac.word(message.body).encode())
        if not is_ours:
            log.error("broker_batch_tampered", key=message.routing_key, lane=lane)
        return is_ours

    async def _acknowledge(self) -> None:
        """As few frames as can be: one up to the first that is not done, one for each behind it."""
        done = set(_taken(one.finished for one in self._receivers))
        for tag in _taken(one.unwanted for one in self._receivers):
            await self._unacknowledged.pop(tag).nack(requeue=True)
        up_to = list(takewhile(done.__contains__, self._unacknowledged))
        if up_to:
            await self._unacknowledged[up_to[-1]].ack(multiple=True)
        for tag in done.difference(up_to):
            await self._unacknowledged[tag].ack()
        for tag in done:
            del self._unacknowledged[tag]

    async def _look(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        count = await unrouted_count(connection)
        UNROUTED.set(count)
        if count:
            log.warning("broker_unrouted", batches=count)
        for receiver, lane in list(self._consuming):
            await delivery_queue(channel, delivery_key(receiver, lane))

    def _cancelled(self, frame: Any) -> None:  # noqa: ANN401 - the client has no public name for it
        """The broker ends a consumer whose queue was deleted: it is declared anew."""
        for place, (_queue, tag) in list(self._consuming.items()):
            if tag == frame.consumer_tag:
                log.warning("broker_queue_gone", receiver=place[0], lane=place[1])
                del self._consuming[place]
        self._changed.set()


async def _replace_stuck(connection: AbstractConnection, places: Sequence[tuple[str, int]]) -> None:
    """Each takes some ten seconds, and a power cut may leave many: so all that are not consumed yet at once."""
    trying = (_discard_if_stuck(connection, *place) for place in places[:TRIED_AT_ONCE])
    await asyncio.gather(*trying, return_exceptions=True)  # what failed is tried again on the next connection


async def _discard_if_stuck(connection: AbstractConnection, receiver: str, lane: int) -> None:
    key = delivery_key(receiver, lane)
    try:
        async with connection.channel(publisher_confirms=False) as channel:
            await channel.set_qos(prefetch_count=1)
            queue = await delivery_queue(channel, key)
            await queue.consume(_leave, timeout=CONSUME_TIMEOUT_S)
    except TimeoutError:
        log.error("broker_queue_stuck", receiver=receiver, lane=lane)  # noqa: TRY400 - nothing of ours failed
        await discard(connection, queue_name(EXCHANGE, key))


async def _leave(_message: AbstractIncomingMessage) -> None:
    """Whatever is brought while a queue is tried goes back with its channel."""


def _taken(lists: Iterable[list[int]]) -> Sequence[int]:
    taken: list[int] = []
    for tags in lists:
        taken += tags
        tags.clear()
    return taken
