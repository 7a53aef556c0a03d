"""Layer 1: the hub's and the ledger's real code in virtual time, over the twin of PostgreSQL, with faults from a seed.

Two processes, each with the ledger and the listener, two writers for every partition. Callers ask by group commit and
by durable commands, repeat, conflict, give up and try again; the nemesis kills processes (at any await), pauses them
longer than a lease, cuts connections before and after commits, stops the server, moves clocks. Then everything is
healed, drained, read and checked. The same seed plays the same run, step by step:

    PYTHONHASHSEED=0 python -m tests.reliability.sim --first 17 --count 1
"""

import argparse
import asyncio
import gc
import hashlib
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final, cast
from unittest import mock
from uuid import UUID

import asyncpg
import structlog

from hub import outbox
from hub.calls import CallQueue
from hub.clock import business_date_of
from hub.component import Context, Installed
from hub.database import Database
from hub.errors import HubError, TransientError
from hub.keys import Keys
from hub.outbox import ToDo
from hub.routes import DELIVERED_TO
from hub.runner import Runner
from hub.sealing import PURPOSE
from hub.settings import Settings
from hub.tracing import Trace
from hub.transports.outside import OutsideReceiver
from hub.transports.receiver import Receiver
from schemas.points import OutcomesOf, PostingAnswer, PostingCommand
from tests.reliability import listener, virtual_time
from tests.reliability.checker import Violation, World, check
from tests.reliability.history import History
from tests.reliability.snapshot import (
    SAID_TYPES,
    ContraRow,
    CouponRow,
    DeliveryRow,
    HeardRow,
    HoldRow,
    LotRow,
    RollupRow,
    Snapshot,
    event_of,
)
from tests.reliability.twin import EPOCH, Broken, Fields, Twin, TwinConnection, TwinPool
from tests.reliability.twin_statements import COPIES, STATEMENTS
from tests.reliability.workload import CITIZENS, COUPONS, EVERYTHING, MORTALS, Common, Workload, naive_coupons
from tests.running import SECRET_KEY
from tests.workers.ledger.world import RULES, open_pools
from workers.ledger import store
from workers.ledger.accounts import Kind
from workers.ledger.audit import BlockRow, HeadRow
from workers.ledger.chain import OutcomeRow, TransferRow
from workers.ledger.component import component as ledger_component
from workers.ledger.reading import outcomes_of

INSTALLED: Final = (Installed("ledger", ledger_component), listener.FOR_ALL)
PROCESSES: Final = 2
LANES_USED: Final = 3
"""The workload's citizens are in the first lanes; the others would only be looked after."""
CLIENTS: Final = 4
COMMANDS_EACH: Final = 16
TRIES_LIMIT: Final = 6
CALL_DEADLINE_S: Final = 3.0
POLL_S: Final = 1.5
DRAIN_LIMIT_S: Final = 60.0
RUN_LIMIT_S: Final = 600.0
SEALER: Final = Keys(SECRET_KEY.encode()).sealer(PURPOSE)


DAYS_PER_S: Final = 2
"""Business days pass quickly, so that points are swept and expire in a short run."""


class SimClock:
    """A process's own clock, which the nemesis moves."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self.offset = timedelta()

    def now(self) -> datetime:
        """The instant this process believes in."""
        return EPOCH + timedelta(days=self._twin.now_s() * DAYS_PER_S) + self.offset

    def business_date(self) -> date:
        """The day in Japan by it."""
        return business_date_of(self.now())

    def monotonic(self) -> float:
        """Seconds; nobody moves them."""
        return self._twin.now_s()


class TwinDatabase(Database):
    """A component's pool on the twin."""

    def connect_to(self, pool: TwinPool) -> None:
        """Instead of `open`."""
        self._pool = cast("asyncpg.Pool[asyncpg.Record]", pool)


@dataclass(slots=True)
class _Hosted:
    database: TwinDatabase
    calls: CallQueue
    receivers: dict[str, Receiver]


