"""F17: PostgreSQL stopped as by a power cut behind two hubs whose partner goes on asking, and started again."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import pytest

from hub import migrations
from hub.embedded_postgres import EmbeddedPostgres
from hub.postgres_programs import find_programs
from hub.settings import Settings
from schemas.audit import VerifyLedger
from schemas.values import LANES
from tests.conftest import all_sources
from tests.connectors.partner.test_killed import hub
from tests.connectors.partner.town import AIRLINE, CITIZENS, DEADLINE_S, Partner, settle, transfer
from tests.reliability.operations import QUICK
from tests.running import running
from tests.waiting import wait_until

CALLERS: Final = 3
"""For each door."""
ITEMS: Final = 5
BEFORE, MEANWHILE, AFTER = 30, 12, 30
"""Batches answered before the stop, requests sent away by each door while it lasts, batches answered after it."""
LOAD_LIMIT_S: Final = 20.0
RECOVERY_LIMIT_S: Final = 5.0
ANSWER_LIMIT_S: Final = 90.0
AGAIN_S: Final = 0.05
POSTED: Final = "SELECT command_id, points FROM ledger.outcome WHERE party_id = $1 AND code IS NULL"
CONNECTIONS: Final = """
SELECT usename FROM pg_stat_activity WHERE datname = current_database() AND usename <> current_user
"""


class Load:
    """Callers at both doors, each with one batch after another until `ended`; what they were told."""

    def __init__(self, doors: Sequence[Partner]) -> None:
        self.doors = doors
        self.answered: dict[int, list[Any]] = {}
        self.back: list[set[int]] = [set() for _ in doors]
        """For each door, the batches answered since the list was last emptied."""
        self.sent_away = Counter[int]()
        """For each door, how often somebody got a 503 or no answer."""
        self.refusals: list[float] = []
        """The Retry-After of every 503, in seconds."""
        self.ended = False
        self._numbers = count()

    async def run(self) -> None:
        """Until ended; a batch begun is asked for until it is answered."""
        await asyncio.gather(*(self._work(door) for door in range(len(self.doors)) for _ in range(CALLERS)))

    async def _work(self, door: int) -> None:
        while not self.ended:
            number = next(self._numbers)
            self.answered[number] = await self.ask(door, number)
            self.back[door].add(number)

    async def ask(self, door: int, number: int) -> list[Any]:
        """One batch at one door until it is answered."""
        give_up_s = time.monotonic() + ANSWER_LIMIT_S
        while time.monotonic() < give_up_s:
            try:
                answer = await self.doors[door].post(batch(number))
            except aiohttp.ClientError:
                self.sent_away[door] += 1
            else:
                if answer.status == 200:
                    results: list[Any] = answer.json["results"]
                    return results
                assert answer.status == 503, answer
                self.refusals.append(float(answer.headers["Retry-After"]))
                self.sent_away[door] += 1
            await asyncio.sleep(AGAIN_S)
        raise AssertionError(f"batch {number} was never answered")


def batch(number: int) -> str:
    """Points are different powers of two by item, so that a total tells what is in it."""
    items = [
        transfer(f"b{number}-{item}", link=1 + (number + item) % CITIZENS, points=1 << item) for item in range(ITEMS)
    ]
    return json.dumps({"transfers": items})


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server that may be stopped and started."""
    made = EmbeddedPostgres.temporary(QUICK)
    try:
        asyncio.run(migrations.migrate(made.start(), all_sources()))
        yield made
    finally:
        made._delete_on_stop = True
        made.stop()


def stop_immediately(server: EmbeddedPostgres) -> None:
    """No checkpoint, no farewell."""
    stop = ["stop", f"--pgdata={server.data_path}", "--mode=immediate"]
    find_programs().run("pg_ctl", stop, timeout_s=LOAD_LIMIT_S)
    server._delete_on_stop = False
    server.stop()


