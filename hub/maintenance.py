"""What the message store needs done by itself: the day partitions made ahead, dead processes forgotten."""

import asyncio
from typing import Final

import structlog

from hub.database import UNREACHABLE, Database

log = structlog.get_logger()

EVERY_S: Final = 4 * 3600.0
RETRY_S: Final = 30.0

MAKE_DAYS: Final = "SELECT hub.make_days(current_date - 1, current_date + 14)"
FORGET_PROCESSES: Final = "DELETE FROM hub.process WHERE seen_at < now() - interval '1 hour'"


class Maintenance:
    """Looks after the message store at the start and every few hours; every process does, whoever is first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.once()
            except UNREACHABLE as error:
                log.warning("maintenance_unreachable", error=type(error).__qualname__)
                await asyncio.sleep(RETRY_S)
            else:
                await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Make the days from yesterday to a fortnight ahead, by the database's own clock, as message ids are."""
        async with self._database.connection() as connection:
            made = await connection.fetchval(MAKE_DAYS)
            await connection.execute(FORGET_PROCESSES)
        if made:
            log.info("message_days_made", days=made)
