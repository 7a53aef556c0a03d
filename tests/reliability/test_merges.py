"""F08, F09, F29: merges through hub, agent and the street's own program, each of them killed at random.

Every number is applied once, and the ledger and the street agree to the point. Thousands with `make reliability`.
"""

import asyncio
import random
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from demo.ports import free_port
from hub.clock import SystemClock
from hub.component import Component, Context, Installed
from hub.errors import HubError
from hub.process import HubProcess
from hub.settings import Settings
from schemas.audit import VerifyLedger
from schemas.streets import MergeLayout, StartMerge
from schemas.values import LANES
from street_software.store import Store
from tests.connectors.street.street_world import (
    GRANTED,
    StreetWorld,
    agent_process,
    built,
    software_process,
)
from tests.connectors.terminal.agents import HOST
from tests.connectors.terminal.outside import TerminalProcess
from tests.reliability.sizes import FULL, MERGE_KILLS, MERGES
from tests.running import SECRET_KEY
from tests.waiting import wait_until

SEED: Final = 8
CITIZENS: Final = 64
AT_ONCE: Final = 48
CALL_LIMIT_S: Final = 20.0
DRAIN_LIMIT_S: Final = 120.0
LOAD_LIMIT_S: Final = 1_500.0
HOSTED: Final = ("registry", "ledger", "terminal", "street")
STATES: Final = "SELECT state, count(*), sum(points)::bigint FROM street.merge GROUP BY state ORDER BY state"
NUMBERS: Final = "SELECT count(DISTINCT number) FROM street.merge"
SETTINGS: Final = {"outage_probe_limit_s": "0.5"}


class Killed:
    """Something that is killed and started again."""

    def __init__(self, name: str, start: Callable[[], Awaitable[Process]]) -> None:
        self.name = name
        self._start = start
        self.process: Process | None = None
        self.kills = 0

    async def begin(self) -> None:
        self.process = await self._start()

    async def kill(self) -> None:
        """At once, wherever it is."""
        assert self.process is not None
        assert self.process.returncode is None, f"{self.name} has ended by itself"
        self.process.kill()
        await self.process.wait()
        self.kills += 1


def _nothing(_context: Context) -> Component:
    return Component(name="hub")


@pytest.mark.skipif(not FULL, reason="minutes long: make reliability runs it")
@pytest.mark.timeout(LOAD_LIMIT_S + 300)
async def test_merges_with_every_side_killed_at_random(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    origin = f"http://{HOST}:{port}"
    (tmp_path / "drop").mkdir()
    made = Settings.model_validate({"database_url": database_url, "secret_key": SECRET_KEY})
    async with AsyncExitStack() as stack:
        asking = HubProcess(made, SystemClock(), [Installed("hub", _nothing)], database_url)

        async def hub() -> Process:
            return (await TerminalProcess.start(database_url, port, origin, HOSTED, **SETTINGS)).process

        first = Killed("hub", hub)
        await first.begin()
        stack.push_async_callback(_end, first)
        await stack.enter_async_context(asking)
        world = await built(asking.bus, origin, CITIZENS, MergeLayout())
        others = [
            Killed("agent", lambda: agent_process(world.terminal, tmp_path)),
            Killed("street", lambda: software_process(world, tmp_path)),
        ]
        for one in others:
            await one.begin()
            stack.push_async_callback(_end, one)
        began = time.monotonic()
        killing = asyncio.create_task(_kill([first, *others]))
        points = await _load(asking, world)
        await killing
        loaded_s = time.monotonic() - began
        await wait_until(lambda: _is_drained(database_url), DRAIN_LIMIT_S)
        await _check(database_url, asking, world, tmp_path, points)
        kills = {one.name: one.kills for one in (first, *others)}
        assert all(kills.values()), "nothing was killed"
        with capsys.disabled():
            print(f"\nmerges: {MERGES} in {loaded_s:.0f} s, seed {SEED}, killed {kills}")  # noqa: T201 - a figure


async def _load(asking: HubProcess, world: StreetWorld) -> int:
    """All merges, some at a time, each until it is answered; returns their points."""
    slots, drawn = asyncio.Semaphore(AT_ONCE), random.Random(SEED)
    commands = [world.start(number, drawn.randint(1, 500)) for number in range(MERGES)]

    async def one(command: StartMerge) -> None:
        async with slots:
            while True:
                try:
                    answer = await asking.bus.call(command, CALL_LIMIT_S)
                except HubError:
                    await asyncio.sleep(0.05)
                    continue
                assert answer.code is None, answer
                return

    async with asyncio.timeout(LOAD_LIMIT_S):
        await asyncio.gather(*map(one, commands))
    return sum(command.points for command in commands)


async def _kill(sides: list[Killed]) -> None:
    drawn = random.Random(SEED + 1)
    for number in range(MERGE_KILLS):
        await asyncio.sleep(drawn.uniform(0.3, 3.0))
        side = sides[number % len(sides)]
        await side.kill()
        await asyncio.sleep(drawn.uniform(0.0, 0.5))
        await side.begin()


async def _end(side: Killed) -> None:
    if side.process is not None and side.process.returncode is None:
        side.process.kill()
        await side.process.wait()


async def _is_drained(database_url: str) -> bool:
    await asyncio.sleep(0.2)
    return {state for state, _, _ in await _rows(database_url)} == {"acknowledged"}


async def _rows(database_url: str) -> list[tuple[str, int, int]]:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval(NUMBERS) == MERGES
        return [tuple(row) for row in await connection.fetch(STATES)]
    finally:
        await connection.close()


async def _check(database_url: str, asking: HubProcess, world: StreetWorld, folder: Path, points: int) -> None:
    """The hub, the ledger and the street say the same."""
    assert await _rows(database_url) == [("acknowledged", MERGES, points)]
    assert await world.held(asking.bus) == (CITIZENS * GRANTED - points, 0)
    store = Store(folder / "points.sqlite3")
    try:
        assert store.totals() == (MERGES, points)
    finally:
        store.close()
    left = [path.name for path in (folder / "drop").iterdir() if path.suffix in {".mpf", ".part"}]
    assert left == []
    for partition in range(LANES):
        verified = await asking.bus.call(VerifyLedger(partition=partition), CALL_LIMIT_S)
        assert verified.fault is None, verified
