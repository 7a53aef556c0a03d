"""Numbers that could be guessed, such as coupons': whoever misses too often waits, in all processes together.

A try is counted before anything is looked up, and taken off again when it was right, or when nobody could say: whoever
is over a limit does not learn by the answer whether a number would have been good. Counted by citizen, by source and
all together, because codes are guessed from many accounts and many addresses too; where one of them is full nothing is
counted, so that whoever is sent away fills nobody else's.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from hub.apart import committed
from hub.database import Database
from hub.forgetting import forget
from hub.keys import Hasher
from hub.transaction import Transaction
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

WINDOW: Final = timedelta(minutes=15)
CITIZEN_LIMIT: Final = 5
SOURCE_LIMIT: Final = 30
"""Many people sit behind one address: a town hall, a telephone company."""
GLOBAL_LIMIT: Final = 1_000

COUNT: Final = """
INSERT INTO portal.guess AS g (what_hash, tries, since)
SELECT what_hash, 1, $2 FROM unnest($1::bytea[]) AS asked (what_hash) ORDER BY what_hash
ON CONFLICT (what_hash) DO UPDATE SET
  tries = CASE WHEN g.since > $3 THEN g.tries + 1 ELSE 1 END,
  since = CASE WHEN g.since > $3 THEN g.since ELSE excluded.since END
RETURNING what_hash, tries, since
"""
UNCOUNT: Final = """
UPDATE portal.guess AS g SET tries = greatest(g.tries - 1, 0)
FROM (SELECT what_hash FROM portal.guess WHERE what_hash = ANY ($1::bytea[]) ORDER BY what_hash FOR UPDATE) AS held
WHERE g.what_hash = held.what_hash
"""
FORGET: Final = """
DELETE FROM portal.guess
WHERE what_hash IN (SELECT what_hash FROM portal.guess WHERE since < $1 ORDER BY since LIMIT $2)
"""

log = structlog.get_logger()


class Guesses:
    """Counts them."""

    def __init__(self, database: Database, hasher: Hasher) -> None:
        self._database = database
        self._hasher = hasher

    async def begin(self, what: str, citizen_id: UUID, source: str) -> Sequence[bytes]:
        """Count a try at `what`; what is returned takes it off again. Raises ProblemError too_many (429)."""
        limits = {
            self._hash(what, "citizen", str(citizen_id)): CITIZEN_LIMIT,
            self._hash(what, "source", source): SOURCE_LIMIT,
            self._hash(what, "all", ""): GLOBAL_LIMIT,
        }

        async def work(tx: Transaction) -> None:
            rows = await tx.fetch(COUNT, sorted(limits), tx.now, tx.now - WINDOW)
            over = [row for row in rows if row["tries"] > limits[row["what_hash"]]]
            if over:
                if any(limits[row["what_hash"]] == GLOBAL_LIMIT for row in over):
                    log.error("guessing_everywhere", what=what)
                wait = max(row["since"] for row in over) + WINDOW - tx.now
                raise ProblemError(ProblemCode.too_many, retry_after_s=wait.total_seconds())

        await committed(self._database, work)
        return sorted(limits)

    async def was_no_miss(self, begun: Sequence[bytes]) -> None:
        """Take the try off again: it was right, or nothing was learnt by it."""
        await committed(self._database, lambda tx: tx.execute(UNCOUNT, begun))

    async def forget(self) -> None:
        """What is older than the window goes."""
        await forget(self._database, FORGET, WINDOW)

    def _hash(self, what: str, by: str, name: str) -> bytes:
        return self._hasher.hash(f"{what}|{by}|{name}".encode())
