"""Jobs at the agent: one at a time, each within its limit, each answered once."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from reader_agent.job_runner import JobRunner, Result
from schemas.uplink import (
    CardJob,
    CardResult,
    Job,
    NotifyJob,
    NotifyResult,
    NumberJob,
    NumberResult,
    Outcome,
    ReleaseJob,
)
from tests.reader_agent.desk import MemoryDesk, NoPinPad
from tests.reader_agent.no_merges import NoMerges
from tests.waiting import wait_until

ORIGIN = "https://hub.example"
TERMINAL = "T232343ABCDEF"


class Bench:
    """A runner, and what it says."""

    def __init__(self, desk: MemoryDesk) -> None:
        self.desk = desk
        self.said: list[Result] = []
        self.runner = JobRunner(desk, NoPinPad(), desk, NoMerges(), ORIGIN, TERMINAL, self._say)

    async def _say(self, result: Result) -> None:
        self.said.append(result)

    async def answers(self, count: int = 1) -> list[Outcome]:
        """How the jobs ended, in the order of their answers."""
        await wait_until(lambda: len(self.said) == count)
        return [one.outcome for one in self.said]


def card(**changes: Any) -> CardJob:  # noqa: ANN401 - the fields of the job
    return CardJob(**{"job_id": uuid4(), "limit_s": 5, "purpose": "test", "nonce": bytes(32), **changes})


def number(limit_s: float = 5) -> NumberJob:
    return NumberJob(job_id=uuid4(), limit_s=limit_s)


def notify(limit_s: float = 5) -> NotifyJob:
    return NotifyJob(job_id=uuid4(), limit_s=limit_s, number="A1", method="keyboard")


def release() -> ReleaseJob:
    return ReleaseJob(job_id=uuid4(), limit_s=5)


@pytest.mark.parametrize("job", [card(), number(), notify(), release()], ids=lambda job: job.kind)
async def test_each_job_is_done_and_answered_by_its_own_id(job: Job) -> None:
    bench = Bench(MemoryDesk())
    bench.runner.take(job)
    assert await bench.answers() == [Outcome.done]
    assert bench.said[0].job_id == job.job_id
    expected = {"card": CardResult, "number": NumberResult, "notify": NotifyResult, "release": CardResult}
    assert type(bench.said[0]) is expected[job.kind]


async def test_a_card_signs_for_this_hub_and_this_terminal_alone() -> None:
    bench, job = Bench(MemoryDesk()), card()
    bench.runner.take(job)
    await bench.answers()
    assert bench.desk.asked == [(job, ORIGIN, TERMINAL)]


async def test_there_is_one_desk() -> None:
    bench = Bench(MemoryDesk(waits=True))
    for job in (card(), card(), number(), notify(), notify()):
        bench.runner.take(job)
    assert await bench.answers(3) == [Outcome.busy] * 3
    assert sorted(bench.desk.done) == ["A1", "prove"]
    await bench.runner.close()


async def test_a_job_ends_with_its_limit() -> None:
    bench = Bench(MemoryDesk(waits=True))
    bench.runner.take(card(limit_s=0.05))
    assert await bench.answers() == [Outcome.expired]
    assert bench.desk.done == ["prove", "release"]
    bench.runner.take(number(limit_s=0.05))
    bench.runner.take(notify(limit_s=0.05))
    assert await bench.answers(3) == [Outcome.expired] * 3


async def test_a_job_whose_time_is_over_is_not_begun() -> None:
    bench = Bench(MemoryDesk())
    await bench.runner._releasing.acquire()
    bench.runner.take(card(limit_s=0.01))
    await asyncio.sleep(0.02)
    bench.runner._releasing.release()
    assert await bench.answers() == [Outcome.expired]
    assert bench.desk.done == []


async def test_a_release_ends_what_is_asked_and_leaves_the_desk_free() -> None:
    bench = Bench(MemoryDesk(waits=True))
    bench.runner.take(card())
    await wait_until(lambda: bench.desk.asked)
    bench.runner.take(release())
    bench.desk.waits = False
    bench.runner.take(card())
    assert sorted(await bench.answers(3)) == [Outcome.cancelled, Outcome.done, Outcome.done]
    assert bench.desk.done[-1] == "prove"
    assert "release" in bench.desk.done


async def test_a_desk_that_breaks_is_an_outcome() -> None:
    bench = Bench(MemoryDesk(fails=True))
    with capture_logs() as logged:
        bench.runner.take(card())
        assert await bench.answers(1) == [Outcome.reader_failed]
        bench.runner.take(notify())
        assert await bench.answers(2) == [Outcome.reader_failed, Outcome.not_handed_on]
    assert {line["event"] for line in logged} == {"job_failed"}
    assert "1234" not in str(logged)


async def test_what_a_lost_connection_breaks_off_is_not_answered_and_the_card_forgets_its_pin() -> None:
    bench = Bench(MemoryDesk(waits=True))
    for job in (card(), notify()):
        bench.runner.take(job)
    await wait_until(lambda: len(bench.desk.done) == 2)
    async with asyncio.timeout(15):
        await bench.runner.close()
    assert bench.said == []
    assert bench.desk.done[-1] == "release"
