"""Listening: one TCP door with limits on everything a client may keep us waiting for, and an orderly end."""

import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import structlog
from aiohttp import web

from hub.web.answers import dress
from hub.web.problems import ProblemError, Reference, problem_response
from schemas.problems import ProblemCode

BAD_REQUEST: Final = 400

_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """How long, how much, how many.

    `header_timeout_s` is how long a connection may take, from its start or its last answer, until it has
    sent one whole header: idle, silent and half-sent alike. A proxy in front keeps its connections for less
    (nginx upstream `keepalive_timeout 8s`). At the end, requests under way have `shutdown_timeout_s`.
    """

    header_timeout_s: float = 10.0
    line_limit_bytes: int = 8_190
    field_limit_bytes: int = 8_190
    fields_limit: int = 64
    unread_body_timeout_s: float = 2.0
    shutdown_timeout_s: float = 20.0
    backlog: int = 1_024


LIMITS: Final = DoorLimits()


class Door:
    """An application being served.

    `async with Door(app, host, port) as door:` listens; `door.port` is the real one where 0 was asked
    for; leaving it lets requests under way finish, then hangs up.
    """

    def __init__(
        self,
        app: web.Application,
        host: str,
        port: int,
        *,
        limits: DoorLimits = LIMITS,
        reuse_port: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._runner = _Runner(
            app,
            access_log=None,
            # aiohttp runs this timer from the start and from each answer until a header is complete.
            keepalive_timeout=limits.header_timeout_s,
            max_line_size=limits.line_limit_bytes,
            max_field_size=limits.field_limit_bytes,
            max_headers=limits.fields_limit,
            lingering_time=limits.unread_body_timeout_s,
            auto_decompress=False,
            # aiohttp waits this long twice: for the handler to end, then for its task.
            shutdown_timeout=limits.shutdown_timeout_s / 2,
        )
        self._host = host
        self._port = port
        self._tls = tls
        self._backlog = limits.backlog
        self._reuse_port = reuse_port
        self._site: web.TCPSite | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port if self._site is None else self._site.port

    async def open(self) -> None:
        """Start to listen. Raises OSError where the address is taken."""
        await self._runner.setup()
        self._site = web.TCPSite(
            self._runner,
            self._host,
            self._port,
            backlog=self._backlog,
            reuse_port=self._reuse_port or None,
            ssl_context=self._tls,
        )
        await self._site.start()

    async def close(self) -> None:
        """Stop listening, let what is under way finish within `shutdown_timeout_s`, hang up."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Protocol(web.RequestHandler):
    """One connection: what is not HTTP gets a problem too, and no traceback in the log."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the parser's own words stay with us
    ) -> web.StreamResponse:
        """The answer to what could not be parsed, or to what went wrong outside the application."""
        code = ProblemCode.bad_request if status == BAD_REQUEST else ProblemCode.internal
        _log.warning("web_request_malformed", status=status, reason=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionResetError("answer begun")
        reference = Reference.new()
        response = problem_response(ProblemError(code), reference)
        dress(response, reference)
        response.force_close()
        return response


class _Server(web.Server):
    """Makes a protocol for each connection."""

    def __call__(self) -> web.RequestHandler:
        """Called by the event loop for each new connection."""
        return _Protocol(self, loop=self._loop, **self._kwargs)


class _Runner(web.AppRunner):
    """Starts the application with our protocol."""

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        return _Server(plain.request_handler, request_factory=plain.request_factory, **self._kwargs)
