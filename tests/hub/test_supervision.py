"""Loops that must not end are begun again, and a failed one is told in the log."""

import asyncio

import pytest
import structlog

from hub import supervision
from hub.supervision import end_tasks, for_ever, tell_failure
from tests.waiting import wait_until


@pytest.mark.parametrize("error", [KeyError("a defect"), None])
async def test_a_loop_that_ends_is_told_and_begun_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    monkeypatch.setattr(supervision, "RESTART_PAUSE_S", 0.0)
    begun: list[int] = []

    async def loop() -> None:
        begun.append(1)
        if len(begun) == 3:
            await asyncio.Event().wait()
        if error is not None:
            raise error

    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(for_ever("looking", loop))
        await wait_until(lambda: len(begun) == 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert [(one["event"], one["loop"]) for one in logs] == [("loop_failed", "looking")] * 2
    assert task.cancelled()


async def test_cancelling_ends_the_loop_too() -> None:
    ended = asyncio.Event()

    async def loop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(for_ever("looking", loop))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert ended.is_set()


async def test_a_failed_task_tells_so_and_a_cancelled_one_does_not() -> None:
    async def fail() -> None:
        raise KeyError

    with structlog.testing.capture_logs() as logs:
        failed = asyncio.create_task(fail())
        failed.add_done_callback(tell_failure("mail.3"))
        cancelled = asyncio.create_task(asyncio.sleep(10))
        cancelled.add_done_callback(tell_failure("mail.4"))
        cancelled.cancel()
        await asyncio.gather(failed, cancelled, return_exceptions=True)
        await asyncio.sleep(0)

    assert [(one["event"], one["task"]) for one in logs] == [("task_failed", "mail.3")]


async def test_what_swallows_a_cancellation_is_ended_by_the_next() -> None:
    swallowed: list[int] = []

    async def loop() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(swallowed) == 2:
                    raise
                swallowed.append(1)

    task = asyncio.create_task(for_ever("made up", loop))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await end_tasks([task], 0.01)

    assert task.cancelled()
    assert len(swallowed) == 2
