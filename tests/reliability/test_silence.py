"""F11, F19, F22: answers that never come. Whether it was done is unknown; asked again under its id it was done once."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import aiohttp
import asyncpg
import pytest
from yarl import URL

from hub import database, stuck
from hub.database import Database
from hub.transaction import Reading
from schemas.points import PostingStatus
from tests.connectors.partner.test_killed import hub
from tests.connectors.partner.town import AIRLINE, CITIZENS, HOST, Answer, Partner, settle, town, transfer
from tests.reliability import ways
from tests.reliability.ways import Direction, Way
from tests.running import running
from tests.waiting import wait_until
from tests.workers.ledger.world import citizen, credit
from workers.ledger.store import FEW

ITEMS: Final = 8
GIVEN_UP_S: Final = 3.0
RECOVERY_LIMIT_S: Final = 60.0
"""L1."""
LOOK_S: Final = 0.2
ASK_LIMIT: Final = aiohttp.ClientTimeout(total=5.0)
POSTED: Final = "SELECT command_id, points FROM ledger.outcome WHERE party_id = $1 AND code IS NULL"


def batch(name: str) -> str:
    """Points are different powers of two by item, so that a total tells what is in it."""
    items = [transfer(f"{name}-{item}", link=1 + item % CITIZENS, points=1 << item) for item in range(ITEMS)]
    return json.dumps({"transfers": items})


class ByWay(Partner):
    """Signs for the door, and goes there by a way."""

    way: Way

    async def send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:  # noqa: ANN401 - as Partner's
        url = URL(f"http://{HOST}:{self.way.port}/api/partner{path}", encoded=True)
        named = {**headers, "Host": self._url.removeprefix("http://")}
        async with self._session.request(method, url, data=body, headers=named) as response:
            return Answer(response.status, response.headers, await response.read())


async def asked(door: Partner, content: str) -> Answer | None:
    """One try; None where no answer came in time."""
    try:
        return await door.post(content)
    except (aiohttp.ClientError, TimeoutError):
        return None


async def until_answered(door: Partner, content: str) -> list[Any]:
    """The same again and again."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < RECOVERY_LIMIT_S:
        answer = await asked(door, content)
        if answer is not None and answer.status == 200:
            results: list[Any] = answer.json["results"]
            return results
        assert answer is None or answer.status == 503, answer
        await asyncio.sleep(LOOK_S)
    raise AssertionError("it was never answered")


async def assert_posted_once(owner: "asyncpg.Connection[asyncpg.Record]", *names: str) -> None:
    posted = [tuple(row) for row in await owner.fetch(POSTED, AIRLINE)]
    assert sorted(posted) == sorted((f"{name}-{item}", 1 << item) for name in names for item in range(ITEMS))


async def test_a_commit_that_is_never_confirmed_was_done_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "COMMAND_TIMEOUT_S", GIVEN_UP_S)
    owner = await asyncpg.connect(database_url)
    async with (
        ways.to_postgres(database_url) as way,
        town(way.url) as hub_town,
        aiohttp.ClientSession(timeout=ASK_LIMIT) as session,
    ):
        airline = Partner(session, hub_town.url, "airline", hub_town.keys["airline"])
        await until_answered(airline, batch("warm"))
        way.silence_after(b"COMMIT", of=b"mykey_ledger")
        await asked(airline, batch("lost"))
        assert way.silenced > 0
        way.heal()
        results = await until_answered(airline, batch("lost"))
        assert {one["status"] for one in results} == {"posted"}
        assert any(one["replayed"] for one in results), "nothing of it had been committed"
        await assert_posted_once(owner, "warm", "lost")
    await owner.close()


