"""Layer 1b: whatever hypothesis thinks of, asked of two ledgers on a real PostgreSQL; each example is checked whole."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from hub.clock import AdjustableClock, business_date_of
from hub.errors import PermanentError
from hub.installed import installed
from hub.process import HubProcess
from hub.settings import Settings
from schemas.audit import VerifyLedger
from schemas.points import BalanceOf, OutcomesOf, PostingAnswer, PostingCommand
from tests.reliability import listener
from tests.reliability.checker import World as Rules
from tests.reliability.checker import check
from tests.reliability.history import History
from tests.reliability.planted.bugs import BUGS
from tests.reliability.sizes import MACHINE_EXAMPLES
from tests.reliability.snapshot import TOTAL, forget_everything, from_postgres
from tests.reliability.workload import CITIZENS, COUNTERS, POOLS
from tests.running import SECRET_KEY
from tests.waiting import wait_until
from tests.workers.ledger.naive import NaiveLedger
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    DATED,
    FESTIVAL,
    FOREVER,
    MONTHLY,
    OTHER_STORE,
    RULES,
    START,
    STORE,
    credit,
    expire,
    move,
    open_pools,
    refusal,
    result,
    sweep,
    use,
)

Result = TypeVar("Result")
DEADLINE_S: Final = 20.0
UNFINISHED: Final = "SELECT count(*) FROM hub.delivery"


class BackAndForthClock(AdjustableClock):
    """A clock that each example may set as it likes."""

    def __init__(self) -> None:
        super().__init__(START)
        self.moved = timedelta()

    def now(self) -> datetime:
        return START + self.moved

    def business_date(self) -> date:
        return business_date_of(self.now())


class World:
    """Two processes with the ledger and the listener, for all examples; emptied between them."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._url = url
        self._stack = AsyncExitStack()
        self.clocks = [BackAndForthClock(), BackAndForthClock()]
        self.processes: list[HubProcess] = []
        self.run(self._open())

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """On the world's own loop."""
        return self._runner.run(coroutine)

    async def _open(self) -> None:
        self.owner = await asyncpg.connect(self._url)
        await self.owner.execute(listener.MAKE_TABLES)
        made = Settings.model_validate({"database_url": self._url, "secret_key": SECRET_KEY})
        # No job: by a clock that comes back from the future it would close days that are still to come.
        components = [*(each.without_work() for each in installed(["ledger"])), listener.INSTALLED]
        for clock in self.clocks:
            process = HubProcess(made, clock, components, self._url)
            self.processes.append(await self._stack.enter_async_context(process))

    async def forget(self) -> None:
        """Begin anew; who owns which lane stays."""
        await forget_everything(self.owner)
        for clock in self.clocks:
            clock.moved = timedelta()
        await open_pools(self.processes[0].database_of("ledger"))

    async def is_drained(self) -> bool:
        """Whether everything said was heard."""
        return bool(await self.owner.fetchval(UNFINISHED) == 0)

    async def close(self) -> None:
        """End."""
        await self._stack.aclose()
        await self.owner.close()

    def end(self) -> None:
        """End, and the loop with it."""
        self.run(self.close())
        self._runner.close()


citizens: Final = st.sampled_from(CITIZENS[:3])
amounts: Final = st.integers(1, 40)
pools: Final = st.sampled_from(POOLS)
ending_pools: Final = st.sampled_from((MONTHLY, MONTHLY, DATED, FESTIVAL))
processes: Final = st.integers(0, 1)


