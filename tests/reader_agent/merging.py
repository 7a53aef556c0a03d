"""`python -m tests.reader_agent.merging --folder DIR`: a street's terminal with a merge folder, for the story.

It is the real agent's uplink and merge folder, without a card. It reads one line as `tests.reader_agent.virtual` does,
prints a line once its terminals are connected, and ends with its input.
"""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import structlog
from aiohttp import ClientSession

from reader_agent.files.merge_folder import MergeDrop
from tests.reader_agent.card.in_memory import in_memory_desk
from tests.reader_agent.virtual import CONNECT_TIMEOUT_S, Given, Terminal, say


async def _main(folder: Path) -> None:
    given = Given.model_validate_json(await asyncio.to_thread(sys.stdin.readline))
    (one,) = given.terminals
    terminal, merges = Terminal(one, given.hub_url), MergeDrop(folder / "drop", folder / "agent")
    async with ClientSession() as client, in_memory_desk() as (desk, _), asyncio.TaskGroup() as group:
        who = await terminal.enrol(client)
        tasks = [group.create_task(terminal.run(who, desk, merges)), group.create_task(merges.run())]
        await asyncio.wait_for(terminal.is_on.wait(), CONNECT_TIMEOUT_S)
        say(connected=1)
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(_main(parser.parse_args().folder))
