"""Sessions that PostgreSQL waits for in the middle of a statement, and would for ever, with all the locks they hold.

Their process was frozen between two parts of what it says (a COPY and its rows), or its network lost the rest.
No timeout of PostgreSQL's ends them: to it they are neither idle nor at work. Whoever has the same role ends them.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from hub.database import UNREACHABLE, Database

log = structlog.get_logger()

LOOK_S: Final = 5.0
STUCK_S: Final = 30.0
"""Longer than whoever asks waits for an answer: it has given up, or cannot."""
END: Final = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename = current_user AND datname = current_database() AND state = 'active' AND wait_event = 'ClientRead'
    AND query_start < now() - make_interval(secs => $1)
"""


async def watch(databases: Sequence[Database]) -> None:
    """End such sessions of these databases' roles, for ever."""
    while True:
        await asyncio.sleep(LOOK_S)
        for database in databases:
            try:
                await _end_in(database)
            except UNREACHABLE as error:
                log.warning("stuck_sessions_not_seen", component=database.name, error=type(error).__qualname__)


async def _end_in(database: Database) -> None:
    async with database.connection() as connection:
        for row in await connection.fetch(END, STUCK_S):
            log.warning("stuck_session_ended", component=database.name, pid=row["pid"])
