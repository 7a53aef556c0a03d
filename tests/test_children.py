"""A program that does not end is killed, and the test that started it fails."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from typing import Final

import pytest

from tests.children import ended, stopped

STUBBORN: Final = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("there", flush=True)
signal.pause()
"""
OBEDIENT: Final = STUBBORN.replace("SIG_IGN", "SIG_DFL")


async def started(program: str) -> Process:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"there\n"
    return process


async def test_one_that_ends_when_told_to_is_not_killed() -> None:
    process = await started(OBEDIENT)

    assert await stopped(process) == -15
    assert await stopped(process) == -15, "it has ended already"


async def test_one_that_does_not_end_is_killed_and_told_of() -> None:
    for end in (ended, stopped):
        process = await started(STUBBORN)
        with pytest.raises(TimeoutError):
            await end(process, 0.2)
        assert process.returncode == -9


async def test_one_that_a_cancelled_test_waits_for_is_killed_too() -> None:
    process = await started(STUBBORN)
    waiting = asyncio.create_task(ended(process, 60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert process.returncode == -9
