"""What there is at the broker, by name, and how it is declared: by whoever consumes it, with no more rights than that.

Names carry a version: what is declared otherwise one day gets another one, and both can stand side by side. Limits and
other things to be tuned are policies of the installation (deploy/), not arguments here.
"""

from typing import Any, Final, TypeAlias

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

EXCHANGE: Final = "mykey.v1"
CALLS: Final = "mykey.v1.call"
"""The exchange of calls: without an alternate, so that the caller hears at once that nobody is there."""
UNROUTED: Final = "mykey.v1.unrouted"
"""The alternate exchange, and the queue behind it: what came for nobody, kept to be counted and looked at."""
REPLIES: Final = "amq.rabbitmq.reply-to"
"""Direct reply-to: the broker's own way back to a caller, with no queue to declare."""

Arguments: TypeAlias = dict[str, Any]

LOOK_S: Final = 10.0
"""How often what came for nobody is counted, and every queue is declared anew: somebody may have removed a binding."""
DECLARE_TIMEOUT_S: Final = 10.0
DISCARD_TIMEOUT_S: Final = 30.0
"""The broker itself waits some seconds for a queue that does not answer before it deletes it by force."""
UNROUTED_LIMIT: Final = 1_000
DELIVERY_ARGUMENTS: Final[Arguments] = {
    "x-queue-type": "quorum",
    "x-single-active-consumer": True,
    "x-delivery-limit": 20,
}
"""One process at a time is brought a lane's messages; one that fails again and again is dropped, it is in the store."""


def delivery_key(receiver: str, lane: int) -> str:
    """The routing key of a receiver's lane."""
    return f"{receiver}.{lane}"


def queue_name(exchange: str, key: str) -> str:
    """The queue behind a routing key."""
    return f"{exchange}.{key}"


async def exchange_of(connection: AbstractConnection, channel: AbstractChannel, name: str) -> AbstractExchange:
    """An exchange, for `channel`. Where it is not there yet they are made, which takes the right to."""
    looking = await connection.channel()
    try:
        await looking.declare_exchange(name, passive=True, timeout=DECLARE_TIMEOUT_S)
    except ChannelNotFoundEntity:
        await _make(connection)
    else:
        await looking.close()
    return await channel.get_exchange(name, ensure=False)


async def _make(connection: AbstractConnection) -> None:
    """First the alternate, so that nothing is ever lost between the two."""
    async with connection.channel() as channel:
        unrouted = await channel.declare_exchange(UNROUTED, "fanout", durable=True, timeout=DECLARE_TIMEOUT_S)
        limit: Arguments = {"x-max-length": UNROUTED_LIMIT}
        queue = await channel.declare_queue(UNROUTED, durable=True, arguments=limit, timeout=DECLARE_TIMEOUT_S)
        await queue.bind(unrouted, timeout=DECLARE_TIMEOUT_S)
        alternate: Arguments = {"alternate-exchange": UNROUTED}
        for name, arguments in ((EXCHANGE, alternate), (CALLS, None)):
            await channel.declare_exchange(name, "direct", durable=True, arguments=arguments, timeout=DECLARE_TIMEOUT_S)


async def delivery_queue(channel: AbstractChannel, key: str) -> AbstractQueue:
    """The queue of a receiver's lane."""
    return await _bound(channel, EXCHANGE, key, DELIVERY_ARGUMENTS)


async def call_queue(channel: AbstractChannel, component: str) -> AbstractQueue:
    """The queue of calls to a component: a classic one, because a call is not worth more than its deadline."""
    return await _bound(channel, CALLS, component, {"x-queue-type": "classic"})


async def _bound(channel: AbstractChannel, exchange: str, key: str, arguments: Arguments) -> AbstractQueue:
    name = queue_name(exchange, key)
    queue = await channel.declare_queue(name, durable=True, arguments=arguments, timeout=DECLARE_TIMEOUT_S)
    await queue.bind(exchange, routing_key=key, timeout=DECLARE_TIMEOUT_S)
    return queue


async def discard(connection: AbstractConnection, name: str) -> None:
    """Delete a queue that is stuck; it is declared anew by its consumer. What it had is in the store."""
    async with connection.channel() as channel:
        await channel.queue_delete(name, timeout=DISCARD_TIMEOUT_S)


async def unrouted_count(connection: AbstractConnection) -> int:
    """How many batches came for nobody."""
    async with connection.channel() as channel:
        queue = await channel.declare_queue(UNROUTED, passive=True, timeout=DECLARE_TIMEOUT_S)
    return queue.declaration_result.message_count or 0