@pytest.mark.parametrize(
    "words, brought, count", [(b"COPY", 0.5, 2 * FEW), (b"INSERT INTO ledger.outcome", 1.0, ITEMS)]
)
async def test_who_is_frozen_in_the_middle_of_a_statement_holds_nobody_up_for_long(
    words: bytes, brought: float, count: int, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a COPY, or between what a statement says and its values; who is frozen gives nothing up."""
    monkeypatch.setattr(database, "COMMAND_TIMEOUT_S", 2 * RECOVERY_LIMIT_S)
    monkeypatch.setitem(database.SESSION, "lock_timeout", f"{2 * RECOVERY_LIMIT_S}s")
    monkeypatch.setattr(stuck, "STUCK_S", GIVEN_UP_S)
    monkeypatch.setattr(stuck, "LOOK_S", LOOK_S)
    commands = [credit(str(number), citizen(number), 1) for number in range(count)]
    async with ways.to_postgres(database_url) as way, running(way.url, "ledger") as frozen:
        way.freeze_at(words, of=b"mykey_ledger", brought=brought)
        asking = asyncio.ensure_future(frozen.bus.call_many(commands, RECOVERY_LIMIT_S))
        await wait_until(lambda: way.silenced > 0)
        async with running(database_url, "ledger") as process:
            answers = await process.bus.call_many(commands, RECOVERY_LIMIT_S)
        assert {answer.status for answer in answers} == {PostingStatus.posted}
        way.cut()
        asking.cancel()
        await asyncio.wait([asking])


@pytest.mark.parametrize("begin", [Database.reading, Database.transaction])
async def test_who_is_cancelled_while_the_database_is_silent_does_not_wait_for_it(
    begin: Callable[[Database], AbstractAsyncContextManager[Reading]], database_url: str
) -> None:
    async with ways.to_postgres(database_url) as way, running(way.url, "ledger") as process:
        pool = process.database_of("ledger")

        async def ask(words: str) -> object:
            async with begin(pool) as reading:
                return await reading.fetch_value(words)

        way.silence_after(b"'lost'", of=b"mykey_ledger")
        asking = asyncio.ensure_future(ask("SELECT 'lost'"))
        await wait_until(lambda: way.silenced > 0)
        way.heal()
        asking.cancel()
        await asyncio.wait([asking], timeout=3 * database.GIVE_UP_TIMEOUT_S)
        assert asking.done()
        assert asking.cancelled()
        for _ in range(pool.pool_size):
            assert await ask("SELECT 'heard'") == "heard"


async def test_who_would_listen_gives_up_when_nobody_says_that_he_may(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "NOTIFY_TIMEOUT_S", 0.3)
    async with ways.to_postgres(database_url) as way:
        way.silence_after(b"LISTEN", of=b"mykey-hub-wake")
        async with asyncio.timeout(GIVEN_UP_S):
            with pytest.raises(TimeoutError):
                async with database.listening(way.url, "hub_wake", lambda _text: None):
                    pass
        assert way.silenced == 1


def test_who_has_gone_silent_is_given_up_in_time() -> None:
    assert float(database.SESSION["lock_timeout"].removesuffix("s")) < database.COMMAND_TIMEOUT_S
    assert database.COMMAND_TIMEOUT_S + database.CONNECT_TIMEOUT_S < RECOVERY_LIMIT_S
    assert database.COMMAND_TIMEOUT_S < stuck.STUCK_S < RECOVERY_LIMIT_S - stuck.LOOK_S


@pytest.mark.timeout(120)
async def test_a_partner_that_hears_no_answers_has_posted_once(database_url: str) -> None:
    """The way between a partner and our door: requests arrive, answers do not."""
    async with running(database_url, "registry", "ledger") as process:
        keys = await settle(process)
    owner = await asyncpg.connect(database_url)
    async with (
        hub(database_url) as (_, url),
        ways.to_port(int(url.rpartition(":")[2])) as way,
        aiohttp.ClientSession(timeout=ASK_LIMIT) as session,
    ):
        airline = ByWay(session, url, "airline", keys["airline"])
        airline.way = way
        way.hold(Direction.ANSWERS)
        for _ in range(2):
            assert await asked(airline, batch("deaf")) is None
        await wait_until(lambda: owner.fetchval("SELECT count(*) = $1 FROM ledger.outcome", ITEMS))
        way.forget()
        results = await until_answered(airline, batch("deaf"))
    assert all(one["replayed"] for one in results)
    await assert_posted_once(owner, "deaf")
    await owner.close()
