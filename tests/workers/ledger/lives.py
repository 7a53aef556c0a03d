"""Whole lives of a few citizens, at random: every operation of the ledger, in batches, day by day."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from hub.clock import AdjustableClock, start_of_day
from hub.process import HubProcess
from schemas.points import CreditPoints, MovePoints, PostingAnswer, PostingCommand, UsePoints
from tests.workers.ledger import world_holds as holding
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    CITY,
    FESTIVAL,
    FOREVER,
    MONTHLY,
    OTHER_STORE,
    STORE,
    TOWN,
    ask_all,
    credit,
    expire,
    move,
    sweep,
    use,
)

COUNTERS: Final = ((FOREVER, TOWN), (MONTHLY, CITY), (FESTIVAL, TOWN))
"""Pools, and a municipality in which each can be used."""


class Posted(NamedTuple):
    """A command that was posted, and its answer."""

    command: PostingCommand
    answer: PostingAnswer


class Lives:
    """Asks the ledger for whatever comes to mind; `posted` is what was posted, in the order of each citizen."""

    def __init__(self, ledger: HubProcess, clock: AdjustableClock, citizens: Sequence[UUID], seed: int) -> None:
        self.posted: list[Posted] = []
        self.ledger = ledger
        self._clock = clock
        self._citizens = citizens
        self._chance = Random(seed)
        self._number = 0
        self._open: dict[tuple[str, UUID], list[str]] = defaultdict(list)
        """Holds that are open, or captured, by kind and citizen."""

    async def live(self, commands: int) -> None:
        """One batch or more, as many commands."""
        wishes = [self._wish() for _ in range(commands)]
        await self.ask(*wishes)

    async def ask(self, *commands: PostingCommand) -> None:
        """Ask for these, and remember what was posted."""
        answers = await ask_all(self.ledger, *commands)
        for command, answer in zip(commands, answers, strict=True):
            if answer.code is None:
                self.posted.append(Posted(command, answer))

    async def next_day(self, days: int) -> None:
        """Move on; what was set aside at a shop and is over comes back first."""
        self._clock.advance(timedelta(days=days))
        orders = [(who, name) for (kind, who), names in self._open.items() if kind == "order" for name in names]
        for who, name in orders:
            self._open["order", who].remove(name)
        await self.ask(*(holding.expire_order(self._id(), who, name) for who, name in orders))

    def _id(self) -> str:
        self._number += 1
        return f"n{self._number}"

    def _wish(self) -> PostingCommand:
        who = self._chance.choice(self._citizens)
        wishes: list[Callable[[UUID], PostingCommand]] = [
            self._come_in, self._come_in, self._come_in, self._use, self._use, self._move, self._settle_hold,
            self._settle_hold, self._hold, self._correct, self._end,
        ]  # fmt: skip
        return self._chance.choice(wishes)(who)

    def _come_in(self, who: UUID) -> PostingCommand:
        points = self._chance.randint(1, 30)
        party_id = self._chance.choice((AIRLINE, CARD))
        pool = self._chance.choice(("reserve", "reserve", FOREVER, MONTHLY, FESTIVAL))
        if pool != "reserve" and self._chance.random() < 0.3:
            return holding.grant(self._id(), who, points, pool)
        return credit(self._id(), who, points, pool, party_id)

    def _use(self, who: UUID) -> PostingCommand:
        store_id = self._chance.choice((STORE, OTHER_STORE))
        if self._chance.random() < 0.2:
            parts = [use("part", who, self._chance.randint(1, 9), pool, store_id) for pool in (FOREVER, FESTIVAL)]
            return holding.use_together(self._id(), who, *parts)
        pool, lg_code = self._chance.choice(COUNTERS)
        return use(self._id(), who, self._chance.randint(1, 25), pool, store_id, lg_code)

    def _move(self, who: UUID) -> PostingCommand:
        return move(self._id(), who, self._chance.randint(1, 25), self._chance.choice(COUNTERS)[0])

    def _hold(self, who: UUID) -> PostingCommand:
        name, points = self._id(), self._chance.randint(1, 20)
        pool, lg_code = self._chance.choice(COUNTERS)
        kind = self._chance.choice(("voucher", "order", "merge"))
        if kind == "order" and self._open["order", who]:
            kind = "voucher"
        self._open[kind, who].append(name)
        if kind == "voucher":
            last = self._clock.business_date() + timedelta(days=9)
            return holding.issue(name, who, points, pool, lg_code, expires_on=last)
        if kind == "order":
            over = start_of_day(self._clock.business_date() + timedelta(days=1))
            return holding.authorise(name, who, points, pool, until=over)
        return holding.send(name, who, points, pool, lg_code)

    def _settle_hold(self, who: UUID) -> PostingCommand:
        kinds = [kind for kind, whose in self._open if whose == who and self._open[kind, whose]]
        if not kinds:
            return self._hold(who)
        kind = self._chance.choice(kinds)
        name = self._chance.choice(self._open[kind, who])
        if kind == "captured":
            return holding.refund(self._id(), who, name, self._chance.randint(1, 6))
        self._open[kind, who].remove(name)
        if kind == "voucher":
            lg_code = self._chance.choice((TOWN, CITY))
            return holding.redeem(self._id(), who, name, lg_code=lg_code, store_id=self._chance.choice((STORE, CARD)))
        if kind == "merge":
            return self._chance.choice((holding.acknowledge, holding.send_back))(self._id(), who, name)
        if self._chance.random() < 0.3:
            return holding.void(self._id(), who, name)
        self._open["captured", who].append(name)
        return holding.capture(self._id(), who, name, self._chance.choice((None, 1, 4)))

    def _correct(self, who: UUID) -> PostingCommand:
        able = [
            command
            for command, _ in self.posted
            if command.citizen_id == who and isinstance(command, (CreditPoints, MovePoints, UsePoints))
        ]
        return holding.correct(self._id(), self._chance.choice(able[-6:])) if able else self._come_in(who)

    def _end(self, who: UUID) -> PostingCommand:
        if self._chance.random() < 0.5:
            return sweep(self._id(), who)
        return expire(self._id(), who)
