"""A terminal's agent without a card reader, as a process: `python -m tests.connectors.street.agent_process JSON`."""

import asyncio
import json
import logging
import sys
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reader_agent.files.merge_folder import MergeDrop
from reader_agent.uplink import Uplink
from tests.connectors.terminal.agents import Terminal
from tests.reader_agent.desk import MemoryDesk, NoPinPad
from tests.reader_agent.test_uplink import QUICK, who_is


async def main(told: str) -> None:
    """Until it is killed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    found = json.loads(told)
    terminal = Terminal(
        terminal_id=found["terminal_id"],
        key=Ed25519PrivateKey.from_private_bytes(bytes.fromhex(found["key"])),
        fingerprint=bytes.fromhex(found["fingerprint"]),
        values={name: bytes.fromhex(one) for name, one in found["values"].items()},
        origin=found["origin"],
    )
    folder = Path(found["folder"])
    merges, desk = MergeDrop(folder / "drop", folder / "own"), MemoryDesk()
    uplink = Uplink(who_is(terminal), desk, NoPinPad(), desk, merges, lambda _: None, pauses=QUICK)
    async with asyncio.TaskGroup() as group:
        group.create_task(uplink.run())
        group.create_task(merges.run())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
