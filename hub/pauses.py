"""Which components are paused, as every process sees it: the rows of hub.pause, looked at twice a second.

A paused component begins nothing: what is under way ends, what is due stays due and in order, whoever calls it is told
to come again, its jobs do not run and its doors are closed.
"""

import asyncio
from typing import Final

import structlog

from hub.database import UNREACHABLE, Database
from hub.errors import ComponentPausedError

log = structlog.get_logger()

LOOK_EVERY_S: Final = 0.5
CALL_AGAIN_S: Final = 2.0
"""When to call a paused component again."""

PAUSED: Final = "SELECT component FROM hub.pause"


class Pauses:
    """The components that are paused. While PostgreSQL does not answer, what was known last holds."""

    def __init__(self) -> None:
        self._components: frozenset[str] = frozenset()

    def has(self, component: str) -> bool:
        """Whether it is paused: begin nothing for it."""
        return component in self._components

    def check(self, component: str) -> None:
        """Raises ComponentPausedError."""
        if component in self._components:
            raise ComponentPausedError(component, retry_after_s=CALL_AGAIN_S)

    async def look(self, database: Database) -> None:
        """Once."""
        async with database.connection() as connection:
            found = frozenset(row["component"] for row in await connection.fetch(PAUSED))
        if found != self._components:
            log.info("pauses_changed", paused=sorted(found))
        self._components = found

    async def run(self, database: Database) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look(database)
            except UNREACHABLE as error:
                log.warning("pauses_unreachable", error=type(error).__qualname__)
