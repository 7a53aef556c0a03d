"""Layer 2: a worker is killed (SIGKILL) at every failpoint, at its nth pass, with two workers and callers that go on.

Rerun one case: `python -m pytest tests/reliability/test_failpoints.py -k ledger.before_commit-3`.
"""

import asyncio
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import Admin, with_database
from tests.rabbitmq import Broker
from tests.reliability.cluster import POSTED_OF_ASKED, ROOT, Cluster
from tests.reliability.failpoints import DOORS, EARLY, ELSEWHERE, OVER_BROKER, POINTS
from tests.reliability.report import REPORT, commit
from tests.reliability.sizes import BROKER_PASSES, BROKER_POINTS, PASSES
from tests.waiting import wait_until

ASKED_AT_LEAST: Final = 120
REACHED_LIMIT_S: Final = 25.0
CASES: Final = [(point, n) for point in POINTS for n in (PASSES if point not in EARLY else (1,))]
BROKER_CASES: Final = [(point, n) for point in OVER_BROKER[:BROKER_POINTS] for n in BROKER_PASSES]
AFTER: Final = {
    (by, *case): f"{point}:{n}"
    for by, cases in (("", CASES), ("broker-", BROKER_CASES))
    for case, (point, n) in pairwise([*cases, cases[0]])
}
"""The failpoint of the case after each."""
REACH: Final = re.compile(r'failpoints\.reach\((f?)"([^"]+)"\)')


@contextmanager
def started(server_url: str, admin: Admin, template_database: str, amqp_url: str = "") -> Iterator[Cluster]:
    """A cluster on a database of its own."""
    name = "mykey_failpoints_by_broker" if amqp_url else "mykey_failpoints"
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
    made = Cluster(with_database(server_url, name), amqp_url=amqp_url)
    yield made
    made.close()
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def cluster(server_url: str, admin: Admin, template_database: str) -> Iterator[Cluster]:
    """Started once for all cases."""
    with started(server_url, admin, template_database) as made:
        yield made


@pytest.fixture(scope="module")
def cluster_by_broker(server_url: str, admin: Admin, template_database: str, broker: Broker) -> Iterator[Cluster]:
    """The same, over RabbitMQ."""
    if not broker.is_running:
        broker.start()
    with broker.fresh_vhost() as vhost, started(server_url, admin, template_database, broker.url(vhost=vhost)) as made:
        yield made


async def play(cluster: Cluster, point: str, n: int) -> None:
    """Load, kill, heal, drain, read, check."""
    by = "broker-" if cluster.amqp_url else ""
    await cluster.begin()
    armed, *_ = await cluster.have_workers(f"{point}:{n}")
    reached = asyncio.ensure_future(wait_until(armed.is_dead, REACHED_LIMIT_S))
    await cluster.load_until(reached, seed=n, asked_at_least=ASKED_AT_LEAST)
    await reached
    assert armed.process.returncode == -signal.SIGKILL, "the failpoint was never reached"
    cluster.history.faults += 1
    await cluster.prepare(AFTER[by, point, n])
    await cluster.drain()
    violations = await cluster.verdict()
    REPORT.add("failpoints", n, [f"{by}{point}"], cluster.history, violations)
    rerun = f"python -m pytest tests/reliability/test_failpoints.py -k {by}{point}-{n}"
    assert violations == [], f"{point}:{n} at {commit()}, seed {n}; rerun: {rerun}"
    assert len(cluster.history.asked) >= ASKED_AT_LEAST
    posted = sum(answer.code is None for answer in cluster.history.final.values())
    assert posted > ASKED_AT_LEAST / POSTED_OF_ASKED, "too little was posted to prove anything"


@pytest.mark.parametrize("point, n", CASES, ids=[f"{point}-{n}" for point, n in CASES])
def test_a_worker_killed_here_loses_nothing_and_doubles_nothing(cluster: Cluster, point: str, n: int) -> None:
    cluster.run(play(cluster, point, n))


@pytest.mark.parametrize("point, n", BROKER_CASES, ids=[f"broker-{point}-{n}" for point, n in BROKER_CASES])
def test_a_worker_killed_here_loses_and_doubles_nothing_over_rabbitmq(
    cluster_by_broker: Cluster, point: str, n: int
) -> None:
    cluster_by_broker.run(play(cluster_by_broker, point, n))


def test_every_failpoint_in_the_code_is_in_the_list() -> None:
    named = {(match[1], match[2]) for file in _code() for match in REACH.finditer(file.read_text(encoding="utf-8"))}
    literal = {name for formatted, name in named if not formatted}
    assert literal <= {*POINTS, *OVER_BROKER, *DOORS, *ELSEWHERE}
    endings = {name.rpartition("}")[2] for formatted, name in named if formatted}
    for ending in endings:
        assert any(point.endswith(ending) for point in POINTS), ending
    for test_folder in ELSEWHERE.values():
        assert (ROOT / test_folder).is_dir()


def _code() -> Iterator[Path]:
    for folder in ("hub", "workers", "connectors"):
        yield from (ROOT / folder).rglob("*.py")
