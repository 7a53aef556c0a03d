"""A link notices at once that its connection is lost, and leaves nothing behind when it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pytest

from hub.supervision import end_tasks
from hub.transports.rabbitmq import links
from hub.transports.rabbitmq.links import Link
from tests.rabbitmq import Broker
from tests.waiting import wait_until

NOTICED_LIMIT_S: Final = 2.0


class Closing:
    """A connection that takes long to close, as the client does it: cancelled once, it waits for ever."""

    def __init__(self) -> None:
        self.is_closing = False
        self.closes: asyncio.Task[Any] | None = None
        closing = asyncio.get_running_loop().create_future()
        self.transport = SimpleNamespace(connection=SimpleNamespace(closing=closing))

    async def close(self) -> None:
        self.closes = asyncio.current_task()
        self.is_closing = True
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()


@pytest.fixture
async def connection(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Closing]:
    """What is connected to."""
    made = Closing()

    async def connect(*_args: object, **_named: object) -> Closing:
        return made

    monkeypatch.setattr("aio_pika.connect", connect)
    monkeypatch.setattr(links, "CLOSE_TIMEOUT_S", 0.1)
    yield made
    if made.closes is not None:
        await end_tasks([made.closes], 0.01)


async def _return(_connection: object) -> None:
    """Work that is told to stop."""


async def _work_for_ever(_connection: object) -> None:
    """Work that waits for the broker to bring something."""
    await asyncio.Event().wait()


class Stubborn:
    """Work that is not ended by one cancellation."""

    def __init__(self) -> None:
        self.cancels = 0

    async def __call__(self, _connection: object) -> None:
        while self.cancels < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancels += 1


async def test_a_connection_that_the_broker_closes_is_noticed_at_once(broker: Broker, amqp_url: str) -> None:
    link = Link("in", amqp_url, None, _work_for_ever)
    running = asyncio.create_task(link.run())
    try:
        await wait_until(lambda: link.is_up)
        vhost = unquote(urlsplit(amqp_url).path[1:])
        await asyncio.to_thread(broker.ctl, "close_all_connections", "--vhost", vhost, "gone")
        await wait_until(lambda: not link.is_up, NOTICED_LIMIT_S)
    finally:
        await end_tasks([running], NOTICED_LIMIT_S)


async def test_a_link_that_is_told_to_stop_while_it_closes_leaves_nothing_open(connection: Closing) -> None:
    running = asyncio.create_task(Link("in", "amqp://127.0.0.1/", None, _return).run())
    await wait_until(lambda: connection.is_closing)
    running.cancel()
    await asyncio.wait([running])
    assert connection.closes is not None
    assert connection.closes.done()


async def test_a_link_that_is_told_twice_while_its_work_ends_closes_all_the_same(connection: Closing) -> None:
    work = Stubborn()
    link = Link("in", "amqp://127.0.0.1/", None, work)
    running = asyncio.create_task(link.run())
    await wait_until(lambda: link.is_up)
    running.cancel()
    await wait_until(lambda: work.cancels == 1)
    running.cancel()
    await asyncio.wait([running])
    assert connection.closes is not None
    assert connection.closes.done()