class SimProcess:
    """A process of the hub; dead means that nothing in it ever goes on."""

    def __init__(self, sim: "Simulation") -> None:
        self.sim = sim
        self.process_id = sim.uuid()
        self.clock = SimClock(sim.twin)
        self.dead = False
        self.paused_until_s = 0.0
        self.killed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.hosted = {one.name: self._host(one) for one in INSTALLED}
        for hosted in self.hosted.values():
            for receiver in hosted.receivers.values():
                receiver.lanes._count = LANES_USED
                receiver.start()

    def _host(self, one: Installed) -> _Hosted:
        database = TwinDatabase(one.name, "", 4, self.clock, SEALER)
        database.connect_to(TwinPool(4, self._connect))
        database.on_commit = self._committed
        component = one.factory(Context(self.sim.settings, self.clock, cast("Any", None), database))
        runner = Runner(component, database)
        receivers = {one.name: Receiver(one.name, runner, database, self.process_id)}
        if component.outside:
            name = f"{one.name}.outside"
            receivers[name] = OutsideReceiver(name, runner, database, self.process_id)
        return _Hosted(database, CallQueue(runner, 2), receivers)

    def receiver(self, name: str) -> Receiver | None:
        """What brings a receiver's deliveries here."""
        hosted = self.hosted.get(name.partition(".")[0])
        return hosted.receivers[name] if hosted else None

    def _connect(self) -> TwinConnection:
        return TwinConnection(self.sim.twin, self, self._travel, STATEMENTS, COPIES)

    async def _travel(self) -> None:
        """To the server or back: latency, pauses, cuts; the dead never arrive."""
        sim = self.sim
        await asyncio.sleep(sim.latency_s())
        if self.paused_until_s > sim.twin.now_s():
            await asyncio.sleep(self.paused_until_s - sim.twin.now_s())
        if not self.dead and sim.random.random() < sim.kill_rate:
            self.kill()
        if self.dead:
            await asyncio.get_running_loop().create_future()
        if sim.server_is_down() or sim.random.random() < sim.cut_rate:
            raise Broken

    def _committed(self, todo: ToDo) -> None:
        for receiver, lane in sorted(todo):
            ours = self.receiver(receiver)
            if ours is None or not ours.wake(lane):
                self.sim.hint(self, receiver)

    def kill(self) -> None:
        """As kill -9: what is under way is rolled back by the server, nothing here goes on."""
        self.dead = True
        self.sim.twin.abort(self)
        self.sim.tell("killed", str(self.process_id))
        if not self.killed.done():
            self.killed.set_result(None)

    async def ask(self, command: PostingCommand) -> PostingAnswer | None:
        """A call through this process's door; None when it dies or does not answer in time."""
        if self.dead:
            return None
        try:
            asked = self.hosted["ledger"].calls.put([command], Trace.begun_by(self.sim.uuid()))
            either: list[asyncio.Future[Any]] = [asked.ended, self.killed]
            await asyncio.wait(either, timeout=CALL_DEADLINE_S, return_when=asyncio.FIRST_COMPLETED)
            if self.killed.done() or not asked.ended.done():
                asked.ended.cancel()
                return None
            return cast("PostingAnswer", (await asked.all())[0])
        except TransientError:
            return None
        except Exception as error:  # noqa: BLE001 - whatever else comes out is told by the checker
            self.sim.history.unclassified.append(f"{command.command_id}: {error!r}")
            return None

    async def send(self, command: PostingCommand) -> None:
        """The durable way: nobody waits for an answer; over when we die."""
        either: list[asyncio.Future[None]] = [asyncio.create_task(self._send(command)), self.killed]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)

    async def _send(self, command: PostingCommand) -> None:
        try:
            async with self.hosted["ledger"].database.transaction() as tx:
                tx.send(command)
        except (HubError, asyncpg.PostgresError):
            return


