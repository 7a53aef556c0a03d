"""What is cleaned up by itself: old nonces, and the bytes of files that nobody needs any more."""

from datetime import datetime, timedelta
from typing import Final

from connectors.partner import statements
from connectors.partner.intake import SIZE_LIMIT_BYTES, UPLOAD_PACE
from hub.apart import committed
from hub.clock import Clock
from hub.component import Job
from hub.database import Database, reachable
from hub.forgetting import PIECES_LIMIT
from hub.web.signed_parties import Nonces

NONCES_EVERY_S: Final = 60.0
CHUNKS_EVERY_S: Final = 600.0
FILES_LIMIT: Final = 10
"""How many files' bytes are deleted in one transaction."""
ABANDONED_AFTER: Final = timedelta(seconds=2 * UPLOAD_PACE.deadline_s(SIZE_LIMIT_BYTES))
"""Chunks that are not taken by then belong to a body that broke off: the slowest one allowed takes half of it."""


class Cleaning:
    """Deletes what has had its time, by the hub's clock."""

    def __init__(self, database: Database, clock: Clock, keep_days: int) -> None:
        self._database = database
        self._clock = clock
        self._keep = timedelta(days=keep_days)

    async def chunks(self) -> None:
        """Bytes of files that are finished for long, and of files that were never taken: of all there are."""
        now = self._clock.now()
        await self._delete(statements.CHUNKS_NO_LONGER_NEEDED, now - self._keep, now)
        await self._delete(statements.CHUNKS_NEVER_TAKEN, now - ABANDONED_AFTER)

    async def _delete(self, sql: str, *moments: datetime) -> None:
        """As hub.forgetting does, by files: a piece of so many rows could be of any size."""
        for _ in range(PIECES_LIMIT):
            async with reachable():
                gone = await committed(self._database, lambda tx: tx.fetch_value(sql, *moments, FILES_LIMIT))
            if gone < FILES_LIMIT:
                return


def jobs(nonces: Nonces, cleaning: Cleaning) -> list[Job]:
    """The connector's jobs."""
    return [
        Job("forget_nonces", NONCES_EVERY_S, nonces.forget),
        Job("delete_chunks", CHUNKS_EVERY_S, cleaning.chunks),
    ]
