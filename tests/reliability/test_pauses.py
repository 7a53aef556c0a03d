"""F11: a worker is stopped (SIGSTOP) for longer than its leases and then goes on, as if nothing had happened."""

import asyncio
import signal
from collections.abc import Iterator
from typing import Final

import pytest

from tests.conftest import Admin, with_database
from tests.reliability.cluster import Cluster
from tests.reliability.worker_process import LEASE_S

PAUSE_S: Final = 12 * LEASE_S
"""Far longer than a lease: everything the worker had was taken over meanwhile."""
ASKED_AT_LEAST: Final = 200


@pytest.fixture
def cluster(server_url: str, admin: Admin, template_database: str) -> Iterator[Cluster]:
    name = "mykey_pauses"
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
    made = Cluster(with_database(server_url, name))
    yield made
    made.close()
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def play(cluster: Cluster) -> None:
    await cluster.begin()
    sleeper, _ = await cluster.have_workers("")
    woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def stop_and_go_on() -> None:
        await asyncio.sleep(1.0)
        sleeper.send_signal(signal.SIGSTOP)
        await asyncio.sleep(PAUSE_S)
        sleeper.send_signal(signal.SIGCONT)
        cluster.history.faults += 1
        await asyncio.sleep(1.0)
        woken.set_result(True)

    async with asyncio.TaskGroup() as group:
        group.create_task(stop_and_go_on())
        await cluster.load_until(woken, seed=11, asked_at_least=ASKED_AT_LEAST)
    await cluster.drain()
    assert not sleeper.is_dead()
    assert await cluster.verdict() == []
    assert len(cluster.history.asked) >= ASKED_AT_LEAST


@pytest.mark.timeout(300)
def test_a_worker_that_slept_through_its_leases_does_no_harm(cluster: Cluster) -> None:
    cluster.run(play(cluster))
