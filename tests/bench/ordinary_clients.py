"""Y3's clients: one transfer a request, so many requests under way, all in one process."""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import aiohttp

from hub import loop
from tests.bench.children import say, told
from tests.bench.ordinary import ACCOUNTS

SEND_LIMIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """Post to this door, for so long."""

    url: str
    at_once: int
    measured_s: float


async def send(job: Job) -> None:
    """Wait for the word, send, say how many were taken."""
    timeout = aiohttp.ClientTimeout(total=SEND_LIMIT_S)
    connector = aiohttp.TCPConnector(limit=job.at_once)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        say("ready")
        await told()
        until_s = time.perf_counter() + job.measured_s
        taken = await asyncio.gather(*(_client(session, job.url, until_s) for _ in range(job.at_once)))
    say({"taken": sum(taken)})


async def _client(session: aiohttp.ClientSession, url: str, until_s: float) -> int:
    taken = 0
    while time.perf_counter() < until_s:
        debit, credit = random.sample(range(1, ACCOUNTS + 1), 2)
        points = random.randint(1, 100)
        transfer = {"transfer_id": str(uuid4()), "debit": debit, "credit": credit, "points": points}
        async with session.post(url, json=transfer) as response:
            response.raise_for_status()
        taken += 1
    return taken


if __name__ == "__main__":
    loop.run(send(Job(**json.loads(sys.argv[1]))))
