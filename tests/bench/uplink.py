"""Agents at the uplink, `python -m tests.bench.uplink [AGENTS]`: memory of the terminal process, time of a job.

Agents are the product's own, with a card desk in memory that answers at once. The terminal process hosts the terminal
component alone; the registry is here, where the jobs are asked: each goes from this process to that one and back.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from demo.ports import free_port
from hub import logs, loop, migrations
from hub.bus import Bus
from reader_agent.page_html import UplinkState
from reader_agent.uplink import Pauses, Uplink
from schemas.card_jobs import PresenceOf
from tests.bench.server import started
from tests.connectors.terminal.agents import HOST, Hub, Terminal, enrolled, hubs, read_card
from tests.connectors.terminal.outside import TerminalProcess
from tests.reader_agent.desk import MemoryDesk, NoPinPad
from tests.reader_agent.no_merges import NoMerges
from tests.reader_agent.test_uplink import who_is
from tests.waiting import wait_until

AGENTS: Final = 500
CONNECT_LIMIT_S: Final = 120.0
TOGETHER: Final = 20
JOBS: Final = 500
AT_ONCE: Final = 16
WARM_UP: Final = 20
GOAL_KIB: Final = 300 * 1024


async def measure(url: str, count: int) -> None:
    """Print the figures."""
    await migrations.migrate(url, migrations.installed_sources())
    port = free_port()
    origin = f"http://{HOST}:{port}"
    async with hubs(url, ["registry"], public_url=origin) as (hub,):
        terminals = await enrolled(hub.bus, origin, count)
        process = await TerminalProcess.start(url, port, origin, ["terminal"])
        try:
            await _apart(hub, process, terminals)
        finally:
            await process.kill()
    settings = {"http_port": port, "public_url": origin}
    async with hubs(url, ["registry", "terminal"], **settings) as (hub,), _connected(terminals[:TOGETHER]):
        await _times(hub.bus, terminals[:TOGETHER], 1, "all in one process, one after another")


async def _apart(hub: Hub, process: TerminalProcess, terminals: Sequence[Terminal]) -> None:
    before_kib = await process.resident_kib()
    async with _connected(terminals):
        kib = await process.resident_kib()
        say(f"terminal process: {before_kib / 1024:.0f} MiB alone, {kib / 1024:.0f} MiB with them")
        await _times(hub.bus, terminals, 1, "from another process, one after another")
        await _times(hub.bus, terminals, AT_ONCE, f"from another process, {AT_ONCE} at once")
        kib = await process.resident_kib()
        say(f"terminal process after the jobs: {kib / 1024:.0f} MiB (goal: at most {GOAL_KIB // 1024})")
        found = await hub.bus.call(PresenceOf(terminal_ids=[one.terminal_id for one in terminals]), 10)
        say(f"{sum(one.connected for one in found.terminals.values())} of them are connected still")


@asynccontextmanager
async def _connected(terminals: Sequence[Terminal]) -> AsyncIterator[None]:
    """Their agents, all at once."""
    states: list[UplinkState] = []
    began_s = time.monotonic()
    running = [asyncio.create_task(_agent(terminal, states).run()) for terminal in terminals]
    try:
        await wait_until(lambda: states.count("on") >= len(terminals), CONNECT_LIMIT_S)
        took_s = time.monotonic() - began_s
        say(f"{len(terminals)} agents connected in {took_s:.1f} s, {states.count('connecting')} times dialled")
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _agent(terminal: Terminal, states: list[UplinkState]) -> Uplink:
    desk = MemoryDesk()
    return Uplink(who_is(terminal), desk, NoPinPad(), desk, NoMerges(), states.append, pauses=Pauses())


async def _times(bus: Bus, terminals: Sequence[Terminal], at_once: int, what: str) -> None:
    took_ms: list[float] = []
    left = [terminals[number % len(terminals)] for number in range(JOBS + WARM_UP)]

    async def ask() -> None:
        while left:
            job = read_card(left.pop())
            began_s = time.perf_counter()
            answer = await bus.call(job, job.deadline_s)
            assert answer.is_done, answer
            took_ms.append((time.perf_counter() - began_s) * 1e3)

    began_s = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(at_once)))
    rate = len(took_ms) / (time.perf_counter() - began_s)
    measured = sorted(took_ms[WARM_UP:])
    p99 = measured[int(len(measured) * 0.99)]
    say(f"job, {what}: median {statistics.median(measured):.1f} ms, p99 {p99:.1f} ms, {rate:.0f} a second")


def say(line: str) -> None:
    """On the screen."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logs.configure("error")
    with started() as server:
        loop.run(measure(server.hub_url, int(sys.argv[1]) if len(sys.argv) > 1 else AGENTS))
