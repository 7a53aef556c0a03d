"""The uplink: one WebSocket dialled out to the hub, over which the hub asks and the agent answers.

Lost, it is dialled anew. Pauses grow while the hub cannot be reached, and are drawn by chance, so that the agents of a
whole country do not come back in one moment.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from types import SimpleNamespace
from typing import Final, NoReturn
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    TraceConfig,
    TraceRequestRedirectParams,
    WSCloseCode,
    WSMsgType,
)
from pydantic import ValidationError

from reader_agent.fingerprint import FingerprintError
from reader_agent.hub_tls import hub_tls
from reader_agent.job_runner import JobRunner
from reader_agent.page_html import UplinkState
from reader_agent.ports import CardDesk, MergeDesk, Notifier, PinPad, StreetDesk
from reader_agent.running import UplinkParts
from reader_agent.settings import LOOPBACK
from reader_agent.uplink_handshake import RefusedError, Self, WrongHubError, shake_hands
from schemas.problems import RefusalCode
from schemas.uplink import (
    FRAME_LIMIT_BYTES,
    PATH,
    AgentFrame,
    CardEvent,
    Closing,
    FromAgent,
    FromHub,
    HubFrame,
    MergeAnswersTaken,
    ReaderState,
    StreetCardTold,
)

OPEN_TIMEOUT_S: Final = 20.0
"""For the connection, and for the handshake."""
PING_EVERY_S: Final = 20.0
"""Whoever does not answer one within half of it is gone."""
SEND_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 2.0
IDENTITY_AGAIN_S: Final = 60.0

log: Final = structlog.get_logger()


class LostError(ConnectionError):
    """The connection is over; `code` is the hub's word why, where it said one."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long to stay away, in seconds: after a first failure at most `first_s`, then twice that and so on.

    Who is refused, or was replaced by another agent of the same terminal, stays away for about `long_s`.
    """

    first_s: float = 1.0
    last_s: float = 60.0
    long_s: float = 60.0


class Talk:
    """The open connection: frames counted both ways. Everything raises LostError once it is over."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._said = 0
        self._heard = 0
        self._turn = asyncio.Lock()

    async def say(self, text: str) -> None:
        """One frame as it is."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._socket.send_str(text)
        except (ConnectionError, TimeoutError, RuntimeError) as error:
            # RuntimeError is what aiohttp says of a connection that is being closed.
            raise LostError from error

    async def hear(self) -> str:
        """The next frame as it is."""
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data)
        raise LostError(message.data if message.type is WSMsgType.CLOSE else None)

    async def tell(self, said: FromAgent) -> None:
        """The next counted frame."""
        async with self._turn:
            self._said += 1
            await self.say(AgentFrame(seq=self._said, said=said).model_dump_json())

    async def next(self) -> HubFrame:
        """The next counted frame of the hub; one that is out of turn is none of the hub's."""
        text = await self.hear()
        self._heard += 1
        with suppress(ValidationError):
            frame = HubFrame.model_validate_json(text)
            if frame.seq == self._heard:
                return frame
        log.warning("uplink_frame_refused")
        await self._socket.close(code=WSCloseCode.POLICY_VIOLATION)
        raise LostError


