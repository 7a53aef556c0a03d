"""A small world for the clockwork: the real registry and ledger on a clock that the test moves."""

import json
from datetime import date, datetime
from typing import Self
from uuid import UUID, uuid4

import asyncpg

from hub.clock import JAPAN, AdjustableClock
from hub.process import HubProcess
from schemas.citizens import MailChoices, RegisterCitizen
from schemas.clockwork import ClockworkDone, ClockworkDoneOf
from schemas.municipalities import RegisterScheme
from schemas.points import BalanceOf, CreditPoints
from tests.waiting import wait_until

START = datetime(2027, 3, 1, 10, 0, tzinfo=JAPAN)
LAST_DAY_HELD = date(2027, 3, 21)
BASE, OTHER_BASE = "232343", "402117"
PARTNER = UUID(int=0xA1)
DEADLINE_S = 20.0


class World:
    """A process on a clock that the test moves, and what its message store tells."""

    @classmethod
    async def opened(cls, process: HubProcess, clock: AdjustableClock, database_url: str) -> Self:
        """A world with two schemes, one of which closes on 31 March 2027."""
        for lg_code, rule in ((BASE, "none"), (OTHER_BASE, "date:2027-03-31")):
            scheme = RegisterScheme(lg_code=lg_code, point_name="ポイント", expiry_rule=rule)
            await process.bus.call(scheme, DEADLINE_S)
        await process.drained(DEADLINE_S)
        return cls(process, clock, database_url)

    def __init__(self, process: HubProcess, clock: AdjustableClock, database_url: str) -> None:
        self.process = process
        self.clock = clock
        self.database_url = database_url

    async def register(self, *numbers: int) -> None:
        """Citizens with `BASE` as their base municipality."""
        asked = [
            RegisterCitizen(
                citizen_id=UUID(int=number),
                mykey_id=f"{number:08d}",
                name=f"氏名 {number}",
                mail=f"citizen-{number}@mail.example",
                base_lg_code=BASE,
                choices=MailChoices(),
            )
            for number in numbers
        ]
        answers = await self.process.bus.call_many(asked, DEADLINE_S)
        assert {answer.code for answer in answers} == {None}

    async def credit(self, pool: str, points: int, *numbers: int) -> None:
        """Points come in for each of these citizens."""
        asked = [
            CreditPoints(
                party_id=PARTNER,
                command_id=str(uuid4()),
                request_hash=bytes(16),
                citizen_id=UUID(int=number),
                pool=pool,
                points=points,
            )
            for number in numbers
        ]
        answers = await self.process.bus.call_many(asked, DEADLINE_S)
        assert {answer.code for answer in answers} == {None}

    async def balance(self, number: int) -> dict[str, int]:
        """A citizen's points by pool."""
        balances = await self.process.bus.call(BalanceOf(citizen_id=UUID(int=number)), DEADLINE_S)
        return {pool: points for pool, points in balances.by_pool.items() if points}

    async def days_work(self, day: date) -> ClockworkDone:
        """What came of a day, once all of it is done."""
        question = ClockworkDoneOf(day=day)
        await wait_until(lambda: self._is_done(question), DEADLINE_S)
        return await self.process.bus.call(question, DEADLINE_S)

    async def _is_done(self, question: ClockworkDoneOf) -> bool:
        return (await self.process.bus.call(question, DEADLINE_S)).done

    async def to(self, day: date) -> ClockworkDone:
        """Move on to ten o'clock of a day, and wait until its work is done."""
        self.clock.move_to(datetime(day.year, day.month, day.day, 10, tzinfo=JAPAN))
        return await self.days_work(day)

    async def looked_at(self, kind: str, day: date) -> tuple[date, date]:
        """From which last day on and to which a day's work was to look, in the first citizen's partition."""
        connection = await asyncpg.connect(self.database_url)
        try:
            question = "SELECT first, last FROM clockwork.day_work WHERE kind = $1 AND day = $2 AND partition = 1"
            row = await connection.fetchrow(question, kind, day)
        finally:
            await connection.close()
        assert row is not None
        return row["first"], row["last"]

    async def said(self, what: str) -> list[dict[str, object]]:
        """The bodies of all events of one type, oldest first."""
        connection = await asyncpg.connect(self.database_url)
        try:
            rows = await connection.fetch(
                "SELECT body FROM hub.message WHERE type = $1 ORDER BY id", f"jp.mykey.{what}.v1"
            )
        finally:
            await connection.close()
        return [json.loads(row["body"]) for row in rows]
