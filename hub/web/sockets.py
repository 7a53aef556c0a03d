"""WebSockets: a route that goes on talking, with a limit on every frame, silence and wait, and an orderly end.

What is said are text frames. A place in the waiting room, the count for each address and the limits of `Audience` hold
for as long as the connection does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from hub.web.app import OPEN, PUBLIC, Audience, Route
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

Talk = Callable[["Socket"], Awaitable[None]]


class SocketClosedError(Exception):
    """The other side has closed the connection, broken the protocol, or was silent for too long."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """How much, and how long. A side that does not answer a ping within half of `ping_every_s` is gone."""

    frame_bytes: int = 64 * 1024
    ping_every_s: float = 20.0
    send_timeout_s: float = 10.0
    close_timeout_s: float = 2.0


LIMITS: Final = SocketLimits()


class Socket:
    """An open connection."""

    def __init__(self, response: web.WebSocketResponse, limits: SocketLimits) -> None:
        self._response = response
        self._limits = limits
        self._closing = asyncio.Lock()

    async def receive(self) -> str:
        """The next frame. Raises SocketClosedError."""
        message = await self._response.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data)
        if message.type is WSMsgType.BINARY:
            await self.close(WSCloseCode.UNSUPPORTED_DATA)
        raise SocketClosedError(message.type.name)

    async def send(self, text: str) -> None:
        """Say one frame. Raises SocketClosedError where it is not taken in time."""
        try:
            async with asyncio.timeout(self._limits.send_timeout_s):
                await self._response.send_str(text)
        except (ConnectionError, TimeoutError, RuntimeError) as error:
            # RuntimeError is what aiohttp says of a connection that is being closed.
            raise SocketClosedError(type(error).__name__) from error

    async def close(self, code: int) -> None:
        """Close, saying why; whoever waits in `receive` is told. Safe to be called again, and by others."""
        with suppress(ConnectionError, TimeoutError):
            # Whoever comes second waits too: when the handler ends, the connection is cut.
            async with asyncio.timeout(2 * self._limits.close_timeout_s), self._closing:
                await self._response.close(code=code, drain=False)


def socket_route(
    audience: Audience, path: str, talk: Talk, summary: str, summary_ja: str, limits: SocketLimits = LIMITS
) -> Route:
    """A public route that opens a WebSocket and leaves it to `talk`, which has to find out who is there.

    It ends when `talk` does, or when SocketClosedError is raised there. A browser's page is not let in: it names its
    origin, which our own programs do not.
    """

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse(
            timeout=limits.close_timeout_s,
            heartbeat=limits.ping_every_s,
            max_msg_size=limits.frame_bytes,
            compress=False,
        )
        if "Origin" in request.headers:
            raise ProblemError(ProblemCode.forbidden)
        if request.method != "GET" or not response.can_prepare(request):
            raise ProblemError(
                ProblemCode.bad_request, "This is a WebSocket (RFC 6455).", "WebSocket（RFC 6455）で接続してください。"
            )
        await response.prepare(request)
        socket = Socket(response, limits)
        open_sockets = request.config_dict[OPEN]
        open_sockets.add(socket)
        try:
            with suppress(SocketClosedError):
                await talk(socket)
        finally:
            open_sockets.discard(socket)
            await socket.close(WSCloseCode.OK)
        return response

    return Route(
        audience=audience,
        method="GET",
        path=path,
        handler=handler,
        permission=PUBLIC,
        summary=summary,
        summary_ja=summary_ja,
        status=101,
    )
