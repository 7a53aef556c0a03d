"""Posts credits until it is killed: `python -m tests.workers.ledger.spread_worker URL AWAY_URL`; says which were done.

MYKEY_FAILPOINT arms the place where it dies. Credits go to the citizens in turn, one in each database. No job has a
branch of its own under way: a checkpoint is signed in all of the databases.
"""

import asyncio
import logging
import sys
from itertools import cycle
from typing import Final

import structlog

from hub.clock import AdjustableClock
from tests.running import running_without_jobs
from tests.workers.ledger.world import FOREVER, START, ask, citizen, credit
from workers.ledger.store import FEW

CITIZENS: Final = (citizen(1, lane=3), citizen(2, lane=11))
POINTS: Final = 7
LIMIT: Final = 3 * FEW
"""So many are asked for before it gives up waiting to be killed."""


async def main(url: str, away_url: str) -> None:
    """One credit after the other."""
    away = {"partition_databases": {"8-15": away_url}}
    async with running_without_jobs(url, "ledger", clock=AdjustableClock(START), **away) as process:
        for number, citizen_id in zip(range(LIMIT), cycle(CITIZENS), strict=False):
            await ask(process, credit(str(number), citizen_id, POINTS, FOREVER))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(main(*sys.argv[1:]))
