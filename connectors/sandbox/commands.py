"""`mykey-hub sandbox`: a whole hub with made-up people, for partners, shops and funds to try their programs out."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from connectors.sandbox.hosting import sandbox
from hub import logs, loop, printing
from hub.errors import HubError
from hub.serving import until_told_to_stop

PORT: Final = 8090


def main(arguments: Sequence[str]) -> int:
    """A whole hub with made-up people, to try programs out.

    Exit status 0 once it was told to stop, 1 where it does not start, 2 for a wrong call.
    """
    parser = argparse.ArgumentParser(prog="mykey-hub sandbox", description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="live in this folder; else all is gone at the end")
    parser.add_argument("--port", type=int, default=PORT, help=f"{PORT}, if not said otherwise")
    options = parser.parse_args(arguments)
    logs.configure("warning")
    console = printing.console()
    try:
        loop.run(_stay(options, console))
    except (HubError, OSError) as error:
        console.print(f"{type(error).__name__}: {error}")
        return 1
    return 0


async def _stay(options: argparse.Namespace, console: Console) -> None:
    kept = None if options.keep is None else options.keep.absolute()
    async with sandbox(kept, options.port) as url:
        console.print(f"sandbox:  {url}")
        console.print(f"API:      {url}/api/")
        console.print(f"My Page:  {url}/")
        console.print("It stays up until Ctrl-C; docs/partners.md goes on from here.")
        await until_told_to_stop()