class Simulation:
    """One run."""

    def __init__(self, seed: int, operations: Mapping[str, float]) -> None:
        loop = asyncio.get_running_loop()
        self._operations = operations
        self.random = Random(seed)
        self.twin = Twin(loop.time)
        self.settings = Settings.model_validate({"secret_key": SECRET_KEY, "data_dir": "/nowhere"})
        self.history = History()
        self.trace = hashlib.sha256()
        self.latency_limit_s = 0.002
        self.cut_rate = 0.0
        self.kill_rate = 0.0
        self.down_until_s = 0.0
        self._ids = 0
        self._common = Common()
        self._tasks: set[asyncio.Task[None]] = set()
        self.processes: list[SimProcess] = []

    def uuid(self) -> UUID:
        """Ids that grow, the same in every replay."""
        self._ids += 1
        return UUID(int=(0x7 << 76) | (self._ids << 8) | self.random.getrandbits(8))

    def tell(self, *what: str) -> None:
        """Something has happened: into the trace that tells whether two runs were the same."""
        self.trace.update(f"{self.twin.now_s():.9f} {' '.join(what)}\n".encode())

    def latency_s(self) -> float:
        """Mostly short, now and then long."""
        share = self.random.random()
        return self.latency_limit_s * share if share < 0.98 else share * 100 * self.latency_limit_s

    def server_is_down(self) -> bool:
        """Whether PostgreSQL takes no connections now."""
        return self.twin.now_s() < self.down_until_s

    def hint(self, teller: SimProcess, receiver: str) -> None:
        """A wake-up hint to the other processes; one in five is lost."""
        for process in self.processes:
            theirs = process.receiver(receiver)
            if theirs and process is not teller and not process.dead and self.random.random() < 0.8:
                theirs.poll_soon()

    async def play(self) -> tuple[History, Snapshot]:
        """Load with faults, heal, drain, read."""
        self.processes = [SimProcess(self) for _ in range(PROCESSES)]
        await open_pools(self.processes[0].hosted["ledger"].database)
        self.twin.apply("coupon", dict(map(_coupon_row, COUPONS.items())))
        nemesis = asyncio.create_task(self._nemesis())
        async with asyncio.timeout(RUN_LIMIT_S):
            await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))
        nemesis.cancel()
        await self._heal_and_drain()
        await self._read_finally()
        return self.history, snapshot_of(self.twin)

    # the callers

    async def _client(self, number: int) -> None:
        citizens = (*CITIZENS, *MORTALS)
        workload = Workload(self.random, f"c{number}", self._common, citizens, self._operations, self._now)
        for _ in range(COMMANDS_EACH):
            await asyncio.sleep(self.random.random())
            command = workload.next()
            way, rival = self.random.random(), workload.rival(command)
            if rival is not None:
                await asyncio.gather(self._ask(command), self._ask(rival))
            elif way < 0.15:
                self.history.record(command, None)
                self._spawn(self._process().send(command))
            elif way < 0.3:
                await asyncio.gather(*(self._ask_once(command) for _ in range(3)))
            else:
                await self._ask(command)
            self.history.totals.append(self.twin.total())

    def _now(self) -> datetime:
        """What the clock says that is the furthest on: what has ended by it has ended."""
        return max(process.clock.now() for process in self.processes)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _process(self) -> SimProcess:
        return self.random.choice(self.processes)

    async def _ask_once(self, command: PostingCommand) -> PostingAnswer | None:
        answer = await self._process().ask(command)
        self.history.record(command, answer)
        self.tell(command.command_id, str(answer))
        if answer is not None and answer.code is None:
            self._common.posted(command)
        return answer

    async def _ask(self, command: PostingCommand) -> None:
        for _ in range(TRIES_LIMIT):
            if await self._ask_once(command) is not None:
                return
            await asyncio.sleep(self.random.random())

    # the nemesis

    async def _nemesis(self) -> None:
        menu: Sequence[Callable[[], None]] = (
            self._kill_one, self._kill_at_some_step, self._pause_one, self._cut_some, self._stop_server,
            self._move_a_clock, self._move_all_clocks, self._slow_down,
        )  # fmt: skip
        while True:
            await asyncio.sleep(self.random.uniform(0.2, 2.0))
            self.cut_rate = self.kill_rate = 0.0
            self.latency_limit_s = 0.002
            self.history.faults += 1
            self.random.choice(menu)()
            self._spawn(self._replace_the_dead())

    def _kill_one(self) -> None:
        self._process().kill()

    def _kill_at_some_step(self) -> None:
        self.kill_rate = 0.02

    def _pause_one(self) -> None:
        self._process().paused_until_s = self.twin.now_s() + self.random.uniform(0.5, 14.0)

    def _cut_some(self) -> None:
        self.cut_rate = 0.05

    def _stop_server(self) -> None:
        self.down_until_s = self.twin.now_s() + self.random.uniform(0.1, 1.5)
        for process in self.processes:
            self.twin.abort(process)

    def _move_a_clock(self) -> None:
        self._process().clock.offset += timedelta(days=self.random.randint(-3, 9), hours=self.random.randint(0, 12))

    def _move_all_clocks(self) -> None:
        by = timedelta(days=self.random.randint(1, 20))
        for process in self.processes:
            process.clock.offset += by

    def _slow_down(self) -> None:
        self.latency_limit_s = 0.05

    async def _replace_the_dead(self) -> None:
        await asyncio.sleep(self.random.uniform(0.1, 3.0))
        for number, process in enumerate(self.processes):
            if process.dead:
                self.processes[number] = SimProcess(self)
                self.processes[number].clock.offset = process.clock.offset

    # the end

    async def _heal_and_drain(self) -> None:
        self.cut_rate = self.kill_rate = 0.0
        self.latency_limit_s = 0.002
        self.down_until_s = 0.0
        for process in self.processes:
            process.paused_until_s = min(process.paused_until_s, self.twin.now_s())
        await self._replace_the_dead()
        healed_s = self.twin.now_s()
        give_up_s = healed_s + DRAIN_LIMIT_S + 1.0
        while self._has_work() and self.twin.now_s() < give_up_s:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        self.history.heal_to_drained_s = self.twin.now_s() - healed_s

    def _has_work(self) -> bool:
        """Whether something is not done yet: deliveries, or calls that their callers gave up."""
        calls = any(process.hosted["ledger"].calls._working for process in self.processes)
        return calls or bool(self._tasks) or bool(self.twin.tables["delivery"])

    async def _read_finally(self) -> None:
        async with self.processes[0].hosted["ledger"].database.reading() as reading:
            for party_id, command_id in self.history.asked_keys():
                found = await outcomes_of(OutcomesOf(party_id=party_id, command_ids=[command_id]), reading)
                for outcome in found.outcomes:
                    self.history.final[party_id, command_id] = outcome.answer


