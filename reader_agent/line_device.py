"""A card reader that gives one number a line, such as a bar-code reader on a serial line (POSIX)."""

import asyncio
import os
from pathlib import Path
from typing import Final

import structlog

from reader_agent.typed_numbers import TypedNumbers

LINE_LIMIT_BYTES: Final = 1_024
AGAIN_S: Final = 5.0
"""How long a device that went away is left alone."""

log = structlog.get_logger()


async def read_lines(device: Path, numbers: TypedNumbers) -> None:
    """Feed every line, for ever; a device that is not there is tried again."""
    while True:
        try:
            await _read(device, numbers)
        except OSError as error:
            log.warning("line_device_failed", error=type(error).__name__)
        await asyncio.sleep(AGAIN_S)


async def _read(device: Path, numbers: TypedNumbers) -> None:
    reader = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
    descriptor = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                # Too long for a number: the reader has dropped it.
                continue
            if not line:
                return
            numbers.feed(line.decode(errors="replace"))
    finally:
        transport.close()
