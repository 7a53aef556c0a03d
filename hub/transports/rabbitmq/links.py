"""A connection to the broker, made again for ever: whoever works on it begins anew on the next one."""

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from hub.errors import TransientError
from hub.metrics import BROKER
from hub.supervision import end_tasks

log = structlog.get_logger()

CONNECT_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 2.0
CANCEL_AGAIN_S: Final = 0.1
HEARTBEAT_S: Final = 10
AGAIN_S: Final = 0.5
"""How long after a connection was lost the next one is tried; doubled up to the limit, with jitter."""
AGAIN_LIMIT_S: Final = 5.0
BROKER_ERRORS: Final = (*CONNECTION_EXCEPTIONS, TimeoutError, TransientError)
"""Whatever the broker or the way to it may do to us; the client says RuntimeError of a channel that is closed."""


class LinkLostError(TransientError):
    """The connection to the broker was lost."""


class Link:
    """One connection, for `work`, which runs as long as it stands; a fault of either ends both."""

    def __init__(
        self, name: str, url: str, ca_file: Path | None, work: Callable[[AbstractConnection], Awaitable[None]]
    ) -> None:
        self.is_up = False
        self.name = name
        self._url = url if urlsplit(url).query else f"{url}?heartbeat={HEARTBEAT_S}"
        self._tls = ssl.create_default_context(cafile=ca_file) if url.startswith("amqps:") else None
        self._work = work

    async def run(self) -> None:
        """Connect and work, for ever."""
        again_s = AGAIN_S
        while True:
            began_s = time.monotonic()
            try:
                await self._use(await self._connect())
            except BROKER_ERRORS as error:
                log.warning("broker_link_lost", link=self.name, error=type(error).__qualname__)
            lasted = time.monotonic() - began_s > AGAIN_LIMIT_S
            again_s = AGAIN_S if lasted else min(2 * again_s, AGAIN_LIMIT_S)
            await asyncio.sleep(again_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret

    async def _connect(self) -> AbstractConnection:
        # The client's own timeout may swallow a cancellation that comes as the connection is made.
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await aio_pika.connect(
                self._url,
                ssl_context=self._tls,
                client_properties={"connection_name": f"mykey-hub {self.name}"},
            )

    async def _use(self, connection: AbstractConnection) -> None:
        """Work until the connection is lost. Raises what ended the work."""
        self._tell(up=True)
        working = asyncio.ensure_future(self._work(connection))
        try:
            await asyncio.wait([working, _closing(connection)], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._tell(up=False)
            try:
                await _end(working)
            finally:
                await _end(asyncio.ensure_future(connection.close()), CLOSE_TIMEOUT_S)
        if working.cancelled() or not working.done():
            raise LinkLostError
        await working

    def _tell(self, *, up: bool) -> None:
        self.is_up = up
        BROKER.labels(self.name).set(up)


def _closing(connection: AbstractConnection) -> "asyncio.Future[None]":
    """What is done once the connection is lost: the client's own `closed` tells only of our closing it."""
    if connection.transport is None:
        raise LinkLostError
    return connection.transport.connection.closing


async def _end(task: "asyncio.Future[None]", timeout_s: float = 0.0) -> None:
    """Wait that long, then cancel: at once where we are told to stop meanwhile. Nobody else would end it."""
    try:
        await asyncio.wait([task], timeout=timeout_s)
    finally:
        await end_tasks([task], CANCEL_AGAIN_S)
