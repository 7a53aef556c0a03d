"""One process of the hub: some components, their pools, their deliveries, their calls, their jobs."""

import asyncio
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast
from uuid import UUID

import structlog
from pydantic import BaseModel

from hub import routes, stuck, telemetry
from hub.apart import ApartCalls
from hub.bus import Bus
from hub.calls import CallQueue
from hub.clock import Clock
from hub.component import Component, Context, Installed
from hub.database import UNREACHABLE, Database, is_unreachable
from hub.errors import DeadlineExceededError, HubError, TransientError, UnroutableError
from hub.flow import Flow, FlowWriter
from hub.ids import uuid7
from hub.keys import Keys, Sealer
from hub.maintenance import Maintenance
from hub.outages import OutageLimits
from hub.outbox import ToDo
from hub.pauses import Pauses
from hub.roles import component_url
from hub.runner import Runner
from hub.sealing import PURPOSE
from hub.settings import Settings
from hub.silence import Silence
from hub.supervision import CANCEL_AGAIN_S, end_tasks, for_ever
from hub.tracing import TRACE, Trace
from hub.transports.jobs import JobRunner
from hub.transports.outside import OutsideReceiver
from hub.transports.port import Hosting, Loop, Transport
from hub.transports.postgres import PostgresTransport
from hub.transports.rabbitmq.transport import RabbitTransport
from hub.transports.receiver import Receiver
from schemas.message import Answered, Command, Message, Query

log = structlog.get_logger()
Answer = TypeVar("Answer")

READING_CONNECTIONS: Final = 2
"""Connections of a pool kept free of calls, for deliveries, queries and leases."""
SIGNAL: Final = "!"
"""Between a component's name and what it signals, as it is told to other processes; no receiver's name has one."""
DRAIN_POLL_S: Final = 0.02
STOP_LIMIT_S: Final = 30.0

DUE: Final = """
SELECT EXISTS (SELECT FROM hub.delivery WHERE split_part(receiver, '.', 1) = ANY ($1) AND (state = 'due'
    OR (state = 'scheduled' AND due_at <= now())))
"""


class _Hosted:
    """One component in this process."""

    def __init__(
        self, component: Component, database: Database, process_id: UUID, pauses: Pauses, outages: OutageLimits
    ) -> None:
        self.component = component
        self.database = database
        self.pauses = pauses
        is_paused = partial(pauses.has, component.name)
        runner = Runner(component, database, is_paused)
        self.calls = CallQueue(runner, max(1, database.pool_size - READING_CONNECTIONS))
        self.apart = ApartCalls()
        self.receivers: list[Receiver] = []
        if component.handlers:
            self.receivers.append(Receiver(component.name, runner, database, process_id))
        for name in routes.outside_lanes(component):
            self.receivers.append(OutsideReceiver(name, runner, database, process_id, outages))
        self.jobs = [JobRunner(component.name, job, database, process_id, is_paused) for job in component.jobs]
        self.workers: list[Receiver | JobRunner] = [*self.receivers, *self.jobs]

    @property
    def flows(self) -> dict[str, Flow]:
        """What flows here, by receiver; calls are `<component>.calls`."""
        return {f"{self.component.name}.calls": self.calls.flow} | {one.receiver: one.flow for one in self.receivers}


