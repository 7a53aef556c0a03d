"""Merges, `python -m tests.bench.streets`: from 「合算」 to the file on disk; files a second of one street process.

The counter's figure is from a browser's request to its answer, over HTTP, with the card in the reader signing again
(the card is in memory, and answers at once), the ledger's posting, and the agent's file on disk. The other is with the
street connector alone in its process: ledger and registry, terminal, and the agent are processes of their own.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from demo.ports import free_port
from hub import logs, loop, migrations
from hub.process import HubProcess
from schemas.card_jobs import PresenceOf
from schemas.citizens import CitizenBehind
from schemas.streets import CipherMode, MergeLayout
from tests.bench.process_tree import own_cpu_s
from tests.bench.server import started
from tests.connectors.street.street_world import StreetWorld, agent_process, built
from tests.connectors.street.test_counter import with_card
from tests.connectors.street.town import POOL, Town, grant, town
from tests.connectors.terminal.agents import DEADLINE_S, HOST
from tests.connectors.terminal.outside import TerminalProcess
from tests.journeys.counter import asking
from tests.peers.card.authority import CardAuthority
from tests.waiting import wait_until

ROUNDS: Final = 60
FILES: Final = 3_000
AT_ONCE: Final = 64
CITIZENS: Final = 200
WARM_UP: Final = 200
GOAL_MS: Final = 100
GOAL_FILES_PER_S: Final = 200


async def counter(url: str, folder: Path) -> None:
    """From the browser to the file on disk, all in one process."""
    await migrations.migrate(url, migrations.installed_sources())
    authority = CardAuthority()
    async with town(url, folder, authority, office=True) as street:
        await with_card(street, authority)
        await _granted(street)
        took_ms = sorted([await _one(street) for _ in range(ROUNDS)][ROUNDS // 10 :])
        p90 = took_ms[int(len(took_ms) * 0.9)]
        say(f"「合算」 to file on disk: median {statistics.median(took_ms):.1f} ms, p90 {p90:.1f} ms (goal {GOAL_MS})")


async def _granted(street: Town) -> None:
    found = await street.hub.bus.call(CitizenBehind(mykey_id="ABCD2346"), DEADLINE_S)
    assert found.citizen_id is not None
    await grant(street, found.citizen_id, 100_000)


async def _one(street: Town) -> float:
    clerk = street.shop.clerk
    operation_id = await clerk.read("merge-points")
    before = len(street.files())
    began_s = time.perf_counter()
    done = await clerk.done(operation_id, "merge", pool=POOL, points=10)
    took_ms = (time.perf_counter() - began_s) * 1e3
    assert done["undelivered"] is None
    assert len(street.files()) == before + 1
    return took_ms


async def files(url: str, folder: Path) -> None:
    """Many merges at once through one street process."""
    await migrations.migrate(url, migrations.installed_sources())
    port = free_port()
    origin = f"http://{HOST}:{port}"
    (folder / "drop").mkdir()
    async with AsyncExitStack() as stack:
        ports = {("registry", "ledger"): free_port(), ("terminal",): port, ("street",): free_port()}
        processes = [await TerminalProcess.start(url, at, origin, hosted) for hosted, at in ports.items()]
        for one in processes:
            stack.push_async_callback(one.kill)
        hub = await stack.enter_async_context(asking(url))
        world = await built(hub.bus, origin, CITIZENS, MergeLayout(mode=CipherMode.gcm_256))
        agent = await agent_process(world.terminal, folder)
        stack.callback(agent.kill)
        await wait_until(lambda: _is_there(hub, world), DEADLINE_S)
        await _load(hub, world, range(WARM_UP))
        street = processes[-1].process.pid
        busy_s, began_s = own_cpu_s(street), time.perf_counter()
        await _load(hub, world, range(WARM_UP, WARM_UP + FILES))
        took_s, busy_s = time.perf_counter() - began_s, own_cpu_s(street) - busy_s
        assert len(list((folder / "drop").glob("*.mpf"))) == WARM_UP + FILES
        say(
            f"one street process: {FILES / took_s:.0f} files/s on disk (goal {GOAL_FILES_PER_S}), {AT_ONCE} at once,"
            f" of its own processor time {busy_s / FILES * 1e3:.2f} ms a file"
        )


async def _is_there(hub: HubProcess, world: StreetWorld) -> bool:
    found = (await hub.bus.call(PresenceOf(terminal_ids=[world.terminal.terminal_id]), DEADLINE_S)).terminals
    return any(one.merge_folder == "ready" for one in found.values())


async def _load(hub: HubProcess, world: StreetWorld, numbers: range) -> None:
    left = [world.start(number, 1) for number in numbers]

    async def merge() -> None:
        while left:
            answer = await hub.bus.call(left.pop(), 30.0)
            assert answer.undelivered is None, answer
            assert answer.code is None, answer

    await asyncio.gather(*(merge() for _ in range(AT_ONCE)))


def say(line: str) -> None:
    """On the screen."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logs.configure("error")
    for measure in (counter, files):
        with started() as server, tempfile.TemporaryDirectory() as made_folder:
            loop.run(measure(server.hub_url, Path(made_folder)))
