"""Jobs run in one process at a time, again after a fault, and elsewhere after a stop."""

import asyncio
from contextlib import AsyncExitStack

import pytest
import structlog

from hub.component import Job
from hub.errors import TransientError
from hub.transports import jobs, lanes
from tests.hub.parts import Probe, fake
from tests.hub.transports.conftest import Start
from tests.hub.transports.worker import SHORT
from tests.waiting import wait_until

TAKE_AWAY = """
UPDATE hub.lane SET owner = gen_random_uuid(), epoch = epoch + 1, lease_until = now() + $2 * interval '1 s'
WHERE receiver = $1
"""


@pytest.fixture(autouse=True)
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SHORT.items():
        monkeypatch.setattr(lanes, name, value)


class Ticks:
    """A job that counts its runs by process, and how many run at once."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.now = self.most = 0

    def job(self, process: str, every_s: float = 0.01) -> Job:
        async def run() -> None:
            self.runs.append(process)
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await asyncio.sleep(0.02)
            finally:
                self.now -= 1

        return Job("tick", every_s, run)


async def test_a_job_runs_again_and_again(start: Start) -> None:
    ticks = Ticks()
    async with start(fake("mail", jobs=[ticks.job("a")])):
        await wait_until(lambda: len(ticks.runs) >= 5)


async def test_a_job_runs_in_one_process_at_a_time(start: Start) -> None:
    ticks = Ticks()
    async with start(fake("mail", jobs=[ticks.job("a")])):
        await wait_until(lambda: len(ticks.runs) >= 3)
        async with start(fake("mail", jobs=[ticks.job("b")])):
            await wait_until(lambda: len(ticks.runs) >= 20)
            assert set(ticks.runs) == {"a"}
    assert ticks.most == 1


async def test_when_its_process_stops_a_job_goes_on_in_another(start: Start) -> None:
    ticks = Ticks()
    async with AsyncExitStack() as first:
        await first.enter_async_context(start(fake("mail", jobs=[ticks.job("a")])))
        await wait_until(lambda: ticks.runs)
        async with start(fake("mail", jobs=[ticks.job("b")])):
            await first.aclose()
            await wait_until(lambda: "b" in ticks.runs)

    assert ticks.most == 1


@pytest.mark.parametrize("error", [TransientError("not now"), KeyError("a defect")])
async def test_a_job_that_failed_runs_again(start: Start, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(jobs, "RETRY_S", 0.01)
    runs: list[int] = []

    async def run() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise error

    with structlog.testing.capture_logs() as logs:
        async with start(fake("mail", jobs=[Job("tick", 3600.0, run)])):
            await wait_until(lambda: len(runs) == 3)
    failed = [one for one in logs if one["event"] == "job_failed"]
    assert [one.get("exc_info") for one in failed] == [None if isinstance(error, TransientError) else error] * 2
    assert "not now" in {one.get("detail") for one in failed} or not isinstance(error, TransientError)


@pytest.mark.parametrize(
    "every_s,waits_s",
    [(0.25, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]), (3600.0, [10.0, 10.0]), (4.0, [4.0, 8.0, 10.0])],
)
def test_a_job_that_fails_again_and_again_waits_longer_and_longer(every_s: float, waits_s: list[float]) -> None:
    assert [jobs.retry_after_s(every_s, failures) for failures in range(1, len(waits_s) + 1)] == waits_s
    assert jobs.retry_after_s(every_s, 1_000_000) == jobs.RETRY_S


class Endless:
    """A job that runs until it is stopped, takes a moment to put things away, and counts its beginnings and ends."""

    def __init__(self) -> None:
        self.began = self.stopped = 0

    async def run(self) -> None:
        self.began += 1
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            self.stopped += 1


async def test_a_job_is_stopped_when_its_lease_is_lost(start: Start, probe: Probe) -> None:
    job = Endless()
    async with start(fake("mail", jobs=[Job("tick", 1.0, job.run)])):
        await wait_until(lambda: job.began)
        await probe.connection.execute(TAKE_AWAY, "mail.job.tick", SHORT["LEASE_S"])
        await wait_until(lambda: job.stopped)
        assert job.began == 1


async def test_a_job_is_stopped_when_its_lease_runs_out_while_postgresql_does_not_answer(
    start: Start, probe: Probe
) -> None:
    job = Endless()
    async with start(fake("mail", jobs=[Job("tick", 1.0, job.run)])):
        await wait_until(lambda: job.began)
        async with probe.connection.transaction():
            await probe.connection.execute("LOCK TABLE hub.lane")
            await wait_until(lambda: job.stopped, SHORT["LEASE_S"] + 1.0)
            assert job.began == 1
        await wait_until(lambda: job.began == 2)


async def test_a_job_begins_anew_when_its_lease_was_lost_and_won_again_at_once(start: Start, probe: Probe) -> None:
    job = Endless()
    async with start(fake("mail", jobs=[Job("tick", 1.0, job.run)])):
        await wait_until(lambda: job.began)
        await probe.connection.execute(TAKE_AWAY, "mail.job.tick", -1.0)
        await wait_until(lambda: job.began == 2)
        assert job.stopped == 1


async def test_a_job_that_swallows_a_cancellation_ends_by_the_next(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CANCEL_AGAIN_S", 0.05)
    swallowed: list[int] = []
    begun = asyncio.Event()

    async def run() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.append(1)
            await asyncio.Event().wait()

    with structlog.testing.capture_logs() as logs:
        async with start(fake("mail", jobs=[Job("tick", 0.01, run)])):
            await begun.wait()
    assert swallowed == [1]
    assert "stop_limit_reached" not in {one["event"] for one in logs}
