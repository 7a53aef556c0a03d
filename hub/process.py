"""One process of the hub: some components, their pools, their deliveries, their calls, their jobs."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast
from uuid import UUID

import structlog
from pydantic import BaseModel

from hub import routes
from hub.bus import Bus
from hub.calls import CallQueue
from hub.clock import Clock
from hub.component import Component, Context, Installed
from hub.correlation import CORRELATION
from hub.database import UNREACHABLE, Database, listening
from hub.errors import DeadlineExceededError, UnroutableError
from hub.ids import uuid7
from hub.keys import Keys
from hub.roles import component_url
from hub.runner import Runner
from hub.sealing import PURPOSE
from hub.settings import Settings
from hub.transports.jobs import JobRunner
from hub.transports.outside import OutsideReceiver
from hub.transports.postgres import Receiver
from hub.transports.remote_calls import RemoteCalls
from schemas.message import Answered, Command, Message, Query

log = structlog.get_logger()
Answer = TypeVar("Answer")

WAKE_CHANNEL: Final = "hub_wake"
WAKE_PAUSE_S: Final = 0.005
"""Wake-up hints to other processes are gathered this long: NOTIFY takes a lock that all commits share."""
LISTEN_AGAIN_S: Final = 1.0
READING_CONNECTIONS: Final = 2
"""Connections of a pool kept free of calls, for deliveries, queries and leases."""
DRAIN_POLL_S: Final = 0.02
STOP_LIMIT_S: Final = 30.0

DUE: Final = """
SELECT EXISTS (SELECT FROM hub.delivery WHERE split_part(receiver, '.', 1) = ANY ($1) AND (state = 'due'
    OR (state = 'scheduled' AND due_at <= now())))
