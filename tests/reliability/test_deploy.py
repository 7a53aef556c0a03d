"""F34: one hub after the other is stopped under load and replaced by one of a later release, which migrates."""

import asyncio
import json
from contextlib import AsyncExitStack
from itertools import count
from typing import Any, Final

import aiohttp
import asyncpg
import pytest

from schemas.audit import VerifyLedger
from schemas.values import LANES
from tests.connectors.partner.test_killed import hub
from tests.connectors.partner.town import AIRLINE, CITIZENS, DEADLINE_S, Partner, settle, transfer
from tests.reliability.newer_hub import FURTHER, NAME
from tests.reliability.sizes import FULL
from tests.running import running
from tests.waiting import wait_until

CALLERS: Final = 6
ITEMS: Final = 5
BETWEEN: Final = 20
"""Batches answered before each step of the deployment, and after the last."""
STOP_LIMIT_S: Final = 30.0
LIMIT_S: Final = 60.0
TRIES_LIMIT: Final = 400
AGAIN_S: Final = 0.05
POSTED: Final = "SELECT command_id, points FROM ledger.outcome WHERE party_id = $1 AND code IS NULL"
MIGRATED: Final = "SELECT count(*) FROM hub.migration WHERE name LIKE '%' || $1 || '.sql'"
NEWER: Final = "tests.reliability.newer_hub"


class Load:
    """Callers that turn to the next door where one does not take them, as behind a proxy."""

    def __init__(self, doors: list[Partner]) -> None:
        self.doors = doors
        self.answered: dict[int, list[Any]] = {}
        self.others: list[int] = []
        """Every status but 200."""
        self.reset = 0
        self.ended = False
        self._numbers = count()

    async def run(self) -> None:
        """Until ended."""
        await asyncio.gather(*(self._work() for _ in range(CALLERS)))

    async def has_answered(self, more: int) -> None:
        """So many more."""
        enough = len(self.answered) + more
        await wait_until(lambda: len(self.answered) >= enough, LIMIT_S)

    async def ask(self, number: int) -> list[Any]:
        """One batch until it is answered."""
        for attempt in range(TRIES_LIMIT):
            try:
                answer = await self.doors[(number + attempt) % len(self.doors)].post(batch(number))
            except aiohttp.ClientError:
                self.reset += 1
            else:
                if answer.status == 200:
                    results: list[Any] = answer.json["results"]
                    return results
                self.others.append(answer.status)
            await asyncio.sleep(AGAIN_S)
        raise AssertionError(f"batch {number} was never answered")

    async def _work(self) -> None:
        while not self.ended:
            number = next(self._numbers)
            self.answered[number] = await self.ask(number)


def batch(number: int) -> str:
    """Points are different powers of two by item, so that a total tells what is in it."""
    items = [transfer(f"b{number}-{item}", 1 + (number + item) % CITIZENS, 1 << item) for item in range(ITEMS)]
    return json.dumps({"transfers": items})


async def stopped(process: asyncio.subprocess.Process) -> None:
    """As by a service manager, which would kill it after a while."""
    process.terminate()
    async with asyncio.timeout(STOP_LIMIT_S):
        assert await process.wait() == 0


async def play(database_url: str) -> Load:
    """Two hubs under load; a newer one beside them, then one of the old ends; again; all are asked once more."""
    async with running(database_url, "registry", "ledger") as process:
        keys = await settle(process)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def begun(program: str) -> tuple[asyncio.subprocess.Process, Partner]:
            started, url = await stack.enter_async_context(hub(database_url, program=program))
            return started, Partner(session, url, "airline", keys["airline"])

        old = [await begun("hub") for _ in range(2)]
        load = Load([door for _, door in old])
        loading = asyncio.create_task(load.run())
        try:
            for leaving, door in old:
                await load.has_answered(BETWEEN)
                load.doors.append((await begun(NEWER))[1])
                await load.has_answered(BETWEEN)
                await stopped(leaving)
                load.doors.remove(door)
            await load.has_answered(BETWEEN)
        finally:
            load.ended = True
            await loading
        for number, results in load.answered.items():
            assert {one["status"] for one in results} == {"posted"}
            assert await load.ask(number) == [one | {"replayed": True} for one in results]
    return load


@pytest.mark.timeout(300)
@pytest.mark.parametrize("transport", ["postgres", "rabbitmq"] if FULL else ["postgres"])
async def test_a_deployment_under_load_is_not_noticed(
    request: pytest.FixtureRequest, database_url: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYKEY_TRANSPORT", transport)
    if transport == "rabbitmq":
        monkeypatch.setenv("MYKEY_AMQP_URL", request.getfixturevalue("amqp_url"))
    load = await play(database_url)
    assert load.others == [], "somebody was told of it"
    owner = await asyncpg.connect(database_url)
    posted = {row["command_id"]: row["points"] for row in await owner.fetch(POSTED, AIRLINE)}
    assert posted == {f"b{number}-{item}": 1 << item for number in load.answered for item in range(ITEMS)}
    assert await owner.fetchval(MIGRATED, NAME) == len(FURTHER)
    await owner.close()
    monkeypatch.delenv("MYKEY_TRANSPORT")
    async with running(database_url, "ledger") as process:
        for partition in range(LANES):
            assert (await process.bus.call(VerifyLedger(partition=partition), DEADLINE_S)).fault is None
