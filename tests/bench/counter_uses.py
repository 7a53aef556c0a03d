"""P6, `python -m tests.bench.counter_uses`: points used at counters, from a browser's request to its answer.

Two hub processes with registry, ledger and terminal; terminals with their agents and citizens' cards in memory, and
their browsers, in this one. An open loop: each use is due at its time, and its card was read before that. What is
measured is 「利用」 alone, over HTTP, with the card asked again by the terminal's agent, which signs for it.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from demo.ports import free_port
from hub import logs, loop, migrations
from hub.bus import Bus
from schemas.citizens import CitizenBehind
from schemas.grants import GrantPoints
from schemas.municipalities import RegisterScheme
from schemas.terminals import PlanRow, TerminalKind
from schemas.values import scheme_pool
from tests.bench.process_tree import own_cpu_s
from tests.bench.server import started
from tests.bench.yardsticks import Pgbench
from tests.connectors.terminal.agents import CITY, DEADLINE_S, HOST, Hub, enrolled
from tests.connectors.terminal.counters import Place, anchors, place
from tests.connectors.terminal.outside import TerminalProcess
from tests.journeys.counter import asking
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import JpkiCard
from tests.waiting import wait_until

TERMINALS: Final = 48
HUBS: Final = 2
HOSTED: Final = ("registry", "ledger", "terminal")
HELD: Final = 100_000
WARM_UP: Final = 96
POOL: Final = scheme_pool(CITY)
OFFICE_PLACE: Final = "市民課"
ROWS: Final = (
    PlanRow(kind=TerminalKind.grant, place=OFFICE_PLACE, count=1),
    PlanRow(kind=TerminalKind.point_use, place="商店", count=TERMINALS),
)
GOAL_P50_MS: Final = 8
GOAL_P99_MS: Final = 40
PGBENCH_S: Final = 6.0
ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass
class Shop:
    """Uses points when they are due, at whichever terminal has its card read."""

    terminals: deque[Place]
    took_ms: list[float] = field(default_factory=list)
    refused: int = 0
    late: int = 0
    """How often none was ready when a use was due."""
    _ready: deque[tuple[Place, str]] = field(default_factory=deque)
    _reading: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, uses: int, rate_per_s: float) -> None:
        """So many, at this rate."""
        while self.terminals:
            self._read(self.terminals.popleft())
        await wait_until(lambda: len(self._ready) >= min(uses, TERMINALS // 2), DEADLINE_S)
        began_s = time.perf_counter()
        tasks: list[asyncio.Task[None]] = []
        for number in range(uses):
            due_s = began_s + number / rate_per_s
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            self.late += not self._ready
            while not self._ready:
                await asyncio.wait(self._reading, return_when=asyncio.FIRST_COMPLETED)
            at, operation_id = self._ready.popleft()
            tasks.append(asyncio.create_task(self._use(at, operation_id, due_s)))
        await asyncio.gather(*tasks)
        await asyncio.gather(*self._reading)
        self.terminals.extend(at for at, _ in self._ready)
        self._ready.clear()

    async def _use(self, at: Place, operation_id: str, due_s: float) -> None:
        status, _ = await at.clerk.act(operation_id, "use", pool=POOL, points=1)
        self.took_ms.append((time.perf_counter() - due_s) * 1e3)
        self.refused += status != 200
        self._read(at)

    def _read(self, at: Place) -> None:
        async def read() -> None:
            self._ready.append((at, await at.clerk.read("use-points")))

        task = asyncio.create_task(read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)


async def measure(url: str, folder: Path, alone_ms: float, options: argparse.Namespace) -> None:
    """Build it, warm up, measure, and see that each use was used."""
    await migrations.migrate(url, migrations.installed_sources())
    authority, ports = CardAuthority(), [free_port() for _ in range(HUBS)]
    origin = f"http://{HOST}:{ports[0]}"
    async with AsyncExitStack() as stack:
        settings = {"card_anchors": str(anchors(folder, authority))}
        processes = [await TerminalProcess.start(url, port, origin, HOSTED, **settings) for port in ports]
        for one in processes:
            stack.push_async_callback(one.kill)
        hub = await stack.enter_async_context(asking(url))
        await hub.bus.call(RegisterScheme(lg_code=CITY, point_name="ポイント", expiry_rule="none"), DEADLINE_S)
        terminals = await enrolled(hub.bus, origin, rows=ROWS)
        doors = [Hub(hub, f"http://{HOST}:{ports[number % HUBS]}") for number in range(len(terminals))]
        places = [
            await stack.enter_async_context(place(terminal, door))
            for terminal, door in zip(terminals, doors, strict=True)
        ]
        await _people(hub.bus, places[0], places[1:], authority)
        shop = Shop(deque(places[1:]))
        await shop.run(WARM_UP, options.rate)
        shop.took_ms.clear()
        shop.late = 0
        busy_s = sum(own_cpu_s(one.process.pid) for one in processes)
        await shop.run(int(options.rate * options.seconds), options.rate)
        busy_s = sum(own_cpu_s(one.process.pid) for one in processes) - busy_s
        assert shop.refused == 0, shop.refused
        _tell(shop, busy_s, alone_ms, options.rate)


async def _people(bus: Bus, office: Place, places: Sequence[Place], authority: CardAuthority) -> None:
    """A citizen with a card and points at each terminal."""
    for number, at in enumerate(places):
        card = JpkiCard(authority.issue())
        office.insert(card)
        mykey_id = f"BENCH{ALPHABET[number // len(ALPHABET)]}{ALPHABET[number % len(ALPHABET)]}1"
        await office.clerk.create(mykey_id)
        at.insert(card)
        citizen_id = (await bus.call(CitizenBehind(mykey_id=mykey_id), DEADLINE_S)).citizen_id
        assert citizen_id is not None
        granted = GrantPoints(
            party_id=UUID(int=9), command_id=f"grant-{uuid4()}", request_hash=bytes(16), citizen_id=citizen_id,
            programme_id=UUID(int=9), pool=POOL, points=HELD,
        )  # fmt: skip
        await bus.call(granted, DEADLINE_S)


def _tell(shop: Shop, busy_s: float, alone_ms: float, rate_per_s: float) -> None:
    percentiles = statistics.quantiles(shop.took_ms, n=100)
    sys.stdout.write(
        f"{len(shop.took_ms)} uses at {rate_per_s:g}/s: p50 {percentiles[49]:.1f} ms, p99 {percentiles[98]:.1f} ms;"
        f" over pgbench's {alone_ms:.1f} ms at one client {percentiles[49] - alone_ms:.1f} (goal {GOAL_P50_MS}) and"
        f" {percentiles[98] - alone_ms:.1f} (goal {GOAL_P99_MS}); the hubs' Python"
        f" {busy_s / len(shop.took_ms) * 1e3:.1f} ms a use, with reading its card; {shop.late} waited for a"
        " terminal\n"
    )


def _options() -> Any:  # noqa: ANN401 - of argparse
    parser = argparse.ArgumentParser(description="Points used at counters")
    parser.add_argument("--rate", type=float, default=20.0, metavar="PER_S", help="uses a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="for so long")
    return parser.parse_args()


async def _yardstick(server: Any) -> float:  # noqa: ANN401 - see `started`
    pgbench = Pgbench(server, PGBENCH_S)
    await pgbench.prepare()
    return await pgbench.p50_ms()


if __name__ == "__main__":
    logs.configure("error")
    chosen = _options()
    with started() as server, tempfile.TemporaryDirectory() as made_folder:
        loop.run(measure(server.hub_url, Path(made_folder), asyncio.run(_yardstick(server)), chosen))
