"""One process of the hub: some components, their pools, their deliveries, their calls, their jobs."""

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
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
from hub.database import UNREACHABLE, Database, is_unreachable
from hub.errors import DeadlineExceededError, HubError, TransientError, UnroutableError
from hub.ids import uuid7
from hub.keys import Keys, Sealer
from hub.maintenance import Maintenance
from hub.roles import component_url
from hub.runner import Runner
from hub.sealing import PURPOSE
from hub.settings import Settings
from hub.supervision import for_ever
from hub.transports.jobs import JobRunner
from hub.transports.outside import OutsideReceiver
from hub.transports.postgres import Receiver
from hub.transports.remote_calls import RemoteCalls
from hub.transports.wakes import WakeChannel
from schemas.message import Answered, Command, Message, Query

log = structlog.get_logger()
Answer = TypeVar("Answer")

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
        self._wakes = WakeChannel(component_url(owner_url, installed[0].name, settings), self._heard)
        self._remote: RemoteCalls | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def components(self) -> list[Component]:
        """The components of this process."""
        return [hosted.component for hosted in self._hosted.values()]

    def database_of(self, name: str) -> Database:
        """The pool of a component hosted here."""
        return self._hosted[name].database

    def receivers_of(self, name: str) -> list[Receiver]:
        """What brings a component hosted here its deliveries."""
        return self._hosted[name].receivers

    async def __aenter__(self) -> Self:
        keys = Keys(self.settings.key())
        try:
            for one in self._installed:
                await self._host(one, keys.sealer(PURPOSE))
            routes.check(self.components)
        except BaseException:
            await self._close_databases()
            raise
        self._start(keys)
        return self

    async def _host(self, one: Installed, sealer: Sealer) -> None:
        url = component_url(self._owner_url, one.name, self.settings)
        database = Database(one.name, url, self.settings.pool_size_of(one.name), self.clock, sealer)
        database.on_commit = self._committed
        component = one.factory(Context(self.settings, self.clock, self, database))
        self._hosted[one.name] = _Hosted(component, database, self.process_id)
        await database.open()

    def _start(self, keys: Keys) -> None:
        first = self._first.database
        self._remote = RemoteCalls(
            self.process_id, first, keys, self._hosted.keys(), self._answer_remote, self._wakes.tell
        )
        loops = {"wakes": self._wakes.run, "calls": self._remote.run, "maintenance": Maintenance(first).run}
        self._tasks = [asyncio.create_task(for_ever(name, loop), name=name) for name, loop in loops.items()]
        for hosted in self._hosted.values():
            for worker in hosted.workers:
                worker.start()

    @property
    def _first(self) -> _Hosted:
        return next(iter(self._hosted.values()))

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
        await self._close_databases()

    async def _stop_working(self) -> None:
        """Take nothing new, finish what is under way; calls last, because handlers may be waiting for them."""
        await asyncio.gather(*(worker.stop() for hosted in self._hosted.values() for worker in hosted.workers))
        if self._remote is not None:
            await self._remote.finish()
        for hosted in self._hosted.values():
            await hosted.calls.close()
            if hosted.component.close is not None:
                await hosted.component.close()

    async def _close_databases(self) -> None:
        for hosted in self._hosted.values():
            await hosted.database.close()

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
                return cast("list[Answer]", await self._ask(asked, correlation_id, deadline_s))
        except TimeoutError as error:
            raise DeadlineExceededError from error

    async def send(self, commands: Sequence[Command]) -> None:
        """See Bus."""
        async with self._first.database.transaction() as tx:
            for command in commands:
                tx.send(command)

    async def _ask(self, messages: Sequence[Message], correlation_id: UUID, deadline_s: float) -> list[Any]:
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
        return await self._remote.ask(name, messages, correlation_id, deadline_s)

    async def _answer_remote(
        self, name: str, messages: Sequence[Message], correlation_id: UUID
    ) -> list[BaseModel | None]:
        CORRELATION.set(correlation_id)
        return await _ask_hosted(self._hosted[name], messages, correlation_id)

    # wake-up hints

    def _committed(self, lanes: set[tuple[str, int]]) -> None:
        """Wake our own lanes at once; tell other processes of lanes that are not ours."""
        for receiver, lane in lanes:
            hosted = self._hosted.get(receiver.partition(".")[0])
            ours = [one for one in hosted.receivers if one.receiver == receiver] if hosted else []
            if not any(one.wake(lane) for one in ours):
                self._wakes.tell(receiver)

    def _heard(self, names: AbstractSet[str]) -> None:
        for hosted in self._hosted.values():
            for one in hosted.receivers:
                if one.receiver in names:
                    one.poll_soon()
        if self._remote is not None:
            self._remote.heard(names)

    async def drained(self, deadline_s: float) -> None:
        """Wait until nothing is due for the components hosted here. Raises TimeoutError."""
        database = self._first.database
        async with asyncio.timeout(deadline_s):
            while True:
                async with database.connection() as connection:
                    if not await connection.fetchval(DUE, list(self._hosted)):
                        return
                await asyncio.sleep(DRAIN_POLL_S)


async def _ask_hosted(hosted: _Hosted, messages: Sequence[Message], correlation_id: UUID) -> list[Any]:
    if isinstance(messages[0], Query):
        return [await _answer(hosted, message) for message in messages]
    return await hosted.calls.put(messages, correlation_id).all()


async def _answer(hosted: _Hosted, query: Message) -> BaseModel:
    answerer = hosted.component.answers.get(cast("type[Query]", type(query)))
    if answerer is None:
        raise UnroutableError(query.TYPE)
    try:
        async with hosted.database.reading() as reading:
            return await answerer(query, reading)
    except UNREACHABLE as error:
        if isinstance(error, HubError) or not is_unreachable(error):
            raise
        raise TransientError("PostgreSQL does not answer") from error
