"""A small installation to be hurt: one PostgreSQL, two of every worker, callers that ask until they are answered.

Its processes reach one another by PostgreSQL, or by the broker that it is given.
"""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import asyncpg

from hub.clock import AdjustableClock
from hub.component import Component, Context, Installed
from hub.database import UNREACHABLE
from hub.errors import HubError, TransientError
from hub.failpoints import ENVIRONMENT
from hub.process import HubProcess
from hub.settings import Settings
from schemas.audit import VerifyLedger
from schemas.points import OutcomesOf, PostingAnswer, PostingCommand
from schemas.values import LANES
from tests.reliability import listener
from tests.reliability.checker import Violation, World, check
from tests.reliability.history import History
from tests.reliability.snapshot import TOTAL, Snapshot, forget_everything, from_postgres
from tests.reliability.worker_process import AMQP_URL, GIVEN_UP, PLANTED, over
from tests.reliability.workload import Common, Workload
from tests.running import SECRET_KEY
from tests.waiting import wait_until
from tests.workers.ledger.world import RULES, START, citizen
from workers.ledger import statements

Result = TypeVar("Result")

Kind: TypeAlias = tuple[str, ...]
"""What a worker hosts."""
TOGETHER: Final[tuple[Kind, ...]] = (("ledger", "mail"),)
APART: Final[tuple[Kind, ...]] = (("ledger",), ("mail",))
"""So that whatever the ledger says goes to another process."""
DOOR: Final = "hub"
"""The component in whose name the callers ask."""

ROOT: Final = Path(__file__).parents[2]
CITIZENS: Final = tuple(citizen(number, lane) for lane in (0, 5, 10, 15) for number in (1, 2))
"""In lanes that both workers have a share of."""
CALLERS: Final = 6
CALL_DEADLINE_S: Final = 1.0
ANSWER_LIMIT_S: Final = 40.0
"""A command that has not been answered by then never is; a pause holds its lane up for that long at most."""
START_LIMIT_S: Final = 30.0
DRAIN_LIMIT_S: Final = 60.0
TOTALS_EVERY_S: Final = 0.1
ASKED_LIMIT: Final = 1_500
"""The most that is asked in one case: the check takes time too."""
POSTED_OF_ASKED: Final = 4
"""Of so many that are asked at least, one is posted at least; else little is proved."""
UNDER_WAY: Final = """
SELECT (SELECT count(*) FROM hub.delivery) + (SELECT count(*) FROM hub.call WHERE expires_at > now())
    + (SELECT count(*) FROM pg_stat_activity WHERE usename = 'mykey_ledger' AND state <> 'idle')
"""
DAYS: Final = (0, 25)
"""The two workers do not agree on the day: one of them finds reserve points to sweep."""


class By(NamedTuple):
    """How a process reaches the servers; without a broker, processes reach one another by PostgreSQL."""

    url: str
    amqp_url: str = ""


