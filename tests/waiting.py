"""Waiting for something to become true, instead of sleeping and hoping."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, overload

T = TypeVar("T")

_POLL_INTERVAL_S = 0.01
_TRIES = 3

PATIENCE: Final = "MYKEY_TEST_PATIENCE"
"""How many times longer than on a machine of its own a test may wait, where several share one; 1 if not said."""
_PATIENCE: Final = float(os.environ.get(PATIENCE, "1"))


@overload
async def wait_until(condition: Callable[[], Awaitable[T]], deadline_s: float = 15.0, every_s: float = ...) -> T: ...
@overload
async def wait_until(condition: Callable[[], T], deadline_s: float = 15.0, every_s: float = ...) -> T: ...
async def wait_until(
    condition: Callable[[], T | Awaitable[T]], deadline_s: float = 15.0, every_s: float = _POLL_INTERVAL_S
) -> T:
    """Ask until the answer is true, and return it.

    Args:
        condition: a function, plain or async, that says what is waited for; it is asked every `every_s`.
        deadline_s: how long, in seconds of a machine of its own.
        every_s: in seconds; longer than 10 ms for what counts how often it is asked.

    Raises:
        TimeoutError: it did not become true in time; the message names the condition.
    """
    give_up = time.monotonic() + deadline_s * _PATIENCE
    while True:
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > give_up:
            name = getattr(condition, "__qualname__", repr(condition))
            raise TimeoutError(f"{name} did not become true within {deadline_s} s: it last said {value!r}")
        await asyncio.sleep(every_s)


async def quick_enough(limit_s: float, measure: Callable[[], Awaitable[float]]) -> None:
    """What is measured, in seconds, is below the limit. The machine may be busy just then, not three times in a row.

    Raises:
        AssertionError: it took too long each time; with what it took.
    """
    took_s: list[float] = []
    while len(took_s) < _TRIES:
        took_s.append(await measure())
        if took_s[-1] < limit_s:
            return
    raise AssertionError(f"{limit_s} s are too little: {took_s}")
