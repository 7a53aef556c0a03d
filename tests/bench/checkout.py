"""Orders at a shop at 100/s, each from when it is due to the answer to its capture, by two signed requests.

An open loop, in which a stall is felt by all that should have come meanwhile. The figure is its 99th percentile less
the median of pgbench's transaction at one client, which is measured right before it on the same server: what is left
is ours, not the disk's.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, Final

from aiohttp import ClientSession, ClientTimeout

from demo.ports import free_port
from tests.bench import world
from tests.bench.books import adding_up
from tests.bench.checkout_process import KEY_ID, KEY_NUMBER, OFFER, Job
from tests.bench.children import started
from tests.bench.figures import Measured
from tests.bench.partners import private_key_of
from tests.bench.seeding import LINKED_CITIZENS
from tests.bench.server import Server
from tests.bench.yardsticks import Pgbench
from tests.peers.airline.signing import Signer

HUBS: Final = 2
"""As everywhere: two of each worker."""
RATE_PER_S: Final = 100.0
WARM_UP_ORDERS: Final = 500
"""Five seconds: until each connection has prepared its statements, and the lines of the day are opened."""
SEND_LIMIT_S: Final = 30.0
OK: Final = 200
SIZES: Final = {"checkout": 4, "registry": 4, "ledger": 4, "goods": 4}


@dataclass(frozen=True, slots=True)
class Request:
    """A signed POST."""

    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """What is sent for one order, signed beforehand."""

    authorise: Request
    capture: Request


@dataclass(slots=True)
class Took:
    """Milliseconds: of whole orders, and of each of their requests."""

    order_ms: list[float] = field(default_factory=list)
    authorise_ms: list[float] = field(default_factory=list)
    capture_ms: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Shop:
    """Sends orders, and notes what came of them; `commands` and `points` are what the ledger did for all so far."""

    session: ClientSession
    took: Took = field(default_factory=Took)
    commands: int = 0
    points: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    async def run(self, orders: list[Order]) -> None:
        """Each when it is due, until all are answered."""
        began_s = time.perf_counter()
        tasks: list[asyncio.Task[None]] = []
        for number, order in enumerate(orders):
            due_s = began_s + number / RATE_PER_S
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            tasks.append(asyncio.create_task(self._order(order, due_s)))
        await asyncio.gather(*tasks)

    async def _order(self, order: Order, due_s: float) -> None:
        began_s = time.perf_counter()
        authorised = await self._send(order.authorise)
        between_s = time.perf_counter()
        if authorised.get("state") != "authorized":
            self.refused[str(authorised)] += 1
            self.commands += "refusal" in authorised
            return
        self.commands, self.points = self.commands + 1, self.points + authorised["points"]
        captured = await self._send(order.capture)
        ended_s = time.perf_counter()
        if captured.get("state") != "captured":
            self.refused[str(captured)] += 1
            return
        self.commands += 1
        self.took.order_ms.append((ended_s - due_s) * 1e3)
        self.took.authorise_ms.append((between_s - began_s) * 1e3)
        self.took.capture_ms.append((ended_s - between_s) * 1e3)

    async def _send(self, request: Request) -> dict[str, Any]:
        async with self.session.post(request.url, data=request.body, headers=request.headers) as answer:
            told: dict[str, Any] = await answer.json()
            return told if answer.status == OK else {"status": answer.status}


class Checkout:
    """The measurement."""

    def __init__(self, server: Server, pgbench: Pgbench, citizens: int, measured_s: float) -> None:
        self._server = server
        self._pgbench = pgbench
        self._linked = min(citizens, LINKED_CITIZENS)
        self._measured_s = measured_s

    async def measure(self) -> Measured:
        """One round, and whether the books add up after it."""
        alone_ms = await self._pgbench.p50_ms()
        timeout = ClientTimeout(SEND_LIMIT_S)
        jobs = [Job(self._server.hub_url, free_port(), SIZES) for _ in range(HUBS)]
        async with adding_up(self._server.hub_url) as books, ClientSession(timeout=timeout) as session:
            shop = Shop(session)
            async with started("checkout_process", jobs) as hubs:
                urls = [await hub.ready() for hub in hubs]
                orders = list(_orders(urls, self._linked, int(self._measured_s * RATE_PER_S)))
                await shop.run(orders[:WARM_UP_ORDERS])
                shop.took = Took()
                await shop.run(orders[WARM_UP_ORDERS:])
                for hub in hubs:
                    hub.go()
                cpu_s = sum([(await hub.result())["cpu_s"] for hub in hubs])
            books.commands, books.points = shop.commands, -shop.points
        took = shop.took
        p99_ms = _p99(took.order_ms)
        notes = {
            "not captured": dict(shop.refused) or 0,
            "hub Python ms an order": round(cpu_s / len(orders) * 1e3, 1),
            "Y1's p50 ms at 1 client": round(alone_ms, 1),
            "p50": round(median(took.order_ms), 1),
            "p99": round(p99_ms, 1),
            "authorise p50": round(median(took.authorise_ms), 1),
            "authorise p99": round(_p99(took.authorise_ms), 1),
            "capture p50": round(median(took.capture_ms), 1),
            "capture p99": round(_p99(took.capture_ms), 1),
        }
        return Measured(p99_ms - alone_ms, notes)


def _p99(took_ms: list[float]) -> float:
    return quantiles(took_ms, n=100)[98]


def _orders(urls: Sequence[str], linked: int, measured: int) -> Iterator[Order]:
    """The warm-up's, then the measured ones: any linked citizen, the own municipality's points.

    Each comes to the next hub, and its capture to another one than the order.
    """
    run, places = f"c{time.time_ns()}", [f"{url}/api/checkout/authorizations" for url in urls]
    signer, chance = Signer(KEY_ID, private_key_of(KEY_NUMBER)), random.Random(run)
    for number in range(WARM_UP_ORDERS + measured):
        who = chance.randrange(linked)
        body = {
            "order_id": f"{run}.{number}",
            "link_id": f"m-{who}",
            "points": chance.randint(1, world.POINTS_LIMIT),
            "pool": world.POOLS[who % world.MUNICIPALITIES],
            "item_ids": [OFFER],
        }
        here, there = places[number % HUBS], places[(number + 1) % HUBS]
        yield Order(_signed(signer, here, body), _signed(signer, f"{there}/{body['order_id']}/capture", {}))


def _signed(signer: Signer, url: str, body: object) -> Request:
    encoded = json.dumps(body).encode()
    return Request(url, encoded, signer.headers("POST", url, encoded, {"Content-Type": "application/json"}))
