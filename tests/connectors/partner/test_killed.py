"""kill -9 at places where a file could be lost or doubled: started again, each row has ended once."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import pytest

from demo.ports import free_port
from hub.clock import SystemClock
from tests.children import stopped
from tests.connectors.partner.test_files import csv_file, finished, row
from tests.connectors.partner.town import CITIZENS, HOST, Answer, Partner, settle
from tests.running import SECRET_KEY, running
from tests.waiting import wait_until

ROWS = 9_000
PLACES = [("partner.file_received", 1), ("partner.block_answered", 3), ("partner.before_mark", 1)]


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore:Sending a large body")
@pytest.mark.parametrize("place,nth", PLACES)
async def test_killed_and_started_again(database_url: str, place: str, nth: int) -> None:
    async with running(database_url, "registry", "ledger") as process:
        keys = await settle(process)
    content = csv_file(*(row(f"k-{n}", link=1 + n % CITIZENS, points=1) for n in range(ROWS)))
    async with aiohttp.ClientSession() as session:
        async with hub(database_url, f"{place}:{nth}") as (process, url):
            await hand_in(Partner(session, url, "airline", keys["airline"]), content)
            assert await asyncio.wait_for(process.wait(), 60) == -9
        async with hub(database_url) as (process, url):
            airline = Partner(session, url, "airline", keys["airline"])
            answer = await hand_in(airline, content)
            assert answer is not None
            file = await finished(airline, answer.headers["Location"])
            outcomes = file["outcomes"]
            assert (outcomes["posted"], outcomes["replayed"], outcomes["points"]) == (ROWS, 0, ROWS)
            assert await settled(airline) == (ROWS, ROWS)
            result = await airline.ask("GET", f"/transfer-files/{file['file_id']}/results.csv")
            lines = result.body.decode().splitlines()[1:]
            assert [line.split(",")[1] for line in lines] == [f"k-{n}" for n in range(ROWS)]


async def hand_in(airline: Partner, content: bytes) -> Answer | None:
    """Hand the file in; None where the hub died over it."""
    try:
        answer = await airline.file(content, "file-1")
    except aiohttp.ClientError:
        return None
    assert answer.status == 202
    return answer


async def settled(airline: Partner) -> tuple[int, int]:
    """Transfers and points by the ledger's own books."""
    today = SystemClock().business_date()
    period = f"first={today - timedelta(days=1)}&last={today + timedelta(days=1)}"
    summary = await airline.get(f"/settlement?{period}")
    return summary["transfers"], summary["points"]


@asynccontextmanager
async def hub(
    database_url: str, failpoint: str = "", errors_to: int | None = None, program: str = "hub"
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A whole hub as a process of its own, listening; what it logs goes where ours goes, or to this descriptor."""
    port = free_port()
    settings = {
        "MYKEY_DATABASE_URL": database_url,
        "MYKEY_SECRET_KEY": SECRET_KEY,
        "MYKEY_HTTP_PORT": str(port),
        "MYKEY_LOG_LEVEL": "error",
        "MYKEY_FAILPOINT": failpoint,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", program, "run", "registry", "ledger", "partner"),
        env=os.environ | settings,
        stderr=errors_to,
    )

    async def it_listens() -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await wait_until(it_listens, deadline_s=30)
        yield process, f"http://{HOST}:{port}"
    finally:
        await stopped(process)
