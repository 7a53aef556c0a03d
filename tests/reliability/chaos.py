"""Layer 3: faults from a menu, one after another under load, at an installation of two of every worker over RabbitMQ.

Each fault makes sure that it really happened before it says so, and heals what it hurt.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import asyncpg

from hub.embedded_postgres import EmbeddedPostgres
from tests.hub.transports.rabbitmq.broker_view import BrokerView
from tests.memory import resident_kib
from tests.rabbitmq import Broker
from tests.reliability.checker import Violation
from tests.reliability.cluster import Cluster, Worker
from tests.reliability.test_stopped_database import stop_immediately
from tests.reliability.worker_process import LEASE_S

LASTS_S: Final = 2.0
"""How long a fault lasts."""
SLEEP_S: Final = 4 * LEASE_S
BACK_LIMIT_S: Final = 60.0
"""After a broker that comes back is heard again by everybody."""
CALM_S: Final = 0.5
"""Between two faults, so that each meets an installation at work."""
PACE_S: Final = 0.1
ASKED_AT_LEAST: Final = 200
ASKED_LIMIT: Final = 6_000
WARM: Final = 100
MEMORY_LIMIT_KB: Final = 64 * 1024
"""How much a worker may grow in a run."""
TRIES_LIMIT: Final = 20
"""How often, a second apart, leaks are looked for before they count."""
CONNECTIONS: Final = """
SELECT count(*) FROM pg_stat_activity WHERE usename IN ('mykey_ledger', 'mykey_mail')
"""
STARTED_AT: Final = "SELECT pg_postmaster_start_time()"


class Played(NamedTuple):
    """What came of a run."""

    fired: Counter[str]
    violations: list[Violation]
    leaks: list[str]


class Chaos:
    """The installation under attack."""

    def __init__(self, cluster: Cluster, server: EmbeddedPostgres, broker: Broker, vhost: str) -> None:
        self.cluster = cluster
        self.fired = Counter[str]()
        self._server = server
        self._broker = broker
        self._view = BrokerView(broker, vhost)
        self._random = Random(0)
        self._healed_s = 0.0
        self.menu: dict[str, Callable[[], Awaitable[None]]] = {
            "broker_wiped": self._wipe_broker,
            "worker_killed": self._kill_worker,
            "database_stopped": self._stop_database,
            "broker_blocked": self._block_broker,
            "queue_deleted": self._delete_queue,
            "broker_killed": self._kill_broker,
            "worker_stopped": self._stop_worker,
        }

    def plan(self, seed: int, count: int | None) -> list[str]:
        """Faults of the menu in the order of the seed; all of them, or so many."""
        return Random(seed).sample(list(self.menu), len(self.menu) if count is None else count)

    async def play(self, seed: int, plan: Sequence[str]) -> Played:
        """Load with faults, heal, drain, read, check, look for leaks."""
        cluster, self._random, self.fired = self.cluster, Random(seed), Counter()
        await cluster.begin()
        cluster.pace_s = PACE_S
        await cluster.have_workers()
        await self._view.wait_for_consumers("mail", BACK_LIMIT_S)
        await self._warm_up(seed)
        leaks = await Leaks.now(cluster)
        attack = asyncio.ensure_future(self._attack(plan))
        await cluster.load_until(attack, seed, ASKED_AT_LEAST, ASKED_LIMIT)
        await attack
        healed_s = self._healed_s
        await cluster.have_workers()
        await self._view.wait_for_consumers("mail", BACK_LIMIT_S)
        await cluster.drain()
        cluster.history.heal_to_drained_s = time.monotonic() - healed_s
        return Played(self.fired, await cluster.verdict(), await leaks.found(cluster))

    async def _warm_up(self, seed: int) -> None:
        """Everybody has worked before the baseline of leaks is taken."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        done.set_result(True)
        await self.cluster.load_until(done, -seed, WARM)

    async def _attack(self, plan: Sequence[str]) -> None:
        for name in plan:
            await asyncio.sleep(CALM_S)
            await self.menu[name]()
            self.fired[name] += 1
            self.cluster.history.faults += 1
        self._healed_s = time.monotonic()
        await asyncio.sleep(CALM_S)

    # the menu

    async def _kill_worker(self) -> None:
        victim = self._random.choice(self.cluster.workers)
        await victim.end()
        assert victim.process.returncode == -signal.SIGKILL
        await asyncio.sleep(LASTS_S)
        await self.cluster.have_workers()

    async def _stop_worker(self) -> None:
        """For longer than its leases."""
        victim = self._random.choice(self.cluster.workers)
        victim.send_signal(signal.SIGSTOP)
        await asyncio.sleep(SLEEP_S)
        assert _state(victim) == "T"
        victim.send_signal(signal.SIGCONT)

    async def _kill_broker(self) -> None:
        await asyncio.to_thread(self._broker.kill)
        assert not self._broker.is_running
        await asyncio.to_thread(self._broker.start)

    async def _wipe_broker(self) -> None:
        await asyncio.to_thread(self._broker.wipe)
        assert not self._broker.data_path.exists()
        await asyncio.to_thread(self._broker.start)
        await asyncio.to_thread(self._broker.add_vhost, self._view.vhost)

    async def _block_broker(self) -> None:
        await asyncio.to_thread(self._broker.block)
        try:
            await asyncio.sleep(LASTS_S)
            assert "memory" in await asyncio.to_thread(self._broker.evaluate, "rabbit_alarm:get_alarms()")
        finally:
            await asyncio.to_thread(self._broker.unblock)

    async def _delete_queue(self) -> None:
        await self._view.wait_for_consumers("mail", BACK_LIMIT_S)
        consumed = sorted(name for name in await self._view.consumers() if ".mail." in name)
        await self._view.delete(self._random.choice(consumed))
        await asyncio.sleep(LASTS_S)

    async def _stop_database(self) -> None:
        before = await self.cluster.owner.fetchval(STARTED_AT)
        await asyncio.to_thread(stop_immediately, self._server)
        await asyncio.sleep(LASTS_S)
        await asyncio.to_thread(self._server.start)
        await self.cluster.connect_again()
        assert await self.cluster.owner.fetchval(STARTED_AT) > before