class HubProcess(Bus):
    """An async context manager: inside it the components work; leaving it finishes what is under way."""

    def __init__(self, settings: Settings, clock: Clock, installed: Sequence[Installed], owner_url: str) -> None:
        self.settings = settings
        self.clock = clock
        self.process_id = uuid7()
        self.pauses = Pauses()
        self.bus: Bus = self
        self._installed = installed
        self._owner_url = owner_url
        self._hosted: dict[str, _Hosted] = {}
        self._transport: Transport | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

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
            routes.check(component for component in self.components if not component.only_asks)
            await self.pauses.look(self._first.database)
            self._start(keys)
        except BaseException:
            await self._close_databases()
            raise
        return self

    async def _host(self, one: Installed, sealer: Sealer) -> None:
        url = component_url(self._owner_url, one.name, self.settings)
        database = Database(one.name, url, self.settings.pool_size_of(one.name), self.clock, sealer)
        database.on_commit = self._committed
        database.on_signal = partial(self._signal, one.name)
        component = one.factory(Context(self.settings, self.clock, self, database))
        outages = OutageLimits(self.settings.outage_no_answer_limit, self.settings.outage_probe_limit_s)
        self._hosted[one.name] = _Hosted(component, database, self.process_id, self.pauses, outages)
        if component.is_partitioned:
            database.away = self._away(one.name, sealer)
        await database.open()

    def _away(self, name: str, sealer: Sealer) -> dict[int, Database]:
        """Partition → its database, where that is not the hub's own."""
        size = self.settings.pool_size_of(name)
        urls = self.settings.databases_of_partitions()
        databases = {
            url: Database(name, component_url(url, name, self.settings), size, self.clock, sealer)
            for url in dict.fromkeys(urls.values())
        }
        for database in databases.values():
            database.silence = Silence()
        return {partition: databases[url] for partition, url in urls.items()}

    def _start(self, keys: Keys) -> None:
        first = self._first.database
        self._transport = transport = self._make_transport(keys)
        maintenance = Maintenance(first, self.settings.message_days)
        flows = {name: flow for hosted in self._hosted.values() for name, flow in hosted.flows.items()}
        loops: dict[str, Loop] = {
            **transport.loops(),
            "maintenance": maintenance.run,
            "pauses": partial(self.pauses.run, first),
            "stuck": partial(stuck.watch, self._databases),
            "flow": partial(FlowWriter(self.process_id, flows, self.complaint).run, first),
            **{f"{one.name}.{name}": loop for one in self.components for name, loop in one.loops.items()},
        }
        self._tasks = [asyncio.create_task(for_ever(name, loop), name=name) for name, loop in loops.items()]
        for hosted in self._hosted.values():
            for receiver in hosted.receivers:
                receiver.arrivals = transport.arrivals(receiver.receiver, receiver.wake)
            for worker in hosted.workers:
                worker.start()

    def _make_transport(self, keys: Keys) -> Transport:
        first = self._first.component.name
        hosting = Hosting(
            process_id=self.process_id,
            components=[component.name for component in self.components if not component.only_asks],
            database=self._first.database,
            wake_url=component_url(self._owner_url, first, self.settings),
            keys=keys,
            serve=self._answer_remote,
            heard=self._heard,
            calls_at_once=max(component.calls_at_once for component in self.components),
        )
        postgres = PostgresTransport(hosting)
        return postgres if self.settings.transport == "postgres" else RabbitTransport(hosting, self.settings, postgres)

    @property
    def _first(self) -> _Hosted:
        return next(iter(self._hosted.values()))

    @property
    def _databases(self) -> list[Database]:
        """Of each component, also those elsewhere."""
        own = [hosted.database for hosted in self._hosted.values()]
        return [database for each in own for database in (each, *each.others)]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._stop_working()
        except TimeoutError:
            log.warning("stop_limit_reached", limit_s=STOP_LIMIT_S)
        finally:
            await end_tasks(self._tasks, CANCEL_AGAIN_S)
            await self._close_databases()

    def stop_waiting(self) -> None:
        """Take no more calls of others, and tell the components that this process is to end.

        Leaving the process does it, too; whoever has doors to close first does it before.
        """
        if not self._is_stopping:
            self._is_stopping = True
            if self._transport is not None:
                self._transport.stop_taking()
            for component in self.components:
                if component.stopping is not None:
                    component.stopping()

    async def _stop_working(self) -> None:
        """Take nothing new, finish what is under way; calls last, because handlers may be waiting for them."""
        self.stop_waiting()
        await asyncio.gather(*(worker.stop() for hosted in self._hosted.values() for worker in hosted.workers))
        if self._transport is not None:
            await self._transport.finish()
        ended = await asyncio.gather(*map(_close, self._hosted.values()), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

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
        trace = TRACE.get() or Trace.begun_by(uuid7())
        try:
            with telemetry.call(asked, trace) if telemetry.sink is not None else telemetry.OFF:
                async with asyncio.timeout(deadline_s):
                    return cast("list[Answer]", await self._ask(asked, trace, deadline_s))
        except TimeoutError as error:
            raise DeadlineExceededError from error

    async def send(self, commands: Sequence[Command]) -> None:
        """See Bus."""
        async with self._first.database.transaction() as tx:
            for command in commands:
                tx.send(command)

    async def _ask(self, messages: Sequence[Message], trace: Trace, deadline_s: float) -> list[Any]:
        if not messages:
            return []
        receivers = {routes.receiver_of_call(kind) for kind in set(map(type, messages))}
        if len(receivers) != 1:
            raise UnroutableError("one call goes to one component")
        name = receivers.pop()
        hosted = self._hosted.get(name)
        if hosted is not None and not hosted.component.only_asks:
            return await _ask_hosted(hosted, messages, trace)
        if self._transport is None:
            raise UnroutableError(name)
        return await self._transport.ask(name, messages, trace, deadline_s)

    async def _answer_remote(self, name: str, messages: Sequence[Message], trace: Trace) -> list[BaseModel | None]:
        TRACE.set(trace)
        return await _ask_hosted(self._hosted[name], messages, trace)

    # wake-up hints

    def _committed(self, todo: ToDo) -> None:
        """Wake our own lanes at once; tell other processes of lanes that are not ours."""
        others = {place: messages for place, messages in todo.items() if not self._wake(*place)}
        if others and self._transport is not None:
            self._transport.tell(others)

    def _wake(self, receiver: str, lane: int) -> bool:
        hosted = self._hosted.get(receiver.partition(".")[0])
        ours = [one for one in hosted.receivers if one.receiver == receiver] if hosted else []
        return any(one.wake(lane) for one in ours)

    def _heard(self, names: AbstractSet[str]) -> None:
        for name, hosted in self._hosted.items():
            for one in hosted.receivers:
                if one.receiver in names:
                    one.poll_soon()
            signals = {text.removeprefix(f"{name}{SIGNAL}") for text in names if text.startswith(f"{name}{SIGNAL}")}
            if signals and hosted.component.signalled is not None:
                hosted.component.signalled(signals)

    def _signal(self, name: str, signals: AbstractSet[str]) -> None:
        """Hand signals of a component to it, here and in other processes."""
        signalled = self._hosted[name].component.signalled
        if signalled is not None:
            signalled(signals)
        if self._transport is not None:
            for signal in signals:
                self._transport.signal(f"{name}{SIGNAL}{signal}")

    def complaint(self) -> str | None:
        """What is wrong with the way to other processes; None when all is well."""
        return None if self._transport is None else self._transport.complaint()

    async def drained(self, deadline_s: float, components: Collection[str] = ()) -> None:
        """Wait until nothing is due for these components, or for those hosted here. Raises TimeoutError."""
        database = self._first.database
        async with asyncio.timeout(deadline_s):
            while True:
                async with database.connection() as connection:
                    if not await connection.fetchval(DUE, list(components or self._hosted)):
                        return
                await asyncio.sleep(DRAIN_POLL_S)


async def _close(hosted: _Hosted) -> None:
    await hosted.calls.close()
    if hosted.component.close is not None:
        await hosted.component.close()


async def _ask_hosted(hosted: _Hosted, messages: Sequence[Message], trace: Trace) -> list[Any]:
    hosted.pauses.check(hosted.component.name)
    apart = hosted.component.apart.get(type(messages[0]))
    if apart is not None:
        return await hosted.apart.ask(apart, messages)
    if isinstance(messages[0], Query):
        return [await _answer(hosted, message) for message in messages]
    return await hosted.calls.put(messages, trace).all()


async def _answer(hosted: _Hosted, query: Message) -> BaseModel:
    tester = hosted.component.connection_tests.get(cast("type[Query]", type(query)))
    if tester is not None:
        return await tester(query)
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
