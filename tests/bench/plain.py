"""Y5's process: clients that post one transfer a transaction, as one writes it at first: lock, change, two entries."""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from hub import loop
from tests.bench.children import say, told
from tests.bench.server import Connection, connected

ACCOUNTS: Final = 100_000

LOCK: Final = "SELECT id, balance FROM account WHERE id = ANY ($1::int[]) ORDER BY id FOR UPDATE"
CHANGE: Final = "UPDATE account SET balance = balance + $2 WHERE id = $1"
ENTER: Final = "INSERT INTO entry (account, amount, reference) VALUES ($1, $3, $4), ($2, -$3::bigint, $4)"


@dataclass(frozen=True, slots=True)
class Job:
    """So many clients, for so long."""

    database_url: str
    clients: int
    measured_s: float
    number: int


async def post(job: Job) -> None:
    """Connect, wait for the word, post."""
    connections = [await connected(job.database_url) for _ in range(job.clients)]
    say("ready")
    await told()
    cpu_s = time.process_time()
    until_s = time.perf_counter() + job.measured_s
    chance = random.Random(job.number)
    counts = await asyncio.gather(*(_client(connection, until_s, chance) for connection in connections))
    say({"transfers": sum(counts), "cpu_s": time.process_time() - cpu_s})
    for connection in connections:
        await connection.close()


async def _client(connection: Connection, until_s: float, chance: random.Random) -> int:
    done = 0
    while time.perf_counter() < until_s:
        debit, credit = chance.sample(range(1, ACCOUNTS + 1), 2)
        points = chance.randint(1, 100)
        async with connection.transaction():
            balances = {row["id"]: row["balance"] for row in await connection.fetch(LOCK, [debit, credit])}
            if balances[debit] < points:
                continue
            await connection.execute(CHANGE, debit, -points)
            await connection.execute(CHANGE, credit, points)
            await connection.execute(ENTER, debit, credit, -points, uuid4())
        done += 1
    return done


if __name__ == "__main__":
    loop.run(post(Job(**json.loads(sys.argv[1]))))
