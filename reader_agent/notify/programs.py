"""Small programs of the system that take what they are to do from their standard input."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from reader_agent.notify.errors import NotHandedOnError

PROGRAM_LIMIT_S: Final = 10.0


def first_there(*choices: Sequence[str]) -> Sequence[str]:
    """The first command whose program is installed. Raises NotHandedOnError."""
    for command in choices:
        if shutil.which(command[0]) is not None:
            return command
    raise NotHandedOnError(f"none of {', '.join(command[0] for command in choices)} is installed")


async def run(command: Sequence[str], text: str = "", *, told: bool = False) -> str:
    """Run it to its end; what it says where that is `told`. Raises NotHandedOnError."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE if told else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise NotHandedOnError(os.path.basename(command[0])) from error  # noqa: PTH119 - a word, not a path
    try:
        async with asyncio.timeout(PROGRAM_LIMIT_S):
            said, _ = await process.communicate(text.encode())
    except TimeoutError as error:
        raise NotHandedOnError(f"{command[0]} did not end") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        raise NotHandedOnError(f"{command[0]} failed")
    return (said or b"").decode(errors="replace")
