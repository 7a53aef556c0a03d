"""What an operator, a power cut or a full disk may do to the broker: nothing lost, nothing doubled (F12 to F16)."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import aio_pika
import pytest
import structlog

from hub.metrics import ARRIVED, UNROUTED
from hub.transports.rabbitmq import broker_calls, consumer, publisher
from hub.transports.rabbitmq.topology import CALLS, EXCHANGE, delivery_key, delivery_queue, exchange_of, queue_name
from schemas.values import LANES
from tests.hub.parts import Probe, credited, fake, key_in, say
from tests.hub.transports.conftest import Ready, Start
from tests.hub.transports.rabbitmq.broker_view import BrokerView
from tests.hub.transports.rabbitmq.load import loaded
from tests.rabbitmq import Broker
from tests.waiting import wait_until

LOOK_S: Final = 0.5
PUBLISH_TIMEOUT_S: Final = 0.5
REST_S: Final = 0.5
BACK_LIMIT_S: Final = 60.0

Said: TypeAlias = list[Any]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (consumer, broker_calls):
        monkeypatch.setattr(module, "LOOK_S", LOOK_S)
    monkeypatch.setattr(publisher, "PUBLISH_TIMEOUT_S", PUBLISH_TIMEOUT_S)
    monkeypatch.setattr(publisher, "REST_S", REST_S)


@pytest.fixture
def said() -> Iterator[Said]:
    """What the log says."""
    with structlog.testing.capture_logs() as logs:
        yield logs


def arrived() -> float:
    """How many messages the broker has brought to mail so far."""
    return float(ARRIVED.labels("mail")._value.get())


async def comes_by_the_broker(some: int = 30) -> None:
    """Wait until the broker has brought so many more."""
    before = arrived()
    await wait_until(lambda: arrived() >= before + some, BACK_LIMIT_S)


def says(logs: Said, event: str) -> bool:
    """Whether the log says this."""
    return any(entry["event"] == event for entry in logs)


async def test_a_queue_that_is_deleted_under_load_is_declared_anew(
    start: Start, probe: Probe, view: BrokerView, ready: Ready, said: Said
) -> None:
    deleted = [queue_name(EXCHANGE, delivery_key("mail", lane)) for lane in (0, 7)] + [queue_name(CALLS, "ledger")]
    async with loaded(start, probe, view) as load:
        await ready()
        await comes_by_the_broker()
        for name in deleted:
            await view.delete(name)
        await load.flows()
        await wait_until(lambda: says(said, "broker_queue_gone") and says(said, "broker_call_queue_gone"))
        await ready()
        await wait_until(lambda: _are_there(view, deleted), BACK_LIMIT_S)
        await comes_by_the_broker()


async def test_a_binding_that_is_removed_is_told_of_and_comes_back(
    start: Start, probe: Probe, view: BrokerView, ready: Ready, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "LOOK_S", BACK_LIMIT_S)
    async with start(fake("registry")) as sender, start(fake("mail")) as receiver:
        await ready()
        await view.unbind(EXCHANGE, delivery_key("mail", 3))
        before = arrived()
        await say(sender, credited(1, key_in(3)))
        await receiver.drained(BACK_LIMIT_S)
        assert await probe.numbers() == [1]
        assert arrived() == before
        assert (await view.queues())["mykey.v1.unrouted"].ready == 1
        monkeypatch.setattr(consumer, "LOOK_S", LOOK_S)
        await say(sender, credited(2, key_in(4)))  # wakes the consumer, which looks
        await wait_until(lambda: says(said, "broker_unrouted"))
        assert UNROUTED._value.get() == 1
        await wait_until(lambda: _is_bound(view, delivery_key("mail", 3)))
        before = arrived()
        await say(sender, credited(3, key_in(3)))
        await wait_until(lambda: arrived() == before + 1)
        await receiver.drained(BACK_LIMIT_S)


async def test_while_the_broker_takes_nothing_everything_goes_over_postgresql(
    start: Start, probe: Probe, broker: Broker, view: BrokerView, ready: Ready
) -> None:
    async with loaded(start, probe, view) as load:
        await ready()
        await comes_by_the_broker()
        await asyncio.to_thread(broker.block)
        try:
            await wait_until(load.process.complaint)
            assert load.process.complaint() == "the broker does not take everything"
            unknown = load.unknown
            began_s = time.monotonic()
            await load.flows()
            assert load.unknown - unknown <= 1 + (time.monotonic() - began_s) / PUBLISH_TIMEOUT_S
        finally:
            await asyncio.to_thread(broker.unblock)
        await wait_until(lambda: load.process.complaint() is None, BACK_LIMIT_S)
        await comes_by_the_broker()


async def test_a_broker_that_is_killed_and_started_again_is_used_again(
    start: Start, probe: Probe, broker: Broker, view: BrokerView, ready: Ready
) -> None:
    async with loaded(start, probe, view) as load:
        await ready()
        await comes_by_the_broker()
        await asyncio.to_thread(broker.kill)
        await wait_until(load.process.complaint)
        await load.flows()
        await asyncio.to_thread(broker.start)
        await wait_until(lambda: load.process.complaint() is None, BACK_LIMIT_S)
        await comes_by_the_broker()


async def test_a_broker_that_has_lost_everything_is_used_again(
    start: Start, probe: Probe, broker: Broker, view: BrokerView, ready: Ready
) -> None:
    async with loaded(start, probe, view) as load:
        await ready()
        await comes_by_the_broker()
        await asyncio.to_thread(broker.wipe)
        await load.flows()
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(broker.add_vhost, view.vhost)
        await wait_until(lambda: load.process.complaint() is None, BACK_LIMIT_S)
        await comes_by_the_broker()


@pytest.mark.parametrize("lost", ["last", "all"])
async def test_queues_that_a_power_cut_has_left_stuck_are_replaced(
    start: Start, probe: Probe, broker: Broker, view: BrokerView, amqp_url: str, said: Said, lost: str
) -> None:
    """F13: the broker knows what was declared last before a kill -9, and never serves it again.

    One after the other, eight of them for each process would take longer than is waited for.
    """
    async with await aio_pika.connect(amqp_url) as connection:
        await exchange_of(connection, await connection.channel(), EXCHANGE)
        channel = await connection.channel()
        for lane in range(LANES):
            await delivery_queue(channel, delivery_key("mail", lane))
        await asyncio.to_thread(broker.kill)
    if lost == "all":
        broker.lose_queues()
    await asyncio.to_thread(broker.start)
    async with loaded(start, probe, view) as load:
        await load.flows()
        await view.wait_for_consumers("mail", BACK_LIMIT_S)
        await wait_until(lambda: load.process.complaint() is None, BACK_LIMIT_S)
        await comes_by_the_broker()
    assert says(said, "broker_queue_stuck") or lost == "last"


async def _are_there(view: BrokerView, names: list[str]) -> bool:
    return set(names) <= (await view.consumers()).keys()


async def _is_bound(view: BrokerView, key: str) -> bool:
    return f'<<"{key}">>' in await view.bindings(EXCHANGE)