"""


class _Hosted:
    """One component in this process."""

    def __init__(self, component: Component, database: Database, process_id: UUID) -> None:
        self.component = component
        self.database = database
        runner = Runner(component, database)
        self.calls = CallQueue(runner, max(1, database.pool_size - READING_CONNECTIONS))
        self.receivers: list[Receiver] = []
        if component.handlers:
            self.receivers.append(Receiver(component.name, runner, database, process_id))
        if component.outside:
            self.receivers.append(OutsideReceiver(f"{component.name}.outside", runner, database, process_id))
        self.jobs = [JobRunner(component.name, job, database, process_id) for job in component.jobs]
        self.workers: list[Receiver | JobRunner] = [*self.receivers, *self.jobs]


class HubProcess(Bus):
    """An async context manager: inside it the components work; leaving it finishes what is under way."""

    def __init__(self, settings: Settings, clock: Clock, installed: Sequence[Installed], owner_url: str) -> None:
        self.settings = settings
        self.clock = clock
        self.process_id = uuid7()
        self.bus: Bus = self
        self._installed = installed
        self._owner_url = owner_url
        self._hosted: dict[str, _Hosted] = {}
        self._remote: RemoteCalls | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._to_wake: set[str] = set()
        self._wake_due = asyncio.Event()

    @property
    def components(self) -> list[Component]:
        """The components of this process."""
        return [hosted.component for hosted in self._hosted.values()]

    def database_of(self, name: str) -> Database:
        """The pool of a component hosted here."""
        return self._hosted[name].database

    async def __aenter__(self) -> Self:
        sealer = Keys(self.settings.key()).sealer(PURPOSE)
        for one in self._installed:
            url = component_url(self._owner_url, one.name, self.settings)
            database = Database(one.name, url, self.settings.pool_size_of(one.name), self.clock, sealer)
            database.on_commit = self._committed
            await database.open()
            component = one.factory(Context(self.settings, self.clock, self, database))
            self._hosted[one.name] = _Hosted(component, database, self.process_id)
        routes.check(self.components)
        first = next(iter(self._hosted.values()))
        self._remote = RemoteCalls(self.process_id, first.database, self._hosted.keys(), self._answer_remote)
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._remote.run())]
        for hosted in self._hosted.values():
            for worker in hosted.workers:
                worker.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._stop_working()
        except TimeoutError:
            log.warning("stop_limit_reached", limit_s=STOP_LIMIT_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for hosted in self._hosted.values():
            await hosted.database.close()

    async def _stop_working(self) -> None:
        for hosted in self._hosted.values():
            for worker in reversed(hosted.workers):
                await worker.stop()
        for hosted in self._hosted.values():
            await hosted.calls.close()
            if hosted.component.close is not None:
                await hosted.component.close()

    # calls

    async def call(self, message: Answered[Answer], deadline_s: float) -> Answer:
        """See Bus."""
        return (await self.call_many([message], deadline_s))[0]

    async def call_many(self, messages: Sequence[Answered[Answer]], deadline_s: float) -> list[Answer]:
        """See Bus."""
        asked = cast("Sequence[Message]", messages)
        correlation_id = CORRELATION.get() or uuid7()
        try:
            async with asyncio.timeout(deadline_s):
                return cast("list[Answer]", await self._ask(asked, correlation_id))
        except TimeoutError as error:
            raise DeadlineExceededError from error

    async def send(self, commands: Sequence[Command]) -> None:
        """See Bus."""
        first = next(iter(self._hosted.values()))
        async with first.database.transaction() as tx:
            for command in commands:
                tx.send(command)

    async def _ask(self, messages: Sequence[Message], correlation_id: UUID) -> list[Any]:
        if not messages:
            return []
        receivers = {routes.receiver_of_call(type(message)) for message in messages}
        if len(receivers) != 1:
            raise UnroutableError("one call goes to one component")
        name = receivers.pop()
        hosted = self._hosted.get(name)
        if hosted is not None:
            return await _ask_hosted(hosted, messages, correlation_id)
        if self._remote is None:
            raise UnroutableError(name)
        return await self._remote.ask(name, messages)

    async def _answer_remote(self, name: str, messages: Sequence[Message]) -> list[BaseModel | None]:
        return await _ask_hosted(self._hosted[name], messages, uuid7())

    # wake-up hints

    def _committed(self, lanes: set[tuple[str, int]]) -> None:
        for receiver, lane in lanes:
            hosted = self._hosted.get(receiver.partition(".")[0])
            for one in hosted.receivers if hosted else ():
                if one.receiver == receiver:
                    one.wake(lane)
            self._to_wake.add(receiver)
        self._wake_due.set()

    def _heard(self, payload: str) -> None:
        for hosted in self._hosted.values():
            for one in hosted.receivers:
                if one.receiver in payload.split():
                    one.poll_soon()
        if self._remote is not None and "call" in payload.split():
            self._remote.look_soon()

    async def _listen(self) -> None:
        """Hear other processes' hints and give ours, for ever; polling stands behind it."""
        url = component_url(self._owner_url, next(iter(self._hosted)), self.settings)
        while True:
            try:
                async with listening(url, WAKE_CHANNEL, self._heard) as notify:
                    if self._remote is not None:
                        self._remote.notify = lambda: notify("call")
                    while True:
                        await self._wake_due.wait()
                        self._wake_due.clear()
                        await asyncio.sleep(WAKE_PAUSE_S)
                        names, self._to_wake = self._to_wake, set()
                        await notify(" ".join(sorted(names)))
            except UNREACHABLE as error:
                log.warning("wake_channel_lost", error=type(error).__qualname__)
                await asyncio.sleep(LISTEN_AGAIN_S)

    async def drained(self, deadline_s: float) -> None:
        """Wait until nothing is due for the components hosted here. Raises TimeoutError."""
        database = next(iter(self._hosted.values())).database
        async with asyncio.timeout(deadline_s):
            while True:
                async with database.connection() as connection:
                    if not await connection.fetchval(DUE, list(self._hosted)):
                        return
                await asyncio.sleep(DRAIN_POLL_S)


async def _ask_hosted(hosted: _Hosted, messages: Sequence[Message], correlation_id: UUID) -> list[Any]:
    if isinstance(messages[0], Query):
        return [await _answer(hosted, message) for message in messages]
    futures = hosted.calls.put(messages, correlation_id)
    answers = await asyncio.gather(*futures, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


async def _answer(hosted: _Hosted, query: Message) -> BaseModel:
    answerer = hosted.component.answers.get(cast("type[Query]", type(query)))
    if answerer is None:
        raise UnroutableError(query.TYPE)
    async with hosted.database.reading() as reading:
        return await answerer(query, reading)
