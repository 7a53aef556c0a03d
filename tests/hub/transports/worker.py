"""A hub process of its own, to be killed: `python -m tests.hub.transports.worker URL SETTINGS COMPONENT…`.

A message or call with 999 points keeps its handler waiting for ever.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from hub.component import Installed
from hub.serving import until_told_to_stop
from hub.transaction import Transaction
from hub.transports import lanes
from tests.hub.parts import at_work, fake, record

SHORT: Final = {"LEASE_S": 2.0, "RENEW_S": 0.5}
"""Constants of hub.transports.lanes, as the tests have them."""
ENDLESS: Final = 999
START_LIMIT_S: Final = 20
_ROOT: Final = Path(__file__).parents[3]


@asynccontextmanager
async def worker(
    database_url: str, transport: dict[str, object], *components: str
) -> AsyncIterator["asyncio.subprocess.Process"]:
    """The process, once it is at work; it is killed at the end, if it still lives."""
    arguments = ["-m", "tests.hub.transports.worker", database_url, json.dumps(transport), *components]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, cwd=_ROOT, env={"PATH": os.environ["PATH"]}
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_LIMIT_S)
        assert line == b"at work\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _endless(name: str) -> Installed:
    async def handle(messages: Sequence[Any], tx: Transaction) -> Sequence[BaseModel] | None:
        answers = await record(name, messages, tx)
        if any(getattr(message, "points", 0) == ENDLESS for message in messages):
            await asyncio.Event().wait()
        return answers

    return fake(name, handle)


def hasten() -> None:
    """Let leases be short in this program, so that a test need not wait for long."""
    vars(lanes).update(SHORT)


async def _main(database_url: str, transport: str, components: Sequence[str]) -> None:
    hasten()
    async with at_work(database_url, *map(_endless, components), **json.loads(transport)):
        sys.stdout.write("at work\n")
        sys.stdout.flush()
        await until_told_to_stop()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], sys.argv[3:]))
