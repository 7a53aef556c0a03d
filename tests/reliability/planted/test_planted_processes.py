"""The same check over real processes is not blind either: some planted bugs, in both workers."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

import pytest

from tests.conftest import Admin, with_database
from tests.reliability.cluster import Cluster
from tests.reliability.planted.bugs import BUGS
from tests.waiting import wait_until

CASES: Final = {
    "ack_before_commit": "planted.answered:9",
    "no_inbox_mark": "mail.after_commit:2",
    "no_row_lock": "",
    "lost_emit": "",
}
"""The bug, and the failpoint that brings it to light."""
ASKED_AT_LEAST: Final = 300
REACHED_LIMIT_S: Final = 25.0
DRAIN_LIMIT_S: Final = 5.0
PLAYS_LIMIT: Final = 3
"""Chance decides what the killed worker had under way: one of these plays shows the bug."""

Made = Callable[[str], Cluster]


@pytest.fixture
def make(server_url: str, admin: Admin, template_database: str) -> Iterator[Made]:
    name = "mykey_planted"

    def made(planted: str) -> Cluster:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
        return Cluster(with_database(server_url, name), planted, answer_limit_s=4.0)

    yield made
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def play(cluster: Cluster, failpoint: str, seed: int) -> set[str]:
    await cluster.begin()
    armed, *_ = await cluster.have_workers(failpoint)
    enough: asyncio.Future[bool]
    if failpoint:
        enough = asyncio.ensure_future(wait_until(armed.is_dead, REACHED_LIMIT_S))
        cluster.history.faults += 1
    else:
        enough = asyncio.get_running_loop().create_future()
        enough.set_result(True)
    await cluster.load_until(enough, seed=seed, asked_at_least=ASKED_AT_LEAST)
    await enough
    await cluster.drain(DRAIN_LIMIT_S)
    return {violation.invariant for violation in await cluster.verdict()}


@pytest.mark.parametrize("name", CASES)
def test_a_planted_bug_is_caught(make: Made, name: str) -> None:
    seen: list[set[str]] = []
    for seed in range(1, PLAYS_LIMIT + 1):
        with closing(make(name)) as cluster:
            seen.append(cluster.run(play(cluster, CASES[name], seed)))
        if BUGS[name].caught_by & seen[-1]:
            return
    pytest.fail(f"{name}: the checker saw {seen}, nothing of {sorted(BUGS[name].caught_by)}")