def snapshot_of(twin: Twin) -> Snapshot:
    """The twin's committed rows, in the order the checker is used to."""

    def rows(table: str, kind: Callable[..., Any], key: Callable[[Fields], Any] = lambda _row: 0) -> list[Any]:
        return [kind(*(row[name] for name in kind._fields)) for row in sorted(twin.tables[table].values(), key=key)]  # type: ignore[attr-defined]

    def place(row: Fields) -> tuple[int, int]:
        return row["partition"], row["block"]

    return Snapshot(
        {p: HeadRow(row["block"], row["hash"], row["next_account"]) for p, row in twin.tables["head"].items()},
        rows("block", BlockRow, place),
        rows("outcome", OutcomeRow, lambda row: (*place(row), row["number"])),
        rows("transfer", TransferRow, lambda row: (*place(row), row["line"])),
        rows("lot", LotRow),
        rows("contra", ContraRow),
        rows("rollup", RollupRow),
        [
            DeliveryRow(row["receiver"], row["lane"], row["state"], len(row["message_ids"]), row["reason"])
            for row in twin.tables["delivery"].values()
        ],
        [event_of(row["type"], row["body"]) for row in _events(twin)],
        [HeardRow(*row.values()) for _, row in sorted(twin.tables["heard"].items())],
        [row["notice_id"] for row in twin.tables["sent"].values()],
        rows("hold", HoldRow),
        [
            CouponRow(party, code, row["used_by"])
            for (party, code), row in twin.tables["coupon"].items()
            if row["used_by"]
        ],
        {key: row["posted_at"] for key, row in twin.tables["block"].items()},
    )


