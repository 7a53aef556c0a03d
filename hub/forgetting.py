"""What has had its time is deleted piece by piece, as many as there are: one piece a run falls behind what comes in."""

from datetime import timedelta
from typing import Final

from hub.apart import committed
from hub.database import Database

PIECE_ROWS: Final = 10_000
"""In one transaction, so that nobody waits for long."""
PIECES_LIMIT: Final = 100
"""Of one run; what is beyond goes at the next one."""


async def forget(database: Database, sql: str, kept: timedelta = timedelta()) -> None:
    """Delete what is older than `kept`.

    The statement takes the moment before which rows go, and how many go at the most. Raises ContendedError.
    """
    for _ in range(PIECES_LIMIT):
        gone = await committed(database, lambda tx: tx.execute(sql, tx.now - kept, PIECE_ROWS))
        if gone != f"DELETE {PIECE_ROWS}":
            return
