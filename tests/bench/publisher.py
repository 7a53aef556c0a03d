"""Y4's process: aio-pika publishing persistent messages to a quorum queue, so many confirms awaited at a time."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from typing import Final

import aio_pika

from hub import loop
from tests.bench.children import say, told

QUEUE: Final = "bench-ceiling"
BODY: Final = json.dumps({"transfer_id": "0" * 36, "debit": 10_001, "credit": 20_002, "points": 100}).encode()
CONFIRM_LIMIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """Publish for so long, `at_once` in flight."""

    amqp_url: str
    at_once: int
    measured_s: float


async def publish(job: Job) -> None:
    """Wait for the word, publish, say how many were confirmed."""
    connection = await aio_pika.connect(job.amqp_url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        say("ready")
        await told()
        cpu_s, until_s = time.process_time(), time.perf_counter() + job.measured_s
        confirmed = await asyncio.gather(*(_publisher(channel, until_s) for _ in range(job.at_once)))
        cpu_s = time.process_time() - cpu_s
        await queue.delete(if_unused=False, if_empty=False)
    say({"confirmed": sum(confirmed), "cpu_s": cpu_s})


async def _publisher(channel: aio_pika.abc.AbstractChannel, until_s: float) -> int:
    confirmed = 0
    while time.perf_counter() < until_s:
        message = aio_pika.Message(BODY, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, QUEUE, timeout=CONFIRM_LIMIT_S)
        confirmed += 1
    return confirmed


if __name__ == "__main__":
    loop.run(publish(Job(**json.loads(sys.argv[1]))))
