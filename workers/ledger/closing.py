"""Closing days: once a day is over, its rollups are added up over all partitions, and with its last day a month.

Nothing is posted on a closed day: its head says so under the lock that every batch takes. So what was added up stays
true, and a summary reads a row for each month or day where it would read one for each partition of each day.
"""

from datetime import date, timedelta
from typing import Final

import structlog

from hub.component import Job
from hub.database import Database
from workers.ledger import closing_statements as statements
from workers.ledger.spread import Spread

log = structlog.get_logger()

TICK_S: Final = 60.0
"""How often it is asked whether a day is over."""
GRACE: Final = timedelta(hours=1)
"""How long a day is over, by PostgreSQL's clock, before it is closed: no clock that is a little late is in it then."""
DAYS_LIMIT: Final = 400
"""The most days closed in one tick: a ledger that has never closed one, or was put away for a year."""


class Closing:
    """Closes days, in one process at a time; where partitions live in several databases, in each of them."""

    def __init__(self, spread: Spread) -> None:
        self._spread = spread

    def job(self) -> Job:
        """The component's job."""
        return Job("close_days", TICK_S, self.close_days)

    async def close_days(self) -> None:
        """All days that are over and not closed, the oldest first."""
        for database in self._spread.databases:
            for _ in range(DAYS_LIMIT):
                if not await _close_next(database):
                    break


async def _close_next(database: Database) -> bool:
    async with database.transaction() as tx:
        row = await tx.fetch_row(statements.NEXT_DAY, tx.business_date, GRACE)
        if row is None:
            return False
        day: date = row["day"]
        await tx.execute(statements.SHUT, day)
    # Another transaction: writers wait for the one before it, and this one may read for a while.
    async with database.transaction() as tx:
        await tx.execute(statements.SUM_DAY, day)
        if row["ends_month"]:
            await tx.execute(statements.SUM_MONTH, day)
    log.info("day_closed", day=day.isoformat())
    return True
