"""A process ends when its work has, whatever a library has left behind."""

import subprocess
import sys
from typing import Final

ENDS_WITHIN_S: Final = 30.0

LEAVES_A_TASK: Final = """
import asyncio
from hub import loop

async def left() -> None:
    for _ in range(2):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("cancelled")

async def work() -> str:
    global kept
    kept = asyncio.create_task(left())
    await asyncio.sleep(0)
    return "done"

print(loop.run(work()))
"""

FAILS: Final = """
from hub import loop

async def work() -> None:
    raise KeyError("a defect")

loop.run(work())
"""


def ended(program: str) -> "subprocess.CompletedProcess[str]":
    """A process of its own: one that does not end would keep the tests, too."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False)


def test_what_swallows_a_cancellation_keeps_no_process() -> None:
    assert ended(LEAVES_A_TASK).stdout.split() == ["cancelled", "cancelled", "done"]


def test_an_error_comes_out_as_it_is() -> None:
    assert "KeyError: 'a defect'" in ended(FAILS).stderr
