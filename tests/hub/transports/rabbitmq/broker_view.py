"""A look into the broker, and an operator's hands at it: one virtual host."""

import asyncio
import re
from collections import Counter
from contextlib import suppress
from typing import Final, NamedTuple

from hub.transports.rabbitmq.topology import EXCHANGE, delivery_key, queue_name
from schemas.values import LANES
from tests.rabbitmq import Broker, BrokerError
from tests.waiting import wait_until

READY_LIMIT_S: Final = 30.0
_TRIES_LIMIT: Final = 3

_COUNTS: Final = """
[{element(4, amqqueue:get_name(Q)), case amqqueue:get_type(Q) of
    rabbit_quorum_queue -> [case ra:local_query(amqqueue:get_pid(Q), F) of {ok, {_, N}, _} -> N; _ -> 999 end || F <-
        [fun rabbit_fifo:query_messages_ready/1, fun rabbit_fifo:query_messages_checked_out/1]];
    _ -> [N || {_, N} <- rabbit_amqqueue:info(Q, [messages_ready, messages_unacknowledged])]
end} || Q <- rabbit_amqqueue:list(<<"%s">>)]
"""
"""Asked of the queues themselves, since what the broker lists may be seconds old; 999 while one is being made."""
_COUNTED: Final = re.compile(r'\{<<"([^"]+)">>,\[(\d+),(\d+)\]\}')


class Waiting(NamedTuple):
    """What is in a queue."""

    ready: int
    unacknowledged: int


class BrokerView:
    """Each method asks the broker, some ten milliseconds, in a thread."""

    def __init__(self, broker: Broker, vhost: str) -> None:
        self.broker = broker
        self.vhost = vhost

    async def queues(self) -> dict[str, Waiting]:
        """Every queue, by name."""
        told = await self._evaluate(" ".join((_COUNTS % self.vhost).split()))
        return {name: Waiting(int(ready), int(taken)) for name, ready, taken in _COUNTED.findall(told)}

    async def total(self) -> Waiting:
        """Of all queues of deliveries and calls."""
        queues = [waiting for name, waiting in (await self.queues()).items() if not name.endswith(".unrouted")]
        return Waiting(sum(one.ready for one in queues), sum(one.unacknowledged for one in queues))

    async def is_empty(self) -> bool:
        """Whether nothing is left in any queue."""
        return not any(await self.total())

    async def consumers(self) -> dict[str, int]:
        """How many consumers each queue has, by name; none counts only where its queue answers."""
        told = await self._evaluate(
            f"[element(4, element(1, C)) || C <- [{{lists:nth(1, [V || {{queue_name, V}} <- I])}} ||"
            f' I <- rabbit_amqqueue:consumers_all(<<"{self.vhost}">>)]]'
        )
        return Counter(re.findall(r'<<"([^"]+)">>', told))

    async def wait_for_consumers(self, receiver: str, limit_s: float = READY_LIMIT_S) -> None:
        """Until each of a receiver's lanes has one."""
        names = [queue_name(EXCHANGE, delivery_key(receiver, lane)) for lane in range(LANES)]

        async def have_all() -> bool:
            consumers = await self.consumers()
            return all(consumers.get(name) for name in names)

        await wait_until(have_all, limit_s)

    async def delete(self, name: str) -> None:
        """As an operator does by mistake."""
        queue = f'rabbit_misc:r(<<"{self.vhost}">>, queue, <<"{name}">>)'
        await self._evaluate(f"begin {{ok, Q}} = rabbit_amqqueue:lookup({queue}), {_DELETE} end")

    async def unbind(self, exchange: str, key: str) -> None:
        """Take away the binding of a queue named `<exchange>.<key>`."""
        names = [
            f'rabbit_misc:r(<<"{self.vhost}">>, {kind}, <<"{name}">>)'
            for kind, name in (("exchange", exchange), ("queue", f"{exchange}.{key}"))
        ]
        binding = f'{{binding, {names[0]}, <<"{key}">>, {names[1]}, []}}'
        told = await self._evaluate(f'rabbit_binding:remove({binding}, <<"test">>)')
        assert told.startswith("ok") or "bindings" in told, told

    async def bindings(self, exchange: str) -> str:
        """All that is bound to an exchange, as Erlang writes it."""
        return await self._evaluate(
            f'rabbit_binding:list_for_source(rabbit_misc:r(<<"{self.vhost}">>, exchange, <<"{exchange}">>))'
        )

    async def _evaluate(self, erlang: str) -> str:
        """A busy machine may let the tool's own connection time out."""
        for _ in range(_TRIES_LIMIT - 1):
            with suppress(BrokerError):
                return await asyncio.to_thread(self.broker.evaluate, erlang)
        return await asyncio.to_thread(self.broker.evaluate, erlang)


_DELETE: Final = 'rabbit_amqqueue:delete(Q, false, false, <<"test">>)'
