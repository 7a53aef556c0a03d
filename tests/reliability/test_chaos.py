"""Layer 3: everything goes by RabbitMQ, two of every worker, and one fault after another from a seeded menu.

Rerun one seed: `python -m pytest tests/reliability/test_chaos.py -k seed-1`.
"""

import asyncio
from collections.abc import Iterator

import pytest

from hub import migrations
from hub.embedded_postgres import EmbeddedPostgres
from tests.conftest import all_sources
from tests.rabbitmq import Broker
from tests.reliability.chaos import ASKED_AT_LEAST, Chaos
from tests.reliability.cluster import APART, DRAIN_LIMIT_S, POSTED_OF_ASKED, Cluster
from tests.reliability.operations import QUICK
from tests.reliability.report import REPORT, commit
from tests.reliability.sizes import CHAOS_FAULTS, CHAOS_SEEDS


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server that may be stopped and started."""
    made = EmbeddedPostgres.temporary(QUICK)
    try:
        asyncio.run(migrations.migrate(made.start(), all_sources()))
        yield made
    finally:
        made._delete_on_stop = True
        made.stop()


@pytest.fixture(scope="module")
def chaos(server: EmbeddedPostgres, broker: Broker) -> Iterator[Chaos]:
    """Started once for all seeds."""
    if not broker.is_running:
        broker.start()
    with broker.fresh_vhost() as vhost:
        cluster = Cluster(server.url, amqp_url=broker.url(vhost=vhost), kinds=APART)
        yield Chaos(cluster, server, broker, vhost)
        cluster.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", CHAOS_SEEDS, ids=lambda seed: f"seed-{seed}")
def test_one_fault_after_another_loses_nothing_and_doubles_nothing(chaos: Chaos, seed: int) -> None:
    plan = chaos.plan(seed, CHAOS_FAULTS)
    played = chaos.cluster.run(chaos.play(seed, plan))
    history = chaos.cluster.history
    REPORT.add("chaos", seed, played.fired.elements(), history, played.violations)
    where = f"seed {seed} at {commit()}: {', '.join(plan)}"
    assert played.violations == [], where
    assert played.leaks == [], where
    assert played.fired.keys() == set(plan), f"a fault was never fired: {where}"
    assert len(history.asked) >= ASKED_AT_LEAST
    posted = sum(answer.code is None for answer in history.final.values())
    assert posted > ASKED_AT_LEAST / POSTED_OF_ASKED, "too little was posted to prove anything"
    assert history.heal_to_drained_s <= DRAIN_LIMIT_S


def test_every_fault_of_the_menu_has_its_turn(chaos: Chaos) -> None:
    planned = {name for seed in CHAOS_SEEDS for name in chaos.plan(seed, CHAOS_FAULTS)}
    assert planned
    if CHAOS_FAULTS is None:
        assert planned == chaos.menu.keys()
