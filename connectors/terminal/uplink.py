"""The agents' door, `/agent/v1`: a WebSocket for each terminal, opened by a handshake."""

import asyncio
from typing import Final

import structlog
from aiohttp import WSCloseCode

from connectors.terminal.connections import Connection, Connections, codes_of
from connectors.terminal.handshake import Handshake, NotLetInError, Proven
from connectors.terminal.street_asking import StreetAsking
from connectors.terminal.uplink_store import UplinkStore
from hub.clock import Clock
from hub.database import UNREACHABLE
from hub.web.app import Audience, Route
from hub.web.limits import AtOnce, RateLimiter, WaitingRoom
from hub.web.problems import ProblemError
from hub.web.sockets import Socket, SocketClosedError, SocketLimits, socket_route
from schemas.uplink import (
    FRAME_LIMIT_BYTES,
    PATH,
    CardEvent,
    Closing,
    FromAgent,
    MergeAnswers,
    MergeAnswersTaken,
    MergeFolder,
    ReaderState,
    StreetCardAsk,
)

CONNECTIONS_LIMIT: Final = 2_000
"""Of one process."""
ADDRESS_LIMIT: Final = 600
"""Connections of one address, proven or not: a town hall's terminals may share one, and leave room for others."""
ADDRESS_RATE_PER_S: Final = 20.0
ADDRESS_BURST: Final = 1_000
"""They come back together after a restart."""
HANDSHAKE_TIMEOUT_S: Final = 10.0
FRAMES_PER_S: Final = 50.0
FRAMES_BURST: Final = 200
"""Of one terminal: an agent beside a street's server answers for all the street's terminals, 32 files a frame."""
LIMITS: Final = SocketLimits(frame_bytes=FRAME_LIMIT_BYTES)

log: Final = structlog.get_logger()


class UplinkDoor:
    """One route; whoever comes in by it is one terminal until the connection ends."""

    def __init__(
        self,
        store: UplinkStore,
        connections: Connections,
        handshake: Handshake,
        streets: StreetAsking,
        clock: Clock,
    ) -> None:
        self._store = store
        self._connections = connections
        self._handshake = handshake
        self._streets = streets
        self._clock = clock
        self._frames = RateLimiter(FRAMES_PER_S, FRAMES_BURST, monotonic=clock.monotonic)

    def routes(self) -> list[Route]:
        """The route."""
        audience = Audience(
            name="agents",
            prefix=PATH,
            title="Agents at terminals",
            title_ja="端末のカード読取ソフト",
            room=WaitingRoom(CONNECTIONS_LIMIT),
            at_once=AtOnce(ADDRESS_LIMIT),
            address_rate=RateLimiter(ADDRESS_RATE_PER_S, ADDRESS_BURST, monotonic=self._clock.monotonic),
            documented=False,
        )
        return [
            socket_route(audience, "", self.talk, "Connect a terminal's agent", "端末のカード読取ソフトの接続", LIMITS)
        ]

    async def talk(self, socket: Socket) -> None:
        """From the handshake to the end. Raises SocketClosedError."""
        try:
            proven = await self._let_in(socket)
            await self._serve(Connection(proven.terminal_id, socket), proven)
        except NotLetInError:
            await socket.close(Closing.refused)
        except ProblemError:
            await socket.close(Closing.too_many)
        except UNREACHABLE as error:
            log.warning("uplink_unreachable", error=type(error).__qualname__)
            await socket.close(WSCloseCode.TRY_AGAIN_LATER)

    async def _let_in(self, socket: Socket) -> Proven:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                return await self._handshake(socket)
        except TimeoutError:
            await socket.close(Closing.too_slow)
            raise SocketClosedError("handshake") from None

    async def _serve(self, connection: Connection, proven: Proven) -> None:
        with self._connections.having(connection):
            try:
                await connection.open(self._store, lambda: self._handshake.ask_again(proven, connection.socket))
                log.info("terminal_connected", terminal_id=connection.terminal_id)
                while True:
                    said = await connection.hear()
                    self._frames.check(connection.terminal_id)
                    await self._take(connection, said)
            finally:
                log.info("terminal_disconnected", terminal_id=connection.terminal_id)
                self._streets.gone(connection)
                await self._store.leave([connection.id])

    async def _take(self, connection: Connection, said: FromAgent) -> None:
        match said:
            case CardEvent():
                if not await self._store.card_event(connection.id, said):
                    await connection.socket.close(*await codes_of([connection], self._store))
            case ReaderState():
                await self._store.reader_state(connection.id, connected=said.connected)
            case MergeFolder():
                await self._store.merge_folder(connection.id, said)
            case MergeAnswers():
                await self._store.merge_answers(connection.terminal_id, said)
                await connection.say(MergeAnswersTaken(names=[answer.name for answer in said.answers]))
            case StreetCardAsk():
                await self._streets.take(connection, said)
            case _:
                if not await self._store.consume(connection.id, said):
                    log.warning("job_result_refused", terminal_id=connection.terminal_id, job_id=str(said.job_id))