class Leaks:
    """What the workers held open before the faults: of each kind the most."""

    def __init__(self, files: int, memory_kb: int) -> None:
        self._files = files
        self._memory_kb = memory_kb

    @classmethod
    async def now(cls, cluster: Cluster) -> "Leaks":
        """The baseline."""
        return cls(await _files(cluster), _largest_kib(cluster))

    async def found(self, cluster: Cluster) -> list[str]:
        """What has grown and does not shrink again."""
        found: list[str] = []
        for _ in range(TRIES_LIMIT):
            found = []
            files, memory_kb = await _files(cluster), _largest_kib(cluster)
            if files > self._files:
                found.append(f"{files} open files beside connections to PostgreSQL, {self._files} before")
            if memory_kb > self._memory_kb + MEMORY_LIMIT_KB:
                found.append(f"a worker of {memory_kb} kB, {self._memory_kb} before")
            if not found:
                return []
            await asyncio.sleep(1.0)
        return found


async def _files(cluster: Cluster) -> int:
    """Open files of all workers, less their connections to PostgreSQL, which the pools bound."""
    connection = await asyncpg.connect(cluster.url)
    try:
        pooled: int = await connection.fetchval(CONNECTIONS)
    finally:
        await connection.close()
    return sum(map(_open_files, cluster.workers)) - pooled


def _open_files(worker: Worker) -> int:
    return len(list(Path(f"/proc/{worker.process.pid}/fd").iterdir()))


def _largest_kib(cluster: Cluster) -> int:
    return max(resident_kib(worker.process.pid) for worker in cluster.workers)


def _state(worker: Worker) -> str:
    (line,) = [one for one in _status(worker) if one.startswith("State:")]
    return line.split()[1]


def _status(worker: Worker) -> list[str]:
    return Path(f"/proc/{worker.process.pid}/status").read_text(encoding="ascii").splitlines()
