"""Messages really come by the broker, and are acknowledged when they are done and not before."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import aio_pika
import pytest
from aio_pika.abc import HeadersType
from prometheus_client import Counter
from structlog.testing import capture_logs

from hub.keys import Hasher
from hub.metrics import ARRIVED, FROM_STORE
from hub.process import HubProcess
from hub.transaction import Transaction
from hub.transports import receiver as receiver_module
from hub.transports.rabbitmq import publisher as publisher_module
from hub.transports.rabbitmq.cloud_events import MAC_HEADER
from hub.transports.rabbitmq.topology import CALLS, EXCHANGE, delivery_key, queue_name
from schemas.values import LANES
from tests.hub.parts import Probe, credit, credited, fake, key_in, record, say
from tests.hub.transports.conftest import Ready, Start
from tests.hub.transports.rabbitmq.broker_view import READY_LIMIT_S, BrokerView, Waiting
from tests.waiting import wait_until

DRAIN_LIMIT_S: Final = 60.0
DEADLINE_S: Final = 10.0
FIRST_LOOKS: Final = 5
"""A lane just won looks into the store once; on a slow machine that look finds a message still on its way."""


def counted(counter: Counter, receiver: str = "mail") -> float:
    """What a counter of this test's process says."""
    return float(counter.labels(receiver)._value.get())


def _have_arrived(count: float) -> bool:
    return counted(ARRIVED) >= count


async def test_every_message_comes_by_the_broker(
    start: Start, probe: Probe, view: BrokerView, ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_module, "POLL_S", DRAIN_LIMIT_S)  # a poll may find a message that is on its way
    async with start(fake("registry")) as sender, start(fake("mail")) as receiver:
        await ready()
        arrived, read = counted(ARRIVED), counted(FROM_STORE)
        for n in range(1, 101):  # one by one: who is behind reads what has not yet come
            await say(sender, credited(n, key_in(n % LANES)))
            await wait_until(partial(_have_arrived, arrived + n))
        await receiver.drained(DRAIN_LIMIT_S)
        assert counted(ARRIVED) - arrived == 100
        assert counted(FROM_STORE) - read <= FIRST_LOOKS
        await wait_until(view.is_empty)

    assert sorted(await probe.numbers()) == list(range(1, 101))


class Slow:
    """A handler that writes down what it handles, and does not end before it may."""

    def __init__(self) -> None:
        self.began, self.may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self, messages: Sequence[Any], tx: Transaction) -> None:
        await record("mail", messages, tx)
        self.began.set()
        await self.may_end.wait()


async def test_nothing_is_acknowledged_before_its_commit(
    start: Start, probe: Probe, view: BrokerView, ready: Ready
) -> None:
    slow = Slow()
    async with start(fake("registry")) as sender, start(fake("mail", slow)) as receiver:
        await ready()
        await say(sender, credited(1, key_in(5)))
        await asyncio.wait_for(slow.began.wait(), DEADLINE_S)
        await say(sender, credited(2, key_in(5)))
        await wait_until(lambda: _has(view, Waiting(0, 2)))
        assert await probe.numbers() == []
        slow.may_end.set()
        await receiver.drained(DRAIN_LIMIT_S)
        await wait_until(view.is_empty)

    assert await probe.numbers() == [1, 2]


async def test_a_batch_that_comes_five_times_more_is_done_once(
    start: Start, probe: Probe, view: BrokerView, ready: Ready, amqp_url: str
) -> None:
    """F23: while it is being done, and when it was done long ago."""
    key = delivery_key("mail", 5)
    async with start(fake("registry")) as sender, start(fake("mail")) as receiver, start(fake("mail")):
        await ready()
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            spied = await channel.declare_queue(exclusive=True)
            await spied.bind(EXCHANGE, key)
            await say(sender, *(credited(n, key_in(5)) for n in (1, 2, 3)))
            seen = await wait_until(lambda: spied.get(no_ack=True, fail=False))
            assert seen is not None
            await spied.unbind(EXCHANGE, key)
        for _ in range(5):
            await publish(amqp_url, EXCHANGE, key, seen.body, headers=seen.headers)
        await receiver.drained(DRAIN_LIMIT_S)
        for _ in range(5):
            await publish(amqp_url, EXCHANGE, key, seen.body, headers=seen.headers)
        await say(sender, credited(4, key_in(5)))
        await receiver.drained(DRAIN_LIMIT_S)
        await wait_until(view.is_empty)

    assert await probe.numbers() == [1, 2, 3, 4]