class Books(RuleBasedStateMachine):
    """Single commands are compared with the naive ledger at once; what runs side by side, by the check at the end."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.naive: NaiveLedger | None = NaiveLedger(RULES)
        self.made: list[PostingCommand] = []
        self.names = 0

    @initialize()
    def begin(self) -> None:
        self.world.run(self.world.forget())

    @rule(at=processes, me=citizens, amount=amounts, partner=st.sampled_from((AIRLINE, CARD)))
    def credit_reserve(self, at: int, me: UUID, amount: int, partner: UUID) -> None:
        self.ask(at, credit(self.name(), me, amount, party_id=partner))

    @rule(at=processes, me=citizens, amount=amounts, pool=pools)
    def credit_pool(self, at: int, me: UUID, amount: int, pool: str) -> None:
        self.ask(at, credit(self.name(), me, amount, pool))

    @rule(at=processes, me=citizens, amount=amounts, pool=pools)
    def move_reserve(self, at: int, me: UUID, amount: int, pool: str) -> None:
        self.ask(at, move(self.name(), me, amount, pool))

    @rule(at=processes, me=citizens, amount=amounts, pool=pools, store=st.sampled_from((STORE, OTHER_STORE)))
    def use_points(self, at: int, me: UUID, amount: int, pool: str, store: UUID) -> None:
        self.ask(at, use(self.name(), me, amount, pool, store, COUNTERS[pool]))

    @rule(at=processes, me=citizens, pool=pools)
    def sweep_reserve(self, at: int, me: UUID, pool: str) -> None:
        self.ask(at, sweep(self.name(), me, pool))

    @rule(at=processes, me=citizens)
    def expire_points(self, at: int, me: UUID) -> None:
        self.ask(at, expire(self.name(), me))

    @rule(at=processes, which=st.integers(0, 1000), other=st.booleans())
    def ask_again(self, at: int, which: int, other: bool) -> None:  # noqa: FBT001 - drawn
        """The same command, or another one under its id."""
        if self.made:
            command = self.made[which % len(self.made)]
            self.ask(at, command.model_copy(update={"request_hash": b"other"}) if other else command)

    @rule(me=citizens, amount=amounts, pool=pools, count=st.integers(2, 12))
    def side_by_side(self, me: UUID, amount: int, pool: str, count: int) -> None:
        """Uses and credits of one citizen through both processes at once, one of them twice."""
        commands: list[PostingCommand] = [credit(self.name(), me, amount, pool)]
        commands += [use(self.name(), me, amount, pool, lg_code=COUNTERS[pool]) for _ in range(count)]
        self.at_once([*commands, commands[-1], refusal(self.name(), me)])

    @rule(days=st.integers(-40, 40), at=processes)
    def days_go_by(self, days: int, at: int) -> None:
        """On one process's clock: they need not agree."""
        self.world.clocks[at].moved += timedelta(days=days)

    @rule(at=processes, me=citizens, amount=amounts, pool=pools, days=st.integers(1, 70))
    def spend_what_was_kept(self, at: int, me: UUID, amount: int, pool: str, days: int) -> None:
        """Credited, kept for days, then used: in time or too late."""
        self.credit_pool(at, me, amount, pool)
        self.days_go_by(days, at)
        self.use_points(at, me, 1, pool, STORE)

    @rule(at=processes, me=citizens, amount=amounts, pool=ending_pools, days=st.sampled_from((1, 22, 45, 70)))
    def let_go_by(self, at: int, me: UUID, amount: int, pool: str, days: int) -> None:
        """Credited, kept for days, then swept and expired as far as it is due."""
        self.credit_pool(at, me, amount, pool)
        self.credit_reserve(at, me, amount, CARD)
        self.days_go_by(days, at)
        self.sweep_reserve(at, me, FOREVER)
        self.expire_points(at, me)

    @invariant()
    def all_balances_sum_to_zero(self) -> None:
        self.history.totals.append(self.world.run(self.world.owner.fetchval(TOTAL)))

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    def ask(self, at: int, command: PostingCommand) -> None:
        self.made.append(command)
        answer = self.world.run(self.world.processes[at].call(command, DEADLINE_S))
        self.history.record(command, answer)
        if self.naive is not None:
            expected = self.naive.ask(command, self.world.clocks[at].business_date())
            assert result(answer) == expected

    def at_once(self, commands: list[PostingCommand]) -> None:
        """From here on only the check at the end knows the order."""
        self.naive = None
        self.made += commands

        async def both() -> list[PostingAnswer]:
            asked = (self.world.processes[n % 2].call(command, DEADLINE_S) for n, command in enumerate(commands))
            return await asyncio.gather(*asked)

        for command, answer in zip(commands, self.world.run(both()), strict=True):
            self.history.record(command, answer)

    def teardown(self) -> None:
        self.world.run(self._check())

    async def _check(self) -> None:
        process = self.world.processes[0]
        await wait_until(self.world.is_drained, deadline_s=30)
        for party_id, command_id in self.history.asked_keys():
            found = await process.call(OutcomesOf(party_id=party_id, command_ids=[command_id]), DEADLINE_S)
            self.history.final |= {(party_id, outcome.command_id): outcome.answer for outcome in found.outcomes}
        if self.naive is not None:
            await self._compare_balances(self.naive)
        assert check(self.history, await from_postgres(self.world.owner), Rules(RULES)) == []
        for partition in range(3):
            assert (await process.call(VerifyLedger(partition=partition), DEADLINE_S)).fault is None

    async def _compare_balances(self, naive: NaiveLedger) -> None:
        today = self.world.clocks[0].business_date()
        for me in CITIZENS:
            told = await self.world.processes[0].call(BalanceOf(citizen_id=me), DEADLINE_S)
            rightly = {pool: naive.balance(me, pool, today) for pool in ("reserve", *POOLS)}
            assert told.by_pool == {pool: points for pool, points in rightly.items() if points}


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.end()


def play(world: World, examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    Books.world = world
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(600)
def test_whatever_is_asked_the_books_hold(world: World) -> None:
    play(world, MACHINE_EXAMPLES)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["expired_lot_spent", "rollup_forgotten", "expired_account_not_loaded"])
def test_a_planted_bug_is_found(world: World, name: str) -> None:
    with BUGS[name].plant(), pytest.raises((AssertionError, PermanentError)):
        play(world, 100, phases=[Phase.generate])
