"""`python -m tests.peers.library [--port N] [--patron NUMBER=NAME …] [--login USER=PASSWORD]`; ends with SIGTERM."""

import argparse
import asyncio
import json
import signal
import sys

from tests.peers.library.server import Library, serve


async def run(arguments: argparse.Namespace) -> None:
    """Serve until told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    library = Library(
        patrons=dict(arguments.patron),
        institution=arguments.institution,
        charset=arguments.charset,
        logins=dict(arguments.login),
    )
    server = await serve(library, arguments.port)
    sys.stdout.write(json.dumps({"sip2_port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await ended.wait()
    server.close()


def pair(text: str) -> list[str]:
    """`A=B`."""
    left, _, right = text.partition("=")
    return [left, right]


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.library", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="for SIP2; 0 takes a free one and prints it")
    parser.add_argument("--patron", type=pair, action="append", default=[], metavar="NUMBER=NAME")
    parser.add_argument("--login", type=pair, action="append", default=[], metavar="USER=PASSWORD")
    parser.add_argument("--institution", default="LIB130001")
    parser.add_argument("--charset", default="utf-8")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
