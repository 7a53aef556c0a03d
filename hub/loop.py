"""The event loop: uvloop where there is one, asyncio's own on Windows; how it ends; and how garbage is collected."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from hub.supervision import end_tasks

Result = TypeVar("Result")

CANCEL_AGAIN_S: Final = 0.5
"""What is left when all has ended has nothing more to say."""

COLLECT_AFTER: Final = (50_000, 20, 100)
"""A batch makes tens of thousands of small objects that are freed by counting; at Python's own 700 the collector would
walk them over and over and find nothing. Measured on files of transfers: a quarter of the processor time."""


def tune_collector() -> None:
    """Leave alone what was loaded at start, and look less often for circles among what is new."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def _and_what_is_left(main: Coroutine[Any, Any, Result]) -> Result:
    """Python itself cancels what is left once, and waits for ever for what has swallowed that."""
    try:
        return await main
    finally:
        await end_tasks(asyncio.all_tasks() - {asyncio.current_task()}, CANCEL_AGAIN_S)


if sys.platform == "win32":

    def run(main: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end."""
        tune_collector()
        return asyncio.run(_and_what_is_left(main))

else:
    import uvloop

    def run(main: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end."""
        tune_collector()
        return uvloop.run(_and_what_is_left(main))
