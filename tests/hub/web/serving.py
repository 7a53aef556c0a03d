"""A door opened for one test: an audience whose callers are named by a header, and raw bytes over a socket."""

import asyncio
import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from aiohttp import ClientSession, web

from hub.web.app import Audience, Caller, Route, make_app
from hub.web.problems import ProblemError
from hub.web.server import Door, DoorLimits
from schemas.problems import ProblemCode

HOST: Final = "127.0.0.1"
PARTY: Final = UUID(int=7)
MEMBER: Final = {"Test-Caller": "t.write"}
"""Headers of somebody who has the permission `t.write`."""

QUICK: Final = DoorLimits(unread_body_timeout_s=0.05)
"""The usual limits, but nobody waits for a body that nobody will read."""


async def by_header(request: web.Request) -> Caller:
    """Whoever names permissions has them; nobody else is let in."""
    if "Test-Caller" not in request.headers:
        raise ProblemError(ProblemCode.login)
    return Caller(PARTY, frozenset({request.headers["Test-Caller"]}))


_AUDIENCE: Final = Audience("test", "/api/test", "Test", "試験", authenticate=by_header)


def audience(**changes: Any) -> Audience:  # noqa: ANN401 - the fields of Audience
    """The audience of the tests, or one that differs in something."""
    return replace(_AUDIENCE, **changes)


route = partial(Route, summary="Test", summary_ja="試験", permission="t.write")


@asynccontextmanager
async def serving(routes: Sequence[Route], limits: DoorLimits = QUICK) -> AsyncIterator[tuple[Door, ClientSession]]:
    """The routes served on loopback, and a client that speaks to them by path."""
    async with (
        Door(make_app(routes), HOST, 0, limits=limits) as door,
        ClientSession(f"http://{HOST}:{door.port}") as client,
    ):
        yield door, client


async def exchange(port: int, sent: bytes, *, deadline_s: float = 5.0) -> bytes:
    """What comes back for raw bytes, until the server hangs up. Raises TimeoutError if it does not."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(sent)
        await writer.drain()
        async with asyncio.timeout(deadline_s):
            return await reader.read()
    finally:
        writer.close()


def resident_bytes() -> int:
    """How much memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
