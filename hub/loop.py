"""The event loop we run on: uvloop where there is one, asyncio's own on Windows."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

if sys.platform == "win32":

    def run(main: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end."""
        return asyncio.run(main)

else:
    import uvloop

    def run(main: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end."""
        return uvloop.run(main)
