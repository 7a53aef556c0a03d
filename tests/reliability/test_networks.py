"""F21, F22: the way to a server is cut, held up, deaf or silent for ever: one pair at a time, then several.

Everything goes by RabbitMQ where it can, two of every worker. Rerun one seed:
`python -m pytest tests/reliability/test_networks.py -k seed-1`.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import pytest

from hub import database
from hub.transports.rabbitmq.topology import CALLS
from tests.conftest import Admin, with_database
from tests.hub.transports.rabbitmq.broker_view import BrokerView
from tests.rabbitmq import Broker
from tests.reliability.cluster import APART, DOOR, DRAIN_LIMIT_S, By, Cluster
from tests.reliability.report import REPORT, commit
from tests.reliability.sizes import FULL, NETWORK_FAULTS, NETWORK_SEEDS
from tests.reliability.ways import GONE_AFTER_S, Direction, Way, Ways, to_port, to_postgres
from tests.reliability.worker_process import GIVEN_UP_S
from tests.waiting import wait_until

PLACES: Final = (DOOR, "ledger", "mail")
SERVERS: Final = ("postgres", "broker")
LASTS_S: Final = 4.0
CALM_S: Final = 1.0
WELL_LIMIT_S: Final = 45.0
WELL: Final = 20
"""How much is answered before the next fault: it is to meet an installation at work."""
CALLS_UNHEARD: Final = json.dumps({"expires": 1_500})
"""As hub.broker_definitions has it, and sooner."""
SWIZZLED: Final = 4
"""How many ways are held up one after the other, and let go in another order."""
ASKED_AT_LEAST: Final = 200
ASKED_LIMIT: Final = 60_000
"""Far above what is asked in the meantime: whoever has stopped asking would be taken for one who is not answered."""
PACE_S: Final = 0.05


def _deaf(way: Way) -> None:
    way.hold(Direction.ANSWERS)


def _held(way: Way) -> None:
    way.hold(*Direction)


class Fault(NamedTuple):
    """What happens to a way, and how that ends."""

    begin: Callable[[Way], None]
    end: Callable[[Way], None]


FAULTS: Final = {
    "cut": Fault(Way.cut, Way.heal),
    "held": Fault(_held, Way.heal),
    "deaf": Fault(_deaf, Way.heal),
    "silent": Fault(_held, Way.forget),
}
PAIRS: Final = tuple((f"{place}-{server}", how) for place in PLACES for server in SERVERS for how in FAULTS)
ANSWERED_MEANWHILE: Final = frozenset({
    "mail-postgres cut", "mail-postgres held", "mail-postgres deaf", "mail-postgres silent",
    "mail-broker cut", "mail-broker held", "mail-broker deaf", "mail-broker silent",
    "hub-broker cut", "ledger-broker cut",
})  # fmt: skip
"""What is asked of the ledger has nothing to do with these, or has another way."""


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    with Ways() as opened:
        yield opened


@pytest.fixture(scope="module")
def cluster(
    ways: Ways, server_url: str, admin: Admin, template_database: str, broker: Broker
) -> Iterator[tuple[Cluster, BrokerView]]:
    """Started once for all seeds."""
    if not broker.is_running:
        broker.start()
    name = "mykey_networks"
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
    url = with_database(server_url, name)
    with broker.fresh_vhost() as vhost, pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "COMMAND_TIMEOUT_S", GIVEN_UP_S)
        broker.set_policy(vhost, "calls", rf"^{re.escape(CALLS)}\.", CALLS_UNHEARD)
        amqp_url = broker.url(vhost=vhost)
        by = {place: _opened(ways, place, url, amqp_url) for place in PLACES}
        made = Cluster(url, amqp_url=amqp_url, kinds=APART, by=by, given_up_s=GIVEN_UP_S)
        yield made, BrokerView(broker, vhost)
        made.close()
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _opened(ways: Ways, place: str, url: str, amqp_url: str) -> By:
    parts = urlsplit(amqp_url)
    assert parts.port is not None
    to_broker = ways.open(f"{place}-broker", to_port(parts.port))
    near = parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{to_broker.port}")
    return By(ways.open(f"{place}-postgres", to_postgres(url)).url, urlunsplit(near))


class Attack:
    """Faults, one after another; how much was answered during each."""

    def __init__(self, cluster: Cluster, ways: Ways, seed: int) -> None:
        self.fired: list[str] = []
        self.answered: dict[str, int] = {}
        self.held_up: list[str] = []
        """What had nothing to do with the fault, and was not answered all the same."""
        self.healed_s = 0.0
        self._forgotten_s = float("-inf")
        self._cluster = cluster
        self._ways = ways
        self._random = Random(seed)

    async def run(self) -> None:
        """All pairs, or some, then several at once."""
        for pair, how in self._random.sample(PAIRS, NETWORK_FAULTS):
            before = self._answered()
            self._do(pair, FAULTS[how].begin)
            await asyncio.sleep(LASTS_S)
            answered = self._answered() - before
            self._do(pair, FAULTS[how].end)
            self._was_answered(f"{pair} {how}", answered)
            self._was_fired(f"{pair} {how}")
            await self._is_well()
        await self._swizzle()
        self.healed_s = time.monotonic()

    def _was_answered(self, fault: str, answered: int) -> None:
        """PostgreSQL keeps the locks of whoever it was made to forget until it knows that they are gone."""
        self.answered[fault] = answered
        if not answered and fault in ANSWERED_MEANWHILE and time.monotonic() > self._forgotten_s + GONE_AFTER_S:
            self.held_up.append(fault)
        if fault.endswith("-postgres silent"):
            self._forgotten_s = time.monotonic()

    async def _is_well(self) -> None:
        enough = self._answered() + WELL
        await wait_until(lambda: self._answered() >= enough, WELL_LIMIT_S, CALM_S)

    async def _swizzle(self) -> None:
        """Held up in one order, let go in another."""
        some = self._random.sample(sorted(self._ways.named), SWIZZLED)
        for pair in some:
            self._do(pair, _held)
            await asyncio.sleep(self._random.uniform(0.0, CALM_S))
        for pair in self._random.sample(some, len(some)):
            self._do(pair, self._random.choice((Way.heal, Way.forget)))
            await asyncio.sleep(self._random.uniform(0.0, CALM_S))
        self._was_fired("swizzled")

    def _do(self, pair: str, act: Callable[[Way], None]) -> None:
        way = self._ways.named[pair]
        self._ways.do(lambda: act(way))

    def _was_fired(self, what: str) -> None:
        self.fired.append(what)
        self._cluster.history.faults += 1

    def _answered(self) -> int:
        return sum(one.answer is not None for one in self._cluster.history.asked)


async def play(cluster: Cluster, view: BrokerView, ways: Ways, seed: int) -> Attack:
    """Load with faults, heal, drain."""
    await cluster.begin()
    cluster.pace_s = PACE_S
    await cluster.have_workers()
    await view.wait_for_consumers("mail")
    attack = Attack(cluster, ways, seed)
    attacking = asyncio.ensure_future(attack.run())
    await cluster.load_until(attacking, seed, ASKED_AT_LEAST, ASKED_LIMIT)
    await attacking
    await cluster.drain()
    cluster.history.heal_to_drained_s = time.monotonic() - attack.healed_s
    return attack


@pytest.mark.skipif(not FULL, reason="minutes long: make reliability runs it")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", NETWORK_SEEDS, ids=lambda seed: f"seed-{seed}")
def test_ways_that_fail_lose_nothing_and_double_nothing(
    cluster: tuple[Cluster, BrokerView], ways: Ways, seed: int
) -> None:
    installation, view = cluster
    attack = installation.run(play(installation, view, ways, seed))
    violations = installation.run(installation.verdict())
    REPORT.add("networks", seed, attack.fired, installation.history, violations)
    where = f"seed {seed} at {commit()}: {attack.answered}"
    assert violations == [], where
    assert len(attack.fired) == NETWORK_FAULTS + 1
    assert len(installation.history.asked) >= ASKED_AT_LEAST
    assert attack.held_up == [], f"an unrelated way's loss held everything up: {where}"
    assert installation.history.heal_to_drained_s <= DRAIN_LIMIT_S
