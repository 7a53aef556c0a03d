"""Library systems for tests: the simulator as a process, and some that misbehave in the test's own process."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from connectors.library import sip2
from schemas.libraries import LibrarySite

HOST: Final = "127.0.0.1"
ISSUER: Final = "130001"
KNOWN, UNKNOWN = "180000000011", "999999999999"
PATRONS: Final = {KNOWN: "ヤマダ タロウ", "180000000029": "Suzuki Hanako"}
LOGIN, PASSWORD = "term1", "opensesame-4711"
STOP_TIMEOUT_S: Final = 10
AT: Final = "20261123    154553"
ONLINE: Final = f"98YNNNNY030003{AT}2.00AOLIB130001|BXYNNNYYYYYNNNNNNN|"
VALID: Final = f"24{' ' * 14}009{AT}AOLIB130001|AA{KNOWN}|AEヤマダ タロウ|BLY|"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def site(port: int, **changes: Any) -> LibrarySite:  # noqa: ANN401 - settings
    """How the library at this port is reached."""
    known = {"issuer_id": ISSUER, "host": HOST, "port": port, "institution": "LIB130001", "timeout_s": 2.0}
    return LibrarySite.model_validate(known | changes)


@contextmanager
def simulator(port: int = 0, patrons: Mapping[str, str] = PATRONS, **options: str) -> Iterator[int]:
    """The simulator in a process of its own; yields its port."""
    command = [sys.executable, "-m", "tests.peers.library", "--port", str(port)]
    command += [word for number, name in patrons.items() for word in ("--patron", f"{number}={name}")]
    command += [word for name, value in options.items() for word in (f"--{name}", value)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["sip2_port"]
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


@asynccontextmanager
async def system(talk: Talk) -> AsyncIterator[int]:
    """A library system that does what the test says with each connection; yields its port."""
    server = await asyncio.start_server(_guarded(talk), HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _guarded(talk: Talk) -> Talk:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return guarded


async def request(reader: asyncio.StreamReader) -> bytes:
    """The next request, without its end."""
    return (await reader.readuntil(b"\r"))[:-1]


def answer(body: str, asked: bytes, charset: str = "utf-8") -> bytes:
    """An answer with the sequence number of what was asked."""
    marked = sip2.framed(body, charset, int(asked[-7:-6]))
    return marked if asked[-9:-7] == b"AY" else sip2.framed(body, charset, None)


def answering(*bodies: str, charset: str = "utf-8") -> Talk:
    """Answers to each request in turn; the last one again and again."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(bodies)
        while True:
            asked = await request(reader)
            writer.write(answer(left.pop(0) if len(left) > 1 else left[0], asked, charset))

    return _guarded(talk)
