"""The yardsticks that RabbitMQ has a part in: the ordinary way, and what the broker itself takes."""

import time
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import create_async_engine

from demo.ports import free_port
from tests.bench.children import Child
from tests.bench.figures import Measured
from tests.bench.ordinary import ACCOUNTS, Base, Job
from tests.bench.ordinary_clients import Job as ClientJob
from tests.bench.publisher import Job as PublisherJob
from tests.bench.server import Connection, Server, connected, create_database, even_out
from tests.rabbitmq import Broker
from tests.waiting import wait_until

DATABASE: Final = "bench_ordinary"
REQUESTS_AT_ONCE: Final = 64
CONFIRMS_AT_ONCE: Final = 100
OPENING_BALANCE: Final = 1_000_000
DRAIN_LIMIT_S: Final = 120.0

OPEN: Final = "INSERT INTO account (id, balance) SELECT id, $2::int FROM generate_series(1, $1::int) AS id"
POSTED: Final = "SELECT count(*) FROM posted"
OFF_BY: Final = "SELECT (SELECT sum(balance) FROM account) - $1::bigint + (SELECT coalesce(sum(points), 0) FROM entry)"


class Ordinary:
    """Y3."""

    def __init__(self, server: Server, broker: Broker, measured_s: float) -> None:
        self._server = server
        self._broker = broker
        self._measured_s = measured_s
        self._url = server.url_of(DATABASE)

    async def prepare(self) -> None:
        """Its own database, with its accounts."""
        await create_database(self._server, DATABASE)
        async with AsyncExitStack() as stack:
            engine = create_async_engine(_for_sqlalchemy(self._url))
            stack.push_async_callback(engine.dispose)
            connection = await connected(self._url)
            stack.push_async_callback(connection.close)
            async with engine.begin() as tables:
                await tables.run_sync(Base.metadata.create_all)
            await connection.execute(OPEN, ACCOUNTS, OPENING_BALANCE)
            await connection.execute("VACUUM ANALYZE")

    async def measure(self) -> Measured:
        """The time ends when everything taken in is posted."""
        door = Job("door", self._broker.url(), _for_sqlalchemy(self._url), free_port())
        async with AsyncExitStack() as stack:
            connection = await connected(self._url)
            stack.push_async_callback(connection.close)
            workers = [await Child.start("ordinary", job) for job in (door, replace(door, role="consumer"))]
            url = f"http://127.0.0.1:{door.port}/transfers"
            clients = await Child.start("ordinary_clients", ClientJob(url, REQUESTS_AT_ONCE, self._measured_s))
            for child in (*workers, clients):
                stack.push_async_callback(child.end)
                await child.ready()
            before = await connection.fetchval(POSTED)
            await even_out(connection)
            started_s = time.perf_counter()
            clients.go()
            taken = (await clients.result())["taken"]
            behind = before + taken - await connection.fetchval(POSTED)
            await wait_until(partial(_is_posted, connection, before + taken), DRAIN_LIMIT_S)
            took_s = time.perf_counter() - started_s
            for worker in workers:
                worker.go()
            cpu_s = [(await worker.result())["cpu_s"] for worker in workers]
            off_by = await connection.fetchval(OFF_BY, ACCOUNTS * OPENING_BALANCE)
        door_us, consumer_us = (round(one / taken * 1e6) for one in cpu_s)
        notes = {"off by": int(off_by), "door µs": door_us, "consumer µs": consumer_us, "behind at the end": behind}
        return Measured(taken / took_s, notes)


class BrokerCeiling:
    """Y4."""

    def __init__(self, broker: Broker, measured_s: float) -> None:
        self._broker = broker
        self._measured_s = measured_s

    async def measure(self) -> Measured:
        """One connection, one channel, one queue that nobody reads."""
        child = await Child.start("publisher", PublisherJob(self._broker.url(), CONFIRMS_AT_ONCE, self._measured_s))
        try:
            await child.ready()
            child.go()
            done = await child.result()
        finally:
            await child.end()
        notes = {"client µs": round(done["cpu_s"] / done["confirmed"] * 1e6, 1)}
        return Measured(done["confirmed"] / self._measured_s, notes)


def _for_sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


async def _is_posted(connection: Connection, count: int) -> bool:
    posted: int = await connection.fetchval(POSTED)
    return posted >= count