@asynccontextmanager
async def two_doors(url: str) -> AsyncIterator[tuple[Load, list[asyncio.subprocess.Process]]]:
    """Two whole hubs and the airline, which keeps no connection."""
    async with running(url, "registry", "ledger") as process:
        keys = await settle(process)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
        hub(url) as (first, first_url),
        hub(url) as (second, second_url),
    ):
        doors = [Partner(session, one, "airline", keys["airline"]) for one in (first_url, second_url)]
        yield Load(doors), [first, second]


class Leaks:
    """What the hubs hold open, beside their connections to PostgreSQL; and these, which the pools bound."""

    def __init__(self, url: str, hubs: Sequence[asyncio.subprocess.Process]) -> None:
        self._url = url
        self._hubs = hubs
        self.baseline = 0

    async def connections(self) -> Counter[str]:
        """By role."""
        connection = await asyncpg.connect(self._url)
        try:
            return Counter(row["usename"] for row in await connection.fetch(CONNECTIONS))
        finally:
            await connection.close()

    async def other_files(self) -> int:
        """Open files of both hubs that are no connection to PostgreSQL."""
        return sum(map(_open_files, self._hubs)) - (await self.connections()).total()

    async def are_none(self) -> bool:
        """Back to what it was, and no role has more than its pools, and the wake-up connections, may hold."""
        limit = len(self._hubs) * (Settings.model_fields["pool_size"].default + 1)
        return await self.other_files() <= self.baseline and max((await self.connections()).values()) <= limit


def _open_files(process: asyncio.subprocess.Process) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


async def stop_and_start(server: EmbeddedPostgres, load: Load) -> None:
    """Under load: stop, wait until both doors have sent people away, start, and see both come back in time."""
    await wait_until(lambda: len(load.answered) >= BEFORE, LOAD_LIMIT_S)
    await asyncio.to_thread(stop_immediately, server)
    load.sent_away.clear()
    await wait_until(lambda: all(load.sent_away[door] >= MEANWHILE for door in range(2)), LOAD_LIMIT_S)
    for seen in load.back:
        seen.clear()
    await asyncio.to_thread(server.start)
    began_s = time.monotonic()
    await wait_until(lambda: all(load.back), RECOVERY_LIMIT_S)
    assert time.monotonic() - began_s < RECOVERY_LIMIT_S
    await wait_until(lambda: sum(map(len, load.back)) >= AFTER, LOAD_LIMIT_S)


async def play(server: EmbeddedPostgres) -> Load:
    """The load and the stop; at its end everything is asked once more."""
    async with two_doors(server.url) as (load, hubs):
        for door in range(2):
            load.answered[-1 - door] = await load.ask(door, -1 - door)
        leaks = Leaks(server.url, hubs)
        leaks.baseline = await leaks.other_files()
        loading = asyncio.create_task(load.run())
        try:
            await stop_and_start(server, load)
        finally:
            load.ended = True
            await loading
        for number, results in load.answered.items():
            assert {one["status"] for one in results} == {"posted"}
            assert await load.ask(number % 2, number) == [one | {"replayed": True} for one in results]
        await wait_until(leaks.are_none, LOAD_LIMIT_S)
    return load


async def assert_posted_once(url: str, load: Load) -> None:
    """Every transfer that was answered, once, and nothing else; the books add up."""
    connection = await asyncpg.connect(url)
    posted = {row["command_id"]: row["points"] for row in await connection.fetch(POSTED, AIRLINE)}
    await connection.close()
    assert posted == {f"b{number}-{item}": 1 << item for number in load.answered for item in range(ITEMS)}
    async with running(url, "ledger") as process:
        for partition in range(LANES):
            assert (await process.bus.call(VerifyLedger(partition=partition), DEADLINE_S)).fault is None


@pytest.mark.timeout(180)
def test_a_database_that_was_cut_off_is_back_with_everything_that_was_answered(server: EmbeddedPostgres) -> None:
    load = asyncio.run(play(server))
    assert load.refusals, "nobody was told to come back later"
    assert min(load.refusals) > 0
    asyncio.run(assert_posted_once(server.url, load))
