"""The event loop we run on: uvloop where there is one, asyncio's own on Windows; and how garbage is collected."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

COLLECT_AFTER: Final = (50_000, 20, 100)
"""A batch makes tens of thousands of small objects that are freed by counting; at Python's own 700 the collector would
walk them over and over and find nothing. Measured on files of transfers: a quarter of the processor time."""


def tune_collector() -> None:
    """Leave alone what was loaded at start, and look less often for circles among what is new."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


if sys.platform == "win32":

    def run(main: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end."""
        tune_collector()
        return asyncio.run(main)

else:
    import uvloop

    def run(main: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end."""
        tune_collector()
        return uvloop.run(main)