class Uplink:
    """Keeps one terminal connected."""

    def __init__(
        self,
        who: Self,
        desk: CardDesk,
        pin_pad: PinPad,
        notifier: Notifier,
        merges: MergeDesk,
        tell: Callable[[UplinkState], None],
        *,
        tls: ssl.SSLContext | None = None,
        pauses: Pauses = Pauses(),
    ) -> None:
        """`tls`: where the hub's certificate is checked otherwise than by the system's authorities.

        Raises ValueError: without TLS a hub may only be on this machine.
        """
        parts = urlsplit(who.hub_origin)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("a hub elsewhere is reached by https:// only")
        self._who = who
        self._desk = desk
        self._pin_pad = pin_pad
        self._notifier = notifier
        self._merges = merges
        self._tell = tell
        self._streets: StreetDesk | None = None
        self._tls = tls
        self._pauses = pauses
        self._talk: Talk | None = None
        self._has_reader: bool | None = None
        self._insertions: list[UUID] = []

    def serve_street(self, streets: StreetDesk) -> None:
        """Let a street's software ask the hub through us; before `run`."""
        self._streets = streets

    async def run(self) -> NoReturn:
        """Until cancelled; then the hub is told, jobs are broken off, and the card forgets its PIN."""
        watching = asyncio.create_task(self._watch())
        watching.add_done_callback(_tell_failure)
        failures = 0
        try:
            while True:
                self._tell("connecting")
                pause_s, was_on = await self._once(failures)
                failures = 0 if was_on else failures + 1
                await asyncio.sleep(pause_s)
        finally:
            watching.cancel()
            self._tell("off")

    async def _once(self, failures: int) -> tuple[float, bool]:
        """One connection, from dialling to its end: how long to stay away then, and whether it was on."""
        was_on = False
        try:
            async with self._opened() as talk:
                was_on = True
                self._tell("on")
                log.info("uplink_on", terminal_id=self._who.terminal_id)
                await self._serve(talk)
        except RefusedError as error:
            log.warning("uplink_refused", code=error.code)
            self._tell("suspended" if error.code == RefusalCode.terminal_suspended else "refused")
            return self._about(self._pauses.long_s), was_on
        except WrongHubError as error:
            log.warning("uplink_wrong_hub", what=str(error))
            self._tell("refused")
            return self._about(self._pauses.long_s), was_on
        except (ClientError, OSError, TimeoutError) as error:
            code = error.code if isinstance(error, LostError) else None
            log.warning("uplink_lost", error=type(error).__name__, code=code)
            if code == Closing.replaced:
                return self._about(self._pauses.long_s), was_on
        limit_s = min(self._pauses.last_s, self._pauses.first_s * 2 ** (0 if was_on else min(failures, 16)))
        return random.uniform(0, limit_s), was_on  # noqa: S311 - spreads load, keeps no secret

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Talk]:
        """Connected, and both sides proven."""
        async with ClientSession(trust_env=False, trace_configs=[_no_redirects()], timeout=ClientTimeout()) as session:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                socket = await session.ws_connect(
                    self._who.hub_origin + PATH,
                    heartbeat=PING_EVERY_S,
                    max_msg_size=FRAME_LIMIT_BYTES,
                    ssl=self._tls or True,
                )
            try:
                talk = Talk(socket)
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    await shake_hands(talk, self._who)
                yield talk
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_TIMEOUT_S):
                        await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _serve(self, talk: Talk) -> NoReturn:
        who = self._who
        runner = JobRunner(
            self._desk, self._pin_pad, self._notifier, self._merges, who.hub_origin, who.terminal_id, talk.tell
        )
        self._talk = talk
        try:
            if self._has_reader is not None:
                await talk.tell(ReaderState(connected=self._has_reader))
            for insertion in tuple(self._insertions):
                # One that was taken out while the others were told of has been told of already.
                if insertion in self._insertions:
                    await talk.tell(CardEvent(what="inserted", insertion=insertion))
            await self._merges.connected(talk.tell)
            if self._streets is not None:
                self._streets.connected(talk.tell)
            while True:
                await self._take((await talk.next()).said, runner)
        finally:
            self._talk = None
            self._merges.disconnected()
            if self._streets is not None:
                self._streets.disconnected()
            await runner.close()

    async def _take(self, said: FromHub, runner: JobRunner) -> None:
        match said:
            case MergeAnswersTaken():
                await self._merges.taken(said.names)
            case StreetCardTold():
                if self._streets is not None:
                    self._streets.told(said)
            case _:
                runner.take(said)

    async def _watch(self) -> None:
        """Tell the hub what happens at the reader; a new connection is told how it is."""
        async for event in self._desk.events():
            if isinstance(event, CardEvent):
                await self._card(event)
                continue
            if not event.connected:
                for insertion in tuple(self._insertions):
                    await self._card(CardEvent(what="removed", insertion=insertion))
            self._has_reader = event.connected
            await self._tell_hub(event)

    async def _card(self, event: CardEvent) -> None:
        if event.what == "inserted":
            self._insertions.append(event.insertion)
        elif event.insertion in self._insertions:
            self._insertions.remove(event.insertion)
        await self._tell_hub(event)

    async def _tell_hub(self, event: CardEvent | ReaderState) -> None:
        if self._talk is not None:
            with suppress(LostError):
                await self._talk.tell(event)

    @staticmethod
    def _about(pause_s: float) -> float:
        return pause_s * random.uniform(0.5, 1.5)  # noqa: S311 - the same


def _tell_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        log.error("uplink_reader_unwatched", exc_info=task.exception())


def _no_redirects() -> TraceConfig:
    """A hub is where it was said to be; what redirects us is none."""

    async def refuse(_session: ClientSession, _context: SimpleNamespace, _: TraceRequestRedirectParams) -> None:
        raise LostError

    config = TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


async def keep_up(parts: UplinkParts) -> None:
    """Keep the terminal of these parts connected, until cancelled. Raises HubAuthorityError, OpenToOthersError."""
    tls = hub_tls(parts.settings)
    who = await _identified(parts)
    uplink = Uplink(who, parts.desk, parts.pin_pad, parts.notifier, parts.merges, parts.tell, tls=tls)
    if parts.streets is not None:
        uplink.serve_street(parts.streets)
    await uplink.run()


async def _identified(parts: UplinkParts) -> Self:
    """Who we are, once this machine tells: a value that cannot be read now must not be guessed."""
    while True:
        try:
            fingerprint = await asyncio.to_thread(parts.identity.fingerprint)
        except (FingerprintError, OSError) as error:
            log.warning("uplink_no_fingerprint", error=type(error).__name__)
            parts.tell("no_fingerprint")
            await asyncio.sleep(IDENTITY_AGAIN_S)
            continue
        return Self(
            terminal_id=parts.enrolled.terminal.terminal_id,
            hub_origin=parts.enrolled.hub_url,
            hub_key=parts.enrolled.terminal.hub_key,
            key=parts.identity.agent_key(),
            fingerprint=fingerprint.digest,
            value_digests=fingerprint.value_digests,
            recipe=fingerprint.recipe,
            version=version("mykey-hub"),
        )
