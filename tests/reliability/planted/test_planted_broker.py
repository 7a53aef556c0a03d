"""The check sees what an acknowledgement that comes too early does; and without it, in the same plight, nothing."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from tests.conftest import Admin, with_database
from tests.hub.transports.rabbitmq.broker_view import BrokerView
from tests.rabbitmq import Broker
from tests.reliability.checker import Violation
from tests.reliability.cluster import APART, Cluster
from tests.reliability.planted.broker_bugs import BROKER_BUGS
from tests.reliability.planted.test_planted_processes import ASKED_AT_LEAST, DRAIN_LIMIT_S, PLAYS_LIMIT, REACHED_LIMIT_S
from tests.reliability.sizes import FULL
from tests.waiting import wait_until

Made = Callable[[str, BrokerView], Cluster]
FAILPOINT = "mail.before_commit:5"

pytestmark = pytest.mark.skipif(not FULL, reason="make reliability runs it")


@pytest.fixture
def make(server_url: str, admin: Admin, template_database: str) -> Iterator[Made]:
    name = "mykey_planted_broker"

    def made(planted: str, view: BrokerView) -> Cluster:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
        amqp_url = view.broker.url(vhost=view.vhost)
        return Cluster(with_database(server_url, name), planted, amqp_url=amqp_url, kinds=APART)

    yield made
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def play(cluster: Cluster, view: BrokerView, seed: int) -> list[Violation]:
    """Kill one of the listeners in the middle of a transaction; with a bug, it may not even get as far as that."""
    await cluster.begin()
    armed, *_ = await cluster.have_workers(FAILPOINT)
    await view.wait_for_consumers("mail")
    dead = asyncio.ensure_future(wait_until(armed.is_dead, REACHED_LIMIT_S))
    cluster.history.faults += 1
    await cluster.load_until(dead, seed=seed, asked_at_least=ASKED_AT_LEAST)
    with suppress(TimeoutError):
        await dead
    assert armed.is_dead() or cluster.planted != "store_cut_off", "the failpoint was never reached"
    await cluster.drain(2 * DRAIN_LIMIT_S)
    return await cluster.verdict()


def plays(make: Made, broker: Broker, planted: str, seed: int) -> list[Violation]:
    """What the check says of one run."""
    if not broker.is_running:
        broker.start()
    with broker.fresh_vhost() as vhost:
        view = BrokerView(broker, vhost)
        with closing(make(planted, view)) as cluster:
            return cluster.run(play(cluster, view, seed))


def test_an_acknowledgement_before_the_commit_is_caught(make: Made, broker: Broker) -> None:
    bug = BROKER_BUGS["acknowledged_when_brought"]
    seen: list[set[str]] = []
    for seed in range(1, PLAYS_LIMIT + 1):
        seen.append({violation.invariant for violation in plays(make, broker, bug.name, seed)})
        if bug.caught_by & seen[-1]:
            return
    pytest.fail(f"{bug.name}: the checker saw {seen}, nothing of {sorted(bug.caught_by)}")


def test_without_the_store_the_broker_alone_brings_everything_again(make: Made, broker: Broker) -> None:
    assert plays(make, broker, "store_cut_off", 1) == []
