"""What lies between agents and hubs in the tests: a process to be killed, and an address that leads to any of two."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Self

from tests.connectors.terminal.agents import HOST
from tests.connectors.terminal.terminal_process import FURTHER

ROOT: Final = Path(__file__).parents[3]
START_LIMIT_S: Final = 60.0
CHUNK_BYTES: Final = 64 * 1024


class TerminalProcess:
    """A hub process of its own."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, database_url: str, port: int, origin: str, components: Sequence[str], **settings: str) -> Self:
        """Started and serving."""
        environment = {**os.environ, FURTHER: json.dumps(settings)}
        arguments = ["-m", "tests.connectors.terminal.terminal_process", database_url, str(port), origin, *components]
        started = cls(
            await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdin=PIPE, stdout=PIPE, cwd=ROOT, env=environment
            )
        )
        await started._line()
        return started

    async def resident_kib(self) -> int:
        """What it holds in memory now."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        return await self._line()

    async def kill(self) -> None:
        """At once, if it is still there."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def _line(self) -> int:
        assert self.process.stdout is not None
        async with asyncio.timeout(START_LIMIT_S):
            return int(await self.process.stdout.readline())


@asynccontextmanager
async def leading_to(port: int, targets: Sequence[int]) -> AsyncIterator[None]:
    """Connections to `port` go to the first of the targets that takes them."""

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for target in targets:
            with suppress(OSError):
                there = await asyncio.open_connection(HOST, target)
                await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
                return
        writer.close()

    async with await asyncio.start_server(lead, HOST, port):
        yield


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()
