"""`python -m tests.peers.mailbox [--port N] [--http-port N] [--json-lines FILE]`; ends with SIGTERM or SIGINT."""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.peers.mailbox.catcher import Hooks, serve_smtp
from tests.peers.mailbox.faults import Faults
from tests.peers.mailbox.kept import Kept
from tests.peers.mailbox.pages import serve_pages


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    with ExitStack() as stack:
        path: Path | None = arguments.json_lines
        json_lines = stack.enter_context(path.open("w", encoding="utf-8")) if path is not None else None
        hooks = Hooks(Kept(json_lines), Faults())
        server, smtp_port = await serve_smtp(hooks, arguments.port)
        runner, http_port = await serve_pages(hooks, arguments.http_port)
        sys.stdout.write(json.dumps({"smtp_port": smtp_port, "http_port": http_port}) + "\n")
        sys.stdout.flush()
        await ended.wait()
        server.close()
        await runner.cleanup()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.mailbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="for SMTP; 0 takes a free one and prints it")
    parser.add_argument("--http-port", type=int, default=0, help="for GET /, /stats, /mails and POST /faults")
    parser.add_argument("--json-lines", type=Path, help="write a line for every mail taken")
    arguments = parser.parse_args()
    try:
        import uvloop  # noqa: PLC0415 - only where there is one
    except ImportError:
        asyncio.run(serve(arguments))
    else:
        uvloop.run(serve(arguments))


if __name__ == "__main__":
    main()
