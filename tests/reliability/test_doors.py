"""F01 to F03: a hub is killed behind its HTTP door; its partner sees a cut connection and asks the other hub again."""

import asyncio
import json
import signal
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
import asyncpg
import pytest

from schemas.audit import VerifyLedger
from schemas.values import LANES
from tests.connectors.partner.test_killed import hub
from tests.connectors.partner.town import AIRLINE, CITIZENS, DEADLINE_S, Partner, settle, transfer
from tests.reliability.failpoints import DOORS
from tests.reliability.sizes import DOOR_PASSES
from tests.running import running

BATCHES: Final = 32
AT_ONCE: Final = 3
ITEMS: Final = 5
TRIES_LIMIT: Final = 40
CASES: Final = [(point, n) for point in DOORS for n in DOOR_PASSES]
POSTED: Final = """
SELECT count(*) AS transfers, sum(points)::bigint AS points, count(DISTINCT command_id) AS ids
FROM ledger.outcome WHERE party_id = $1 AND code IS NULL
"""
TOTAL: Final = "SELECT coalesce(-sum(balance), 0)::bigint FROM ledger.contra WHERE party_id = $1"


def batch(number: int) -> list[dict[str, Any]]:
    """Points are different powers of two by item, so that a total tells what is in it."""
    return [
        transfer(f"b{number}-{item}", link=1 + (number + item) % CITIZENS, points=1 << item) for item in range(ITEMS)
    ]


async def post_all(doors: Sequence[Partner]) -> list[list[Any]]:
    """All batches, some at a time; their results in order."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def post(number: int) -> list[Any]:
        async with slots:
            return await post_until_answered(doors, number)

    return await asyncio.gather(*(post(number) for number in range(BATCHES)))


async def post_until_answered(doors: Sequence[Partner], number: int) -> list[Any]:
    """The same batch again and again, at one door and then the other."""
    content = json.dumps({"transfers": batch(number)})
    for attempt in range(TRIES_LIMIT):
        try:
            answer = await doors[(number + attempt) % len(doors)].post(content)
        except aiohttp.ClientError:
            continue
        if answer.status == 200:
            results: list[Any] = answer.json["results"]
            return results
        assert answer.status == 503, answer
        await asyncio.sleep(0.1)
    raise AssertionError(f"batch {number} was never answered")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("point, n", CASES, ids=[f"{point}-{n}" for point, n in CASES])
async def test_a_partner_that_asks_again_has_posted_once(database_url: str, point: str, n: int) -> None:
    async with running(database_url, "registry", "ledger") as process:
        keys = await settle(process)
    async with (
        aiohttp.ClientSession() as session,
        hub(database_url, f"{point}:{n}") as (armed, first_url),
        hub(database_url) as (_, second_url),
    ):
        doors = [Partner(session, url, "airline", keys["airline"]) for url in (first_url, second_url)]
        answers = await post_all(doors)
        assert await asyncio.wait_for(armed.wait(), DEADLINE_S) == -signal.SIGKILL, "the failpoint was never reached"
        again = await post_all(doors[1:])
    for results, repeated in zip(answers, again, strict=True):
        assert [one | {"replayed": True} for one in results] == repeated
        assert {one["status"] for one in results} == {"posted"}
    await assert_posted_once(database_url)


async def assert_posted_once(database_url: str) -> None:
    """Every id once, every point once, and the books add up."""
    connection = await asyncpg.connect(database_url)
    row = await connection.fetchrow(POSTED, AIRLINE)
    points = BATCHES * ((1 << ITEMS) - 1)
    assert row is not None
    assert tuple(row) == (BATCHES * ITEMS, points, BATCHES * ITEMS)
    assert await connection.fetchval(TOTAL, AIRLINE) == points
    await connection.close()
    async with running(database_url, "ledger") as process:
        for partition in range(LANES):
            assert (await process.bus.call(VerifyLedger(partition=partition), DEADLINE_S)).fault is None