@pytest.mark.parametrize("forger", ["changes the batch", "says that it is ours", "says nothing"])
async def test_a_batch_that_was_changed_on_the_way_is_not_believed(
    start: Start, probe: Probe, ready: Ready, amqp_url: str, forger: str
) -> None:
    """Whoever can write to a queue cannot say what is done: the store can."""
    slow, key = Slow(), delivery_key("mail", 5)
    async with start(fake("registry")) as sender, start(fake("mail", slow)) as receiver:
        await ready()
        await say(sender, credited(1, key_in(5)))
        await asyncio.wait_for(slow.began.wait(), DEADLINE_S)
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            spied = await channel.declare_queue(exclusive=True)
            await spied.bind(EXCHANGE, key)
            await say(sender, credited(2, key_in(5)))
            seen = await wait_until(lambda: spied.get(no_ack=True, fail=False))
            assert seen is not None
            await spied.unbind(EXCHANGE, key)
        said: dict[str, HeadersType] = {
            "changes the batch": seen.headers,
            "says that it is ours": {MAC_HEADER: Hasher(b"a guess").word(seen.body)},
            "says nothing": {},
        }
        forged = seen.body.replace(b'"points":2', b'"points":7')
        with capture_logs() as logged:
            await publish(amqp_url, EXCHANGE, key, forged, headers=said[forger])
            await wait_until(lambda: "broker_batch_tampered" in [one["event"] for one in logged])
        slow.may_end.set()
        await receiver.drained(DRAIN_LIMIT_S)

    assert await probe.numbers() == [1, 2]


async def test_what_was_not_done_goes_back_to_its_queue(start: Start, view: BrokerView) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def never(_messages: Sequence[Any], _tx: Transaction) -> None:
        began.set()
        await may_end.wait()
        raise RuntimeError

    async with start(fake("registry")) as sender:
        async with start(fake("mail", never)) as receiver:
            await view.wait_for_consumers("mail")
            await say(sender, credited(1, key_in(5)))
            await asyncio.wait_for(began.wait(), DEADLINE_S)
            await say(sender, credited(2, key_in(5)))
            await wait_until(lambda: _has(view, Waiting(0, 2)))
            ending = asyncio.create_task(_once_let_go(receiver, may_end))
        await ending
        await wait_until(lambda: _has(view, Waiting(2, 0)))


async def test_calls_go_by_the_broker_and_leave_nothing(
    start: Start, probe: Probe, view: BrokerView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "PUBLISH_TIMEOUT_S", DRAIN_LIMIT_S)  # what is late would go by the database
    async with start(fake("registry")) as asking, start(fake("ledger")) as answering:
        await _by_the_broker(asking, answering)
        await wait_until(lambda: _is_consumed(view, queue_name(CALLS, "ledger")), READY_LIMIT_S)
        await probe.connection.execute("DROP TABLE hub.call, hub.reply")
        answers = await asyncio.gather(*(asking.bus.call(credit(n), DRAIN_LIMIT_S) for n in range(1, 101)))
        assert [answer.points for answer in answers] == list(range(1, 101))
        await wait_until(view.is_empty)


@pytest.mark.parametrize("body", [b"", b"no json", b'["no event"]', b"[]", b"\x00" * 100_000])
async def test_what_is_no_batch_hurts_nobody(
    start: Start, probe: Probe, view: BrokerView, ready: Ready, amqp_url: str, body: bytes
) -> None:
    async with start(fake("registry")) as sender, start(fake("mail")) as receiver:
        await ready()
        for _ in range(20):
            await publish(amqp_url, EXCHANGE, delivery_key("mail", 5), body)
        await say(sender, credited(1, key_in(5)))
        await receiver.drained(DRAIN_LIMIT_S)
        await wait_until(view.is_empty)

    assert await probe.numbers() == [1]


async def test_what_is_no_call_hurts_nobody(
    start: Start, probe: Probe, view: BrokerView, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "PUBLISH_TIMEOUT_S", DRAIN_LIMIT_S)
    async with start(fake("registry")) as asking, start(fake("ledger")) as answering:
        await _by_the_broker(asking, answering)
        await wait_until(lambda: _is_consumed(view, queue_name(CALLS, "ledger")), READY_LIMIT_S)
        for message_id in (None, "7", "00000000-0000-0000-0000-000000000007"):
            for _ in range(30):
                await publish(amqp_url, CALLS, "ledger", b"?", message_id)
        await probe.connection.execute("DROP TABLE hub.call")
        assert (await asking.bus.call(credit(1), DRAIN_LIMIT_S)).points == 1
        await wait_until(view.is_empty)


async def _by_the_broker(*processes: HubProcess) -> None:
    """Wait until all of these have all their connections: until then they call and answer over the database."""
    await wait_until(lambda: all(one.complaint() is None for one in processes), READY_LIMIT_S)


async def publish(
    amqp_url: str,
    exchange: str,
    key: str,
    body: bytes,
    message_id: str | None = None,
    headers: HeadersType | None = None,
) -> None:
    """As somebody would who has nothing to do with the hub."""
    async with await aio_pika.connect(amqp_url) as connection:
        to = await (await connection.channel()).get_exchange(exchange, ensure=False)
        message = aio_pika.Message(body, message_id=message_id, correlation_id=message_id, headers=headers)
        await to.publish(message, key)


async def _has(view: BrokerView, waiting: Waiting) -> bool:
    return await view.total() == waiting


async def _once_let_go(process: HubProcess, may_end: asyncio.Event) -> None:
    """Let a handler end that the process, told to stop, still waits for."""
    (receiver,) = (one for one in process.receivers_of("mail") if one.receiver == "mail")
    await wait_until(lambda: not receiver.lanes.epochs)
    may_end.set()


async def _is_consumed(view: BrokerView, name: str) -> bool:
    return bool((await view.consumers()).get(name))
