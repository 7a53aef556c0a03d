"""A way between two processes that can be cut, held up in one direction or both, or go silent for ever.

To PostgreSQL it is a Unix socket in a folder of its own, to anything else a loopback port. What is held up is late, not
lost, as with a network that comes back; who is silent never hears an answer again, as behind a box that forgot him.
The server, which does not hear him either, ends him as its keepalives would: a local socket has none of its own.
"""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeAlias, TypeVar
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from hub.database import SESSION
from hub.postgres_folders import SOCKET_NAME
from tests.connectors.partner.town import HOST

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Result = TypeVar("Result")
CHUNK_BYTES: Final = 64 * 1024
LIMIT_S: Final = 30.0


def _keepalive(name: str) -> float:
    return float(SESSION[f"tcp_keepalives_{name}"].removesuffix("s"))


GONE_AFTER_S: Final = _keepalive("idle") + _keepalive("count") * _keepalive("interval")
"""So long after somebody was forgotten his server knows it; the broker's heartbeats tell it no later."""


class Direction(Enum):
    """As seen by whoever has dialled."""

    REQUESTS = "requests"
    ANSWERS = "answers"


class _Connection:
    """One connection over the way: what it may let through, and both its ends."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.ends = (near, far)
        self.gates = {direction: asyncio.Event() for direction in Direction}
        self.is_server_lost = False
        self.is_frozen = False
        self.begun = b""
        """What the client said first: to PostgreSQL, who it is."""

    def abort(self) -> None:
        """As by a reset."""
        for end in self.ends:
            end.transport.abort()

    def lose_server(self) -> None:
        """The server gives up who it hears nothing of; that one is not told, whatever he still says."""
        self.is_server_lost = True
        self.ends[1].transport.abort()


class _Silencing(NamedTuple):
    """When a connection goes silent; with `brought`, as a frozen process would, within the request."""

    words: bytes
    of: bytes
    brought: float | None = None


class Way:
    """Opened by `to_postgres` or `to_port`."""

    def __init__(self, dial: Callable[[], Awaitable[Streams]]) -> None:
        self._dial = dial
        self._held = set[Direction]()
        self._is_cut = False
        self._connections = set[_Connection]()
        self._silent = set[_Connection]()
        self._silencing: _Silencing | None = None
        self._taking = set[asyncio.Task[None]]()
        self.silenced = 0
        """How many connections have gone silent."""
        self.url = ""
        self.port = 0

    def cut(self) -> None:
        """Reset what there is, refuse what comes."""
        self._is_cut = True
        for connection in list(self._connections):
            connection.abort()

    def hold(self, *directions: Direction) -> None:
        """Let nothing through in these directions, also of connections still to come."""
        self._held |= set(directions)
        self._set_gates()

    def silence_after(self, words: bytes, of: bytes = b"") -> None:
        """Of each connection whose client said `of` when it began: bring the next request with these words, no answer.

        Such a connection stays silent, whatever is healed.
        """
        self._silencing = _Silencing(words, of)

    def freeze_at(self, words: bytes, of: bytes = b"", brought: float = 1.0) -> None:
        """The same, as if its process were frozen then: this share of the request is brought, nothing after."""
        self._silencing = _Silencing(words, of, brought)

    def heal(self) -> None:
        """What was held up arrives; connections still to come find nothing wrong."""
        self._is_cut, self._silencing = False, None
        self._held.clear()
        self._set_gates()

    def forget(self) -> None:
        """Heal, for connections still to come alone: those that there are stay silent for ever."""
        forgotten = self._connections - self._silent
        self.silenced += len(forgotten)
        self._silent |= forgotten
        for connection in forgotten:
            asyncio.get_running_loop().call_later(GONE_AFTER_S, connection.lose_server)
        self.heal()

    def _set_gates(self) -> None:
        for connection in self._connections - self._silent:
            for direction, gate in connection.gates.items():
                (gate.clear if direction in self._held else gate.set)()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection from its beginning to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)
        await self._carry(reader, writer)

    async def close(self) -> None:
        """End everything."""
        self.cut()
        for task in list(self._taking):
            task.cancel()
        await asyncio.gather(*self._taking, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await self._dial()
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, far_writer)
        self._connections.add(connection)
        self._set_gates()
        ways = (
            asyncio.ensure_future(self._copy(connection, Direction.REQUESTS, reader, far_writer)),
            asyncio.ensure_future(self._copy(connection, Direction.ANSWERS, far_reader, writer)),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if connection.is_frozen:
                await asyncio.wait(ways)
        finally:
            connection.abort()
            self._connections.discard(connection)
            self._silent.discard(connection)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _copy(
        self, connection: _Connection, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while True:
                chunk = await reader.read(CHUNK_BYTES)
                if direction is Direction.REQUESTS:
                    chunk = self._heard(connection, chunk)
                if not (direction is Direction.REQUESTS and connection in self._silent):
                    await connection.gates[direction].wait()
                if not chunk:
                    return
                if not connection.is_server_lost:
                    writer.write(chunk)
                    await writer.drain()

    def _heard(self, connection: _Connection, chunk: bytes) -> bytes:
        """What of it is brought."""
        if connection.is_frozen:
            return b""
        connection.begun = connection.begun or chunk
        if self._silencing is None or connection in self._silent:
            return chunk
        if self._silencing.words not in chunk or self._silencing.of not in connection.begun:
            return chunk
        self.silenced += 1
        self._silent.add(connection)
        connection.gates[Direction.ANSWERS].clear()
        connection.is_frozen = self._silencing.brought is not None
        return chunk if self._silencing.brought is None else chunk[: int(len(chunk) * self._silencing.brought)]


class Ways:
    """Ways by name, on a loop in a thread of their own: they are open whatever else runs. A context manager."""

    def __init__(self) -> None:
        self.named: dict[str, Way] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open(self, name: str, way: AbstractAsyncContextManager[Way]) -> Way:
        """One that stays open until all are closed."""
        self.named[name] = self._wait(self._stack.enter_async_context(way))
        return self.named[name]

    def do(self, act: Callable[[], None]) -> None:
        """Do something to a way, where it is."""

        async def acting() -> None:
            act()

        self._wait(acting())

    def _wait(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(LIMIT_S)


@asynccontextmanager
async def to_postgres(url: str) -> AsyncIterator[Way]:
    """A way to the server of this URL; `url` of it leads there by it."""
    parts = urlsplit(url)
    (far,) = parse_qs(parts.query)["host"]
    way = Way(lambda: asyncio.open_unix_connection(Path(far, SOCKET_NAME)))
    folder = Path(tempfile.mkdtemp(prefix="mykey-way-"))
    way.url = urlunsplit(parts._replace(query=f"host={quote(str(folder), safe='/')}"))
    try:
        async with await asyncio.start_unix_server(way.take, folder / SOCKET_NAME) as server:
            yield way
            server.close()
            await way.close()
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def to_port(port: int) -> AsyncIterator[Way]:
    """A way to a loopback port; `port` of it leads there."""
    way = Way(lambda: asyncio.open_connection(HOST, port))
    async with await asyncio.start_server(way.take, HOST, 0) as server:
        way.port = server.sockets[0].getsockname()[1]
        yield way
        server.close()
        await way.close()
