"""PostgreSQL stopped as by a power cut, under load: back within 5 s, nothing lost or doubled, nothing leaked."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from hub import migrations
from hub.embedded_postgres import EmbeddedPostgres
from hub.errors import DeadlineExceededError, TransientError
from hub.process import HubProcess
from tests.hub.parts import Probe, at_work, credit, credited, fake, say
from tests.waiting import wait_until

RECOVERY_LIMIT_S: Final = 5.0
CONNECTIONS: Final = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename <> current_user
"""


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, with real flushing, that survives being stopped."""
    made = EmbeddedPostgres.temporary()
    with made:
        yield made


def _stop_immediately(server: EmbeddedPostgres) -> None:
    pid = int((server.data_path / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGQUIT)
    server._delete_on_stop = False
    server.stop()


def _start_again(server: EmbeddedPostgres) -> None:
    server.start()
    server._delete_on_stop = True


class Load:
    """Says messages and makes calls until told to stop; keeps what was acknowledged."""

    def __init__(self, process: HubProcess) -> None:
        self.process = process
        self.said: set[int] = set()
        self.answered: set[int] = set()
        self.refused = 0
        self.stopped = False

    async def say(self) -> None:
        for n in range(1, 1_000_000):
            if self.stopped:
                return
            try:
                await say(self.process, credited(n))
                self.said.add(n)
            except Exception:  # noqa: BLE001 - whatever a cut connection raises; unknown is unknown
                self.refused += 1
                await asyncio.sleep(0.01)

    async def call(self) -> None:
        for n in range(1, 1_000_000):
            if self.stopped:
                return
            try:
                await self.process.bus.call(credit(n), 2.0)
                self.answered.add(n)
            except (TransientError, DeadlineExceededError):
                self.refused += 1
                await asyncio.sleep(0.01)


async def test_an_immediate_stop_under_load_loses_and_doubles_nothing(server: EmbeddedPostgres) -> None:
    url = server.url
    await migrations.migrate(url, migrations.installed_sources())
    await (await Probe.at(url)).connection.close()
    async with at_work(url, fake("registry"), fake("ledger"), fake("mail")) as process:
        load = Load(process)
        working = [asyncio.create_task(load.say()), asyncio.create_task(load.call())]
        await wait_until(lambda: len(load.said) > 50 and len(load.answered) > 50)
        await asyncio.to_thread(_stop_immediately, server)
        said, answered = len(load.said), len(load.answered)
        await wait_until(lambda: load.refused > 5)
        await asyncio.to_thread(_start_again, server)
        back_s = time.monotonic()
        await wait_until(lambda: len(load.said) > said and len(load.answered) > answered, RECOVERY_LIMIT_S)
        assert time.monotonic() - back_s < 2 * RECOVERY_LIMIT_S
        await wait_until(lambda: len(load.said) > said + 20 and len(load.answered) > answered + 20)
        load.stopped = True
        await asyncio.gather(*working)
        await process.drained(15)
        probe = await Probe.to(url)
        await _check(probe, load)
        pools = sum(process.settings.pool_size_of(one.name) for one in process.components)
        assert await probe.connection.fetchval(CONNECTIONS) <= pools + 1
        await probe.connection.close()


async def _check(probe: Probe, load: Load) -> None:
    done = Counter(await probe.numbers("mail"))
    assert load.said <= set(done)
    assert max(done.values()) == 1
    posted = Counter(await probe.numbers("ledger"))
    assert load.answered <= set(posted)
    assert max(posted.values()) == 1
    assert await probe.deliveries() == []
