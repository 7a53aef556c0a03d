"""What the message store needs done by itself: days made ahead and dropped in the end, dead processes forgotten."""

import asyncio
import random
from typing import Final

import structlog

from hub.database import RETRYABLE, UNREACHABLE, Connection, Database

log = structlog.get_logger()

EVERY_S: Final = 4 * 3600.0
RETRY_S: Final = 30.0
MAKE_WAY_S: Final = 600.0
"""About so long after somebody had a day's table in use, such as a dump: each try holds the hub up for a moment."""
DAYS_DROPPED_LIMIT: Final = 400
"""At one look: what is beyond goes at the next one."""

MAKE_DAYS: Final = "SELECT hub.make_days(current_date - 1, current_date + 14)"
DROP_DAY: Final = "SELECT hub.drop_day(current_date - $1::int)"
FORGET_PROCESSES: Final = "DELETE FROM hub.process WHERE seen_at < now() - interval '1 hour'"

FORGET_OUTAGES: Final = "DELETE FROM hub.outage WHERE ended_at < now() - interval '400 days'"


class Maintenance:
    """Looks after the message store at the start and every few hours; every process does, whoever is first."""

    def __init__(self, database: Database, message_days: int = 0) -> None:
        """`message_days`: how long messages are kept; 0 is for ever."""
        self._database = database
        self._message_days = message_days

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.once()
            except (*UNREACHABLE, *RETRYABLE) as error:
                log.warning("maintenance_interrupted", error=type(error).__qualname__)
                some_time = random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, keeps no secret
                await asyncio.sleep(some_time * (MAKE_WAY_S if isinstance(error, RETRYABLE) else RETRY_S))
            else:
                await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Make the days from yesterday to a fortnight ahead, by the database's own clock, as message ids are.

        And drop those that need not be kept any more; what waits for readers of the store is tried again.
        """
        async with self._database.connection() as connection:
            made = await connection.fetchval(MAKE_DAYS)
            await connection.execute(FORGET_PROCESSES)
            await connection.execute(FORGET_OUTAGES)
            dropped = await self._drop_days(connection)
        if made or dropped:
            log.info("message_days_changed", made=made, dropped=dropped)

    async def _drop_days(self, connection: Connection) -> int:
        """Each in a transaction of its own: writers get their turn in between, and what is dropped stays dropped."""
        if not self._message_days:
            return 0
        for dropped in range(DAYS_DROPPED_LIMIT):
            if await connection.fetchval(DROP_DAY, self._message_days) is None:
                return dropped
        return DAYS_DROPPED_LIMIT