def _coupon_row(coupon: tuple[tuple[UUID, bytes], tuple[int, str]]) -> tuple[tuple[UUID, bytes], Fields]:
    key, (points, pool) = coupon
    row = {"points": points, "pool": pool, "last": date.max, "used_by": None, "used_on": None}
    return key, {"party_id": key[0], "code_hash": key[1], **row}


def _events(twin: Twin) -> list[Fields]:
    return [message for message in twin.tables["message"].values() if message["type"] in SAID_TYPES]


@dataclass(frozen=True, slots=True)
class Played:
    """How a seed's run ended; `trace` is the same for the same run."""

    seed: int
    violations: list[Violation]
    trace: str
    asked: int
    faults: int
    posted: Counter[str]
    """How many of each kind of operation were posted."""


def play(seed: int, operations: Mapping[str, float] = EVERYTHING) -> Played:
    """Play one seed of these operations and check it."""
    random.seed(seed)

    async def main() -> Played:
        sim = Simulation(seed, operations)
        with (
            mock.patch("hub.transaction.uuid7", sim.uuid),
            mock.patch("hub.transports.receiver.POLL_S", POLL_S),
            # Every other seed writes by COPY, as large batches do.
            mock.patch("hub.outbox.FEW", outbox.FEW if seed % 2 else 0),
            mock.patch("workers.ledger.store.FEW", store.FEW if seed % 2 else 0),
            mock.patch.dict(DELIVERED_TO, listener.DELIVERED),
        ):
            history, snapshot = await sim.play()
        violations = check(history, snapshot, World(RULES, naive_coupons(), listener.HEARD_BY_ANYBODY))
        posted = Counter(Kind(row.kind).name for row in snapshot.outcomes if row.code is None)
        return Played(seed, violations, sim.trace.hexdigest(), len(history.asked), history.faults, posted)

    # What the dead have left, waiting for ever, would be collected at moments that no seed decides.
    gc.disable()
    try:
        return virtual_time.run(main())
    finally:
        gc.enable()


def quiet() -> None:
    """The hub's own warnings are the daily bread here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def tell(text: str) -> None:
    """A line for the person who ran it."""
    sys.stdout.write(f"{text}\n")


PLAYED: Final = frozenset(Kind) - {Kind.refusal}
"""What the simulated partners, citizens, counters, shops, streets, staff and clockwork ask for: all that is posted."""
RARE: Final = 8
"""Of so many seeds, one at least has to post each of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play seeds; exit status 1 when one is not clean."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.sim")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    options = parser.parse_args(arguments)
    quiet()
    began_s, bad, asked, faults = time.perf_counter(), 0, 0, 0
    posted: Counter[str] = Counter()
    for seed in range(options.first, options.first + options.count):
        played = play(seed)
        asked, faults = asked + played.asked, faults + played.faults
        posted += played.posted
        if played.violations:
            bad += 1
            tell(f"seed {seed}: rerun with PYTHONHASHSEED=0 python -m tests.reliability.sim --first {seed} --count 1")
            tell("\n".join(f"  {violation.invariant} {violation.what}" for violation in played.violations[:10]))
    took_s = time.perf_counter() - began_s
    tell(f"{options.count} seeds, {asked} asked, {faults} faults, {bad} bad, {took_s:.1f} s; posted {dict(posted)}")
    idle = [kind.name for kind in sorted(PLAYED) if posted[kind.name] < options.count // RARE]
    if idle:
        tell(f"too few were posted to prove anything: {idle}")
    return 1 if bad or idle else 0


if __name__ == "__main__":
    sys.exit(main())