class Worker:
    """A worker process."""

    def __init__(self, process: Process, kind: Kind) -> None:
        self.process = process
        self.kind = kind

    @classmethod
    async def load(cls, kind: Kind, url: str, days: int, **settings: str) -> "Worker":
        """Start one, with variables of its environment; it waits for `go`."""
        environment = {"PATH": os.environ["PATH"], **settings}
        arguments = ["-m", "tests.reliability.worker_process", url, str(days), *kind]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=PIPE, stdout=PIPE, cwd=ROOT, env=environment
        )
        return cls(process, kind)

    async def go(self) -> None:
        """Have it work. A failpoint may end it before it says so."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"go\n")
        async with asyncio.timeout(START_LIMIT_S):
            while line := await self.process.stdout.readline():
                if line == b"at work\n":
                    return

    def is_dead(self) -> bool:
        """Whether it has ended."""
        return self.process.returncode is not None

    def send_signal(self, number: int) -> None:
        """As the operating system would."""
        if not self.is_dead():
            self.process.send_signal(number)

    async def end(self) -> None:
        """At once."""
        self.send_signal(signal.SIGKILL)
        await self.process.wait()


def _door(_context: Context) -> Component:
    return Component(name=DOOR)


class Cluster:
    """The installation, its callers, and what they know; for one run after another."""

    def __init__(
        self,
        url: str,
        planted: str = "",
        answer_limit_s: float = ANSWER_LIMIT_S,
        amqp_url: str = "",
        kinds: Sequence[Kind] = TOGETHER,
        by: Mapping[str, By] = MappingProxyType({}),
        given_up_s: float | None = None,
    ) -> None:
        """`by`: the first component of a worker, or `hub` for the callers' own process → how it reaches the servers."""
        self.url = url
        self.by = {name: by.get(name, By(url, amqp_url)) for name in (DOOR, *(kind[0] for kind in kinds))}
        self.answer_limit_s = answer_limit_s
        self.planted = planted
        self._given_up = "" if given_up_s is None else str(given_up_s)
        self.amqp_url = amqp_url
        self.kinds = kinds
        self.pace_s = 0.0
        """How long each caller waits after it was answered."""
        self.history = History()
        self._loads = 0
        self.workers: list[Worker] = []
        self._spares: dict[str, Worker] = {}
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.run(self._open())

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """On the cluster's own loop."""
        return self._runner.run(coroutine)

    async def _open(self) -> None:
        self.owner = await asyncpg.connect(self.url)
        await self.owner.execute(listener.MAKE_TABLES)
        url, amqp_url = self.by[DOOR]
        settings = Settings.model_validate(
            {"database_url": url, "secret_key": SECRET_KEY, "pool_size": 8, **over(amqp_url)}
        )
        door = HubProcess(settings, AdjustableClock(START), [Installed(DOOR, _door)], url)
        self.door = await self._stack.enter_async_context(door)

    def close(self) -> None:
        """End everything that was started."""
        self.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        for worker in (*self.workers, *self._spares.values()):
            await worker.end()
        await self._stack.aclose()
        await self.owner.close()

    # workers

    async def have_workers(self, *failpoints: str) -> list[Worker]:
        """Two of each kind at work; where a failpoint is given, a fresh one has it."""
        self.workers = [worker for worker in self.workers if not worker.is_dead()]
        for point in failpoints:
            await self.prepare(point)
        loaded = [self._spares.pop(point) for point in failpoints]
        there = Counter(worker.kind for worker in (*self.workers, *loaded))
        missing = [kind for kind in self.kinds for _ in range(len(DAYS) - there[kind])]
        loaded += [await self._load(kind, DAYS[0]) for kind in missing]
        await asyncio.gather(*(worker.go() for worker in loaded))
        self.workers += loaded
        return loaded

    async def prepare(self, failpoint: str) -> None:
        """Load the worker that will have this failpoint, while the last case is still being checked."""
        if failpoint not in self._spares:
            component = failpoint.partition(".")[0]
            kind = next((kind for kind in self.kinds if component in kind), self.kinds[0])
            self._spares[failpoint] = await self._load(kind, DAYS[1], failpoint)

    async def _load(self, kind: Kind, days: int, failpoint: str = "") -> Worker:
        by = self.by[kind[0]]
        settings = {ENVIRONMENT: failpoint, PLANTED: self.planted, AMQP_URL: by.amqp_url, GIVEN_UP: self._given_up}
        return await Worker.load(kind, by.url, days, **settings)

    # one run

    async def begin(self) -> None:
        """Forget the last run."""
        self.history, self._loads = History(), 0
        await forget_everything(self.owner)
        rules = [(r.pool, r.lg_code, r.expiry, r.first, r.last, sorted(r.usable_in), 1) for r in RULES]
        await self.owner.executemany(statements.REGISTER_POOL, rules)

    async def connect_again(self) -> None:
        """After the database was stopped."""
        self.owner.terminate()
        self.owner = await asyncpg.connect(self.url)

    async def load_until(
        self, enough: "asyncio.Future[Any]", seed: int, asked_at_least: int, asked_limit: int = ASKED_LIMIT
    ) -> None:
        """Callers ask until `enough` is done, so much is asked and some of it posted, or for all that may be asked.

        On a busy machine they ask most of it again and again.
        """
        self._loads += 1  # an id of one load of a run is none of another one's
        random, common = Random(seed), Common()
        names = [f"c{self._loads}.{number}" for number in range(CALLERS)]
        callers = [Workload(random, name, common, CITIZENS) for name in names]

        def is_enough() -> bool:
            asked = len(self.history.asked)
            posted = len(self.history.posted) * POSTED_OF_ASKED
            return asked >= asked_limit or (enough.done() and asked >= asked_at_least < posted)

        async def call(workload: Workload) -> None:
            while not is_enough():
                await self._ask_some(workload, random)
                await asyncio.sleep(self.pace_s)

        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look_at_totals())
            await asyncio.gather(*(call(workload) for workload in callers))
            looking.cancel()

    async def _ask_some(self, workload: Workload, random: Random) -> None:
        draw = random.random()
        if draw < 0.15:
            command = workload.next()
            self.history.record(command, None)
            with suppress(*UNREACHABLE):  # whether it was said is unknown then
                await self.door.send([command])
        elif draw < 0.3:
            await self._ask_until_answered([workload.next() for _ in range(random.randint(2, 9))])
        else:
            await self._ask_until_answered([workload.next()])

    async def _ask_until_answered(self, commands: Sequence[PostingCommand]) -> None:
        give_up_s = time.monotonic() + self.answer_limit_s
        while time.monotonic() < give_up_s:
            answers: Sequence[PostingAnswer | None] = [None] * len(commands)
            try:
                answers = await self.door.call_many(commands, CALL_DEADLINE_S)
            except TransientError:
                await asyncio.sleep(0.05)
            except HubError as error:
                self.history.unclassified.append(f"{commands[0].command_id}: {error!r}")
                return
            for command, answer in zip(commands, answers, strict=True):
                self.history.record(command, answer)
            if answers[0] is not None:
                return
        self.history.unclassified.append(f"not answered in {self.answer_limit_s} s: {commands[0].command_id}")

    async def _look_at_totals(self) -> None:
        while True:
            with suppress(*UNREACHABLE):
                connection = await asyncpg.connect(self.url)
                try:
                    while True:
                        self.history.totals.append(int(await connection.fetchval(TOTAL)))
                        await asyncio.sleep(TOTALS_EVERY_S)
                finally:
                    connection.terminate()
            await asyncio.sleep(TOTALS_EVERY_S)

    # its end

    async def drain(self, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Wait until nothing is under way; what is left then is for the check to say."""
        began_s = time.monotonic()
        if self.amqp_url:
            await asyncio.sleep(CALL_DEADLINE_S)  # for so long a call that was given up may wait at the broker

        async def is_quiet() -> bool:
            return not await self.owner.fetchval(UNDER_WAY)

        with suppress(TimeoutError):
            for _ in range(2):  # a call given up by its caller may still be on its way from one table to another
                await wait_until(is_quiet, limit_s)
        self.history.heal_to_drained_s = time.monotonic() - began_s

    async def verdict(self) -> list[Violation]:
        """The final reads, all of them, and the check."""
        await self._read_finally()
        snapshot: Snapshot = await from_postgres(self.owner)
        violations = check(self.history, snapshot, World(RULES))
        for partition in range(LANES):
            report = await self.door.call(VerifyLedger(partition=partition), DRAIN_LIMIT_S)
            if report.fault is not None:
                violations.append(Violation("I11", f"verify: {report.fault}"))
        return violations

    async def _read_finally(self) -> None:
        by_party: dict[Any, list[str]] = {}
        for party_id, command_id in self.history.asked_keys():
            by_party.setdefault(party_id, []).append(command_id)
        for party_id, command_ids in by_party.items():
            asked = OutcomesOf(party_id=party_id, command_ids=command_ids)
            found = await self.door.call(asked, DRAIN_LIMIT_S)
            self.history.final |= {(party_id, outcome.command_id): outcome.answer for outcome in found.outcomes}
