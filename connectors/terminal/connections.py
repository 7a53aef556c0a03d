"""The agents connected to this process: what is said to each, in its order and counted."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

import structlog
from aiohttp import WSCloseCode
from pydantic import ValidationError

from connectors.terminal.uplink_store import Due, UplinkStore
from hub.ids import uuid7
from hub.supervision import tell_failure
from hub.web.sockets import Socket, SocketClosedError
from schemas.uplink import AgentFrame, Closing, FromAgent, FromHub, HubFrame, Welcome

log: Final = structlog.get_logger()


class Connection:
    """One agent that has proven who it is."""

    def __init__(self, terminal_id: str, socket: Socket) -> None:
        self.id = uuid7()
        self.terminal_id = terminal_id
        self.is_open = False
        """Whether it is recorded as connected, and not refused after that."""
        self.socket = socket
        self._said = 0
        self._heard = 0
        self._turn = asyncio.Lock()

    async def open(self, store: UplinkStore, ask_again: Callable[[], Awaitable[None]]) -> None:
        """Record it, have `ask_again` look once more, and tell the agent, before any job is sent.

        Raises SocketClosedError, and as the database and `ask_again` do.
        """
        async with self._turn:
            await store.enter(self.terminal_id, self.id)
            self.is_open = True
            try:
                await ask_again()
            except BaseException:
                # A job that waits for its turn must not be sent to whoever is not let in.
                self.is_open = False
                raise
            await self.socket.send(Welcome().model_dump_json())

    async def say(self, said: FromHub) -> None:
        """The next frame, mostly a job. Raises SocketClosedError."""
        async with self._turn:
            if not self.is_open:
                raise SocketClosedError("not let in")
            self._said += 1
            await self.socket.send(HubFrame(seq=self._said, said=said).model_dump_json())

    async def hear(self) -> FromAgent:
        """What the agent says next. Raises SocketClosedError; what is not the next frame is the last."""
        text = await self.socket.receive()
        try:
            frame = AgentFrame.model_validate_json(text)
        except ValidationError:
            frame = None
        self._heard += 1
        if frame is None or frame.seq != self._heard:
            log.warning("uplink_frame_refused", terminal_id=self.terminal_id, is_frame=frame is not None)
            await self.socket.close(Closing.bad_frame)
            raise SocketClosedError("frame")
        return frame.said


class Connections:
    """All of this process, also those that are just being opened."""

    def __init__(self) -> None:
        self._all: dict[UUID, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._all)

    @contextmanager
    def having(self, connection: Connection) -> Iterator[None]:
        """Jobs may be sent over it."""
        self._all[connection.id] = connection
        try:
            yield
        finally:
            del self._all[connection.id]

    def open(self) -> list[Connection]:
        """Those that are recorded as connected."""
        return [connection for connection in self._all.values() if connection.is_open]

    def send(self, due: Due) -> bool:
        """Send a job, without waiting for a slow agent. False where there is no such connection any more."""
        connection = self._all.get(due.connection_id)
        if connection is not None:
            self._start(connection.say(due.job))
        return connection is not None

    def hang_up(self, connection: Connection, code: int) -> None:
        """It counts no longer."""
        self._start(connection.socket.close(code))

    def missing(self, connection_ids: Collection[UUID]) -> set[UUID]:
        """Those that are none of ours."""
        return set(connection_ids) - self._all.keys()

    def _start(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(_while_connected(doing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(tell_failure("uplink"))


async def codes_of(gone: Sequence[Connection], store: UplinkStore) -> list[int]:
    """Why each of them is hung up on: they count no longer.

    One that was connected anew stays away for a while: two would turn each other out for ever. Whose process was taken
    for dead, as one that stood still for too long is, may come back at once.
    """
    anew = await store.connected_among({connection.terminal_id for connection in gone})
    return [Closing.replaced if connection.terminal_id in anew else WSCloseCode.GOING_AWAY for connection in gone]


async def _while_connected(doing: Coroutine[None, None, None]) -> None:
    # The one who receives from it hears of the end too, and clears up.
    with suppress(SocketClosedError):
        await doing
