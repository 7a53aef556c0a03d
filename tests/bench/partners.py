"""P2's clients: partners that post signed batches of 500, each `at_once` of them, all in one process.

The requests of the measured time are made and signed beforehand; what a client does under way is to send and to read.
"""

import asyncio
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Final

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub import loop
from tests.bench import world
from tests.bench.children import say, tally, told
from tests.peers.airline.signing import Signer

BATCH: Final = 500
WARM_UP_BATCHES: Final = 4
SEND_LIMIT_S: Final = 60.0
POSTED: Final = "posted"


def key_id_of(partner: int) -> str:
    """The id of this partner's key."""
    return f"bench-{partner}"


def private_key_of(partner: int) -> Ed25519PrivateKey:
    """This partner's key, derived: it guards nothing."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"bench {partner}".encode()).digest())


@dataclass(frozen=True, slots=True)
class Job:
    """`clients` partners, client n to hub n modulo their number; `batches` are made beforehand for each.

    `linked`: transfers are for the first so many citizens.
    """

    urls: list[str]
    run: str
    clients: int
    at_once: int
    measured_s: float
    batches: int
    linked: int


@dataclass(slots=True)
class Sent:
    """What came of everything sent, the warm-up included; `measured` of it within the measured time."""

    measured: int = 0
    items: int = 0
    points: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """A signed batch; `points` in it."""

    url: str
    body: bytes
    headers: dict[str, str]


class Client:
    """One partner."""

    def __init__(self, job: Job, number: int) -> None:
        url = job.urls[number % len(job.urls)]
        self.made = list(islice(_requests(f"{url}/api/partner/transfers", job, number), job.batches))
        self.requests = iter(self.made)

    async def work(self, session: aiohttp.ClientSession, until_s: float, sent: Sent) -> None:
        """One batch after the other until then."""
        while time.perf_counter() < until_s and (request := next(self.requests, None)) is not None:
            started_s = time.perf_counter()
            async with session.post(request.url, data=request.body, headers=request.headers) as response:
                answer = await response.read()
            ended_s = time.perf_counter()
            sent.latencies_ms.append((ended_s - started_s) * 1e3)
            self.count(response.status, answer, sent)
            sent.measured += BATCH if ended_s <= until_s else 0

    @staticmethod
    def count(status: int, answer: bytes, sent: Sent) -> None:
        """What the answer says of each item."""
        if status >= 400:
            tally(sent.outcomes, f"HTTP {status}", BATCH)
            return
        for result in json.loads(answer)["results"]:
            tally(sent.outcomes, result["status"])
            sent.items += 1
            sent.points += result["points"] if result["status"] == POSTED else 0


def _requests(url: str, job: Job, number: int) -> Iterator[Request]:
    partner = number % world.PARTNERS
    signer = Signer(key_id_of(partner), private_key_of(partner))
    chance = random.Random(f"{job.run} {number}")
    batch = 0
    while True:
        batch += 1
        ids = [f"{job.run}.{number}.{batch}.{n}" for n in range(BATCH)]
        body = json.dumps({"transfers": [item_of(one, job.linked, chance) for one in ids]}).encode()
        yield Request(url, body, signer.headers("POST", url, body, {"Content-Type": "application/json"}))


def item_of(transfer_id: str, linked: int, chance: random.Random) -> dict[str, object]:
    """A transfer to one of the first so many `linked` citizens."""
    who = chance.randrange(linked)
    return {
        "transfer_id": transfer_id,
        "link_id": f"m-{who}",
        "points": chance.randint(1, world.POINTS_LIMIT),
        "to": world.POOLS[who % world.MUNICIPALITIES] if chance.random() < world.HALF else "reserve",
        "occurred_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


async def send(job: Job) -> None:
    """Make and sign, warm up, wait for the word, send."""
    clients = [Client(job, number) for number in range(job.clients)]
    sent = Sent()
    timeout = aiohttp.ClientTimeout(total=SEND_LIMIT_S)
    connector = aiohttp.TCPConnector(limit=job.clients * job.at_once)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        for client in clients:
            rest = client.requests
            client.requests = islice(rest, WARM_UP_BATCHES)
            await client.work(session, time.perf_counter() + SEND_LIMIT_S, sent)
            client.requests = iter(chain(rest))
        sent.measured, sent.latencies_ms = 0, []
        say("ready")
        await told()
        cpu_s, until_s = time.process_time(), time.perf_counter() + job.measured_s
        await asyncio.gather(*(client.work(session, until_s, sent) for client in clients for _ in range(job.at_once)))
        sent.cpu_s = time.process_time() - cpu_s
    say(asdict(sent))


if __name__ == "__main__":
    loop.run(send(Job(**json.loads(sys.argv[1]))))
