"""What is done for whoever asked, and for nobody else: it ends when they hang up."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiohttp import web

LOOK_EVERY_S: Final = 0.25

Result = TypeVar("Result")


async def while_there(request: web.Request, doing: Coroutine[Any, Any, Result]) -> Result:
    """What comes of it. Raises ConnectionResetError where whoever asked is gone: then it has been cancelled."""
    task = asyncio.ensure_future(doing)
    try:
        while not task.done():
            if request.transport is None:
                raise ConnectionResetError("client gone")
            await asyncio.wait([task], timeout=LOOK_EVERY_S)
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
