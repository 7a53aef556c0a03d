"""The airline asks what it moved in during a period: `python -m tests.peers.airline.settlement …`, one line of JSON."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.peers.airline.client import Hub, RefusedError, session
from tests.peers.airline.signing import Signer, load_key


async def ask(options: argparse.Namespace) -> dict[str, Any]:
    """The hub's answer."""
    async with session() as http:
        hub = Hub(http, options.url, Signer(options.key_id, load_key(options.key_file)))
        return await hub.settlement(options.first, options.last)


def main() -> int:
    """The exit status: 0 when there was an answer."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.airline.settlement", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key-file", required=True, type=Path)
    parser.add_argument("--key-id", required=True)
    parser.add_argument("--first", required=True, help="such as 2017-11-01")
    parser.add_argument("--last", required=True)
    try:
        answer = asyncio.run(ask(parser.parse_args()))
    except RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
