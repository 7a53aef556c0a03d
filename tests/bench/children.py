"""Processes of a measurement: each gets its job as JSON, says when it is ready, is told to go, says what came of it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT: Final = Path(__file__).parent.parent.parent
LINE_LIMIT_BYTES: Final = 1 << 20
READY_LIMIT_S: Final = 180.0
RESULT_LIMIT_S: Final = 600.0


class Child:
    """One process, `python -m tests.bench.<module> <json of the job>`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str, job: "DataclassInstance") -> Self:
        """Start it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"tests.bench.{module}", json.dumps(asdict(job)),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_LIMIT_BYTES, cwd=ROOT,
        )  # fmt: skip
        return cls(process)

    async def ready(self) -> Any:  # noqa: ANN401 - whatever it says
        """Wait until it is ready; returns what it says then."""
        return await self._line(READY_LIMIT_S)

    def go(self) -> None:
        """Tell it to begin, or to end."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    async def result(self, limit_s: float = RESULT_LIMIT_S) -> Any:  # noqa: ANN401 - whatever it says
        """Wait for its end; returns what it says then."""
        result = await self._line(limit_s)
        await self._process.wait()
        return result

    async def end(self) -> None:
        """Make sure that it is gone."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _line(self, limit_s: float) -> Any:  # noqa: ANN401 - whatever it says
        assert self._process.stdout is not None
        async with asyncio.timeout(limit_s):
            line = await self._process.stdout.readline()
        if not line:
            raise ChildFailedError(f"a process ended early, status {await self._process.wait()}")
        return json.loads(line)


class ChildFailedError(Exception):
    """A process of a measurement ended before it had said what came of it; its own message stands above."""


@asynccontextmanager
async def started(module: str, jobs: "Iterable[DataclassInstance]") -> AsyncIterator[list[Child]]:
    """One for each job, gone at the end."""
    async with AsyncExitStack() as stack:
        children: list[Child] = []
        for job in jobs:
            child = await Child.start(module, job)
            stack.push_async_callback(child.end)
            children.append(child)
        yield children


async def run_together(children: "list[Child]") -> list[Any]:
    """All ready, then all at once; returns what came of each."""
    try:
        for child in children:
            await child.ready()
        for child in children:
            child.go()
        return [await child.result() for child in children]
    finally:
        for child in children:
            await child.end()


def say(value: object) -> None:
    """In a child: one line to whoever started us."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def told() -> None:
    """In a child: wait for the word. A parent that is gone counts as one."""
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), heard.set)
    await heard.wait()
    loop.remove_reader(sys.stdin.fileno())
    sys.stdin.readline()


def tally(counts: dict[str, int], name: str, by: int = 1) -> None:
    """Count; a plain dict, because `asdict` and JSON take no Counter."""
    counts[name] = counts.get(name, 0) + by
