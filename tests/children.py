"""Programs that a test has started: none outlives it, whatever becomes of the test or of the program."""

import asyncio
from asyncio.subprocess import Process
from typing import Final

STOP_LIMIT_S: Final = 45.0
"""A hub gives itself 30 s (hub.process.STOP_LIMIT_S)."""


async def ended(process: Process, limit_s: float) -> int:
    """Its exit status. Raises TimeoutError: it did not end by itself in time, and was killed."""
    try:
        async with asyncio.timeout(limit_s):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def stopped(process: Process, limit_s: float = STOP_LIMIT_S) -> int:
    """The same, of one that is told to end, where it has not ended already."""
    if process.returncode is None:
        process.terminate()
    return await ended(process, limit_s)
