"""The hundred_point_lots scenario: 1,000,000 points moved at once out of 10,000 lots of 100 points each."""

import time
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from hub.clock import AdjustableClock
from schemas.points import CreditPoints, MovePoints, PostingCommand
from schemas.values import RESERVE
from tests.bench import world
from tests.bench.books import BooksError, adding_up
from tests.bench.figures import Measured
from tests.bench.server import Server
from tests.running import running

DAYS: Final = 100
PARTNERS_A_DAY: Final = 100
POINTS: Final = 100
DEADLINE_S: Final = 60.0


class HundredPointLots:
    """The measurement; each round has a citizen of its own."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def measure(self) -> Measured:
        """Credit day by day, so that every credit has a lot of its own; then move all of it by one command."""
        citizen_id = uuid4()
        lots = DAYS * PARTNERS_A_DAY
        async with adding_up(self._server.hub_url) as books:
            took_s = await self._move_all(citizen_id)
            books.commands, books.points = lots + 1, lots * POINTS
        return Measured(took_s * 1_000, {"lots": lots, "points": lots * POINTS})

    async def _move_all(self, citizen_id: UUID) -> float:
        clock = AdjustableClock()
        async with running(self._server.hub_url, "ledger", clock=clock) as process:
            for day in range(DAYS):
                commands: list[PostingCommand] = [_credit(citizen_id, day, n) for n in range(PARTNERS_A_DAY)]
                await process.bus.call_many(commands, DEADLINE_S)
                clock.advance(timedelta(days=1))
            move = MovePoints(
                party_id=citizen_id, command_id="all", request_hash=bytes(16), citizen_id=citizen_id,
                pool=world.POOLS[0], points=DAYS * PARTNERS_A_DAY * POINTS,
            )  # fmt: skip
            began_s = time.perf_counter()
            answer = await process.bus.call(move, DEADLINE_S)
            took_s = time.perf_counter() - began_s
        if answer.code is not None or answer.points != move.points:
            raise BooksError(f"one move of {move.points} points: {answer.code}, {answer.points}")
        return took_s


def _credit(citizen_id: UUID, day: int, number: int) -> CreditPoints:
    return CreditPoints(
        party_id=world.partner(number), command_id=f"{citizen_id.hex}.{day}", request_hash=bytes(16),
        citizen_id=citizen_id, pool=RESERVE, points=POINTS,
    )  # fmt: skip
