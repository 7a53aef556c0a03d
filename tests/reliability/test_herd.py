"""F32: two thousand ask at once while PostgreSQL is away, and all of them come again when it is back."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import asyncpg
import pytest

from hub.embedded_postgres import EmbeddedPostgres
from tests.connectors.partner.test_killed import hub
from tests.connectors.partner.town import AIRLINE, CITIZENS, Partner, settle, transfer
from tests.memory import peak_kib
from tests.reliability.test_stopped_database import POSTED, server, stop_immediately
from tests.running import running
from tests.waiting import wait_until

HERD: Final = 2_000
WARM: Final = 50
TRIES_LIMIT: Final = 100
DRAIN_LIMIT_S: Final = 60.0
"""L1."""
MEMORY_LIMIT_KIB: Final = 100 * 1024
"""How much more the hub may have held at once than before: 50 KiB for each that asked."""
SERVED_LIMIT_S: Final = 10.0
"""Who is let in is answered about as fast as foretold, `door_wait_limit_s`."""
SETTINGS: Final = {"MYKEY_PARTNER_REQUESTS_PER_S": "100000", "MYKEY_PARTNER_REQUESTS_AT_ONCE": "10000"}
"""One partner asks for all of them: its own limits are another test's matter."""

__all__ = ["server"]  # a fixture that the test asks for by its name


class Herd:
    """Many who ask for one transfer each, come again when they are told to, and no sooner."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner
        self.tries = Counter[int]()
        self.statuses = Counter[int]()
        self.after_s: list[float] = []
        """Every Retry-After."""
        self.served_s: list[float] = []
        """How long those who were let in waited for their 200."""

    @property
    def asked(self) -> int:
        """How many have asked and been answered something."""
        return len(self.tries)

    async def ask(self, number: int) -> None:
        """Until it is posted."""
        item = transfer(f"h{number}", link=1 + number % CITIZENS, points=1)
        text = json.dumps({"transfers": [item]})
        for _ in range(TRIES_LIMIT):
            wait_s = await self._try(number, text)
            if wait_s is None:
                return
            await asyncio.sleep(wait_s)
        raise AssertionError(f"{number} was never let in")

    async def _try(self, number: int, text: str) -> float | None:
        began_s = time.monotonic()
        answer = await self._partner.post(text)
        self.tries[number] += 1
        self.statuses[answer.status] += 1
        if answer.status == 200:
            assert answer.json["results"][0]["status"] == "posted"
            self.served_s.append(time.monotonic() - began_s)
            return None
        assert answer.status == 503, answer
        self.after_s.append(float(answer.headers["Retry-After"]))
        return self.after_s[-1]


@asynccontextmanager
async def one_door(url: str) -> AsyncIterator[tuple[Partner, asyncio.subprocess.Process]]:
    """A whole hub and a partner with as many connections as it likes."""
    async with running(url, "registry", "ledger") as process:
        keys = await settle(process)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, hub(url) as (started, door_url):
        yield Partner(session, door_url, "airline", keys["airline"]), started


async def play(server: EmbeddedPostgres) -> tuple[Herd, float, int]:
    """The herd, how long it took after the database came back, and by how much the hub's memory had grown."""
    async with one_door(server.url) as (partner, process):
        warm = Herd(partner)
        await asyncio.gather(*(warm.ask(-1 - number) for number in range(WARM)))
        before_kib = peak_kib(process.pid)
        await asyncio.to_thread(stop_immediately, server)
        herd = Herd(partner)
        asking = [asyncio.create_task(herd.ask(number)) for number in range(HERD)]
        try:
            await wait_until(lambda: herd.asked == HERD, DRAIN_LIMIT_S)
            await asyncio.to_thread(server.start)
            began_s = time.monotonic()
            await asyncio.gather(*asking)
            took_s = time.monotonic() - began_s
        finally:
            for one in asking:
                one.cancel()
        return herd, took_s, peak_kib(process.pid) - before_kib


async def posted(url: str) -> int:
    """How many of the herd's transfers are in the books."""
    connection = await asyncpg.connect(url)
    try:
        ids: list[str] = [row["command_id"] for row in await connection.fetch(POSTED, AIRLINE)]
        return len([one for one in ids if not one.startswith("h-")])
    finally:
        await connection.close()


@pytest.mark.timeout(240)
def test_two_thousand_at_once_are_let_in_one_after_another(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    herd, took_s, grown_kib = asyncio.run(play(server))
    told = f"{took_s:.1f} s, {grown_kib} KiB, {herd.statuses}, slowest {max(herd.served_s):.2f} s"

    assert herd.statuses[200] == HERD, told
    assert asyncio.run(posted(server.url)) == HERD
    assert took_s < DRAIN_LIMIT_S, told
    assert grown_kib < MEMORY_LIMIT_KIB, told
    assert max(herd.served_s) < SERVED_LIMIT_S, told
    assert max(herd.after_s) > min(herd.after_s), "they were told different times"
