"""Which lanes of a receiver this process works on: leases in hub.lane, an epoch that fences off a late owner."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog

from hub import failpoints
from hub.database import RETRYABLE, UNREACHABLE, Database
from hub.metrics import OWNED
from schemas.values import LANES

log = structlog.get_logger()

LEASE_S: Final = 8.0
RENEW_S: Final = 2.0
RELEASE_TIMEOUT_S: Final = 3.0
RELEASE_TRIES: Final = 2
"""What was cancelled just before may have the next statement cancelled, too. Who is to end does not wait longer for its
lanes to be given back: they run out."""
END_S: Final = 0.01
"""Whoever waits in a lane for something to do has ended so long after it is ours no more."""

MAKE_LANES: Final = """
INSERT INTO hub.lane (receiver, lane) SELECT $1, lane FROM generate_series(0, $2 - 1) AS lane
ON CONFLICT DO NOTHING
"""
SEEN: Final = """
INSERT INTO hub.process (process_id, receivers, seen_at)
SELECT $1, ARRAY[$2::text], now() WHERE set_config('synchronous_commit', 'off', true) = 'off'
ON CONFLICT (process_id) DO UPDATE SET seen_at = now(),
    receivers = ARRAY(SELECT DISTINCT unnest(hub.process.receivers || excluded.receivers))
"""
SHARERS: Final = """
SELECT count(*) FROM hub.process WHERE $1 = ANY (receivers)
    AND seen_at BETWEEN now() - make_interval(secs => $2) AND now() + make_interval(secs => $2)
"""
"""Seen in the future: by another server, whose clock was ahead, before this one took over or was restored."""
RENEW: Final = """
UPDATE hub.lane SET lease_until = now() + make_interval(secs => $3)
WHERE receiver = $1 AND owner = $2 AND set_config('synchronous_commit', 'off', true) = 'off' RETURNING lane, epoch
"""
"""Not flushed to disk by itself, nor is SEEN: after a power cut a lease ends earlier than its owner believes, and
whoever wins the lane then fences it off. Winning is flushed: an epoch is given once."""
CLAIM: Final = """
UPDATE hub.lane SET owner = $2, epoch = epoch + 1, lease_until = now() + make_interval(secs => $3)
WHERE receiver = $1 AND lane IN (
    SELECT lane FROM hub.lane WHERE receiver = $1
        AND (owner IS NULL OR lease_until NOT BETWEEN now() AND now() + 2 * make_interval(secs => $3))
    ORDER BY lane LIMIT $4 FOR UPDATE SKIP LOCKED
) RETURNING lane, epoch
"""
"""A lease that ends later than any lease can was given by another server, whose clock was ahead: it is none."""
RELEASE: Final = """
UPDATE hub.lane SET owner = NULL, lease_until = '-infinity'
WHERE receiver = $1 AND owner = $2 AND lane = ANY ($3::smallint[])
"""
RELEASE_ALL: Final = """
UPDATE hub.lane SET owner = NULL, lease_until = '-infinity' WHERE receiver = $1 AND owner = $2
"""
GONE: Final = """
UPDATE hub.process SET receivers = array_remove(receivers, $2) WHERE process_id = $1
"""


class Lanes:
    """Keeps this process's fair share of a receiver's lanes; `changed` is told whenever that was looked after."""

    def __init__(
        self,
        receiver: str,
        process_id: UUID,
        database: Database,
        changed: Callable[[], None],
        is_working: Callable[[int], bool] = lambda _lane: False,
        count: int = LANES,
    ) -> None:
        """`is_working`: whether something is under way in a lane: it is given to no other process before that ends."""
        self.receiver = receiver
        self.epochs: dict[int, int] = {}
        """The lanes owned, with the epoch they were won in."""
        self._process_id = process_id
        self._database = database
        self._changed = changed
        self._is_working = is_working
        self._is_ending = False
        self._count = count
        self.renewed_s = time.monotonic()
        """When PostgreSQL was asked for the leases that we have now."""
        self._lapse: asyncio.TimerHandle | None = None
        """Lets go of all lanes when their leases run out, also while a question to PostgreSQL is not answered."""

    async def keep(self) -> None:
        """Renew, win and give back, for ever."""
        made = False
        while True:
            try:
                if not made:
                    async with self._database.connection() as connection:
                        await connection.execute(MAKE_LANES, self.receiver, self._count)
                    made = True
                await self._keep_once()
            except (*UNREACHABLE, *RETRYABLE) as error:
                log.warning("lanes_not_kept", receiver=self.receiver, error=type(error).__qualname__)
            # Not all receivers of all processes in one moment, in which everything else would have to wait.
            await asyncio.sleep(RENEW_S * random.uniform(0.7, 1.0))  # noqa: S311 - spreads load, keeps no secret

    def let_go(self) -> None:
        """Begin nothing more; a lane is given back once nothing is under way in it."""
        self._is_ending = True
        self._hold({})

    async def release(self) -> None:
        """Give all lanes back, at a graceful end: also such as were won while we were told to stop."""
        if self._lapse is not None:
            self._lapse.cancel()
        self._hold({})
        for _ in range(RELEASE_TRIES):
            try:
                async with asyncio.timeout(RELEASE_TIMEOUT_S), self._database.connection() as connection:
                    await connection.execute(RELEASE_ALL, self.receiver, self._process_id)
                    await connection.execute(GONE, self._process_id, self.receiver)
            except (*UNREACHABLE, *RETRYABLE) as error:
                log.warning("lanes_not_released", receiver=self.receiver, error=type(error).__qualname__)
            else:
                return

    async def _keep_once(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute(SEEN, self._process_id, self.receiver)
            sharers = await connection.fetchval(SHARERS, self.receiver, LEASE_S)
            share = 0 if self._is_ending else math.ceil(self._count / max(1, sharers))
            asked_s = time.monotonic()
            held = {
                r["lane"]: r["epoch"] for r in await connection.fetch(RENEW, self.receiver, self._process_id, LEASE_S)
            }
            extra = sorted(held)[share:]
            if extra:
                held = {lane: epoch for lane, epoch in held.items() if lane not in extra}
                self._hold_from(asked_s, held)
                await asyncio.sleep(END_S)
                idle = [lane for lane in extra if not self._is_working(lane)]
                await connection.execute(RELEASE, self.receiver, self._process_id, idle)
            if len(held) < share:
                won = await connection.fetch(CLAIM, self.receiver, self._process_id, LEASE_S, share - len(held))
                failpoints.reach("lanes.won")
                held |= {r["lane"]: r["epoch"] for r in won}
        self.renewed_s = asked_s
        self._hold_from(asked_s, held)

    def _hold_from(self, asked_s: float, held: dict[int, int]) -> None:
        """Hold them for as long as nobody else can win them: from when PostgreSQL was asked, not from its answer."""
        if self._lapse is not None:
            self._lapse.cancel()
        left_s = asked_s + LEASE_S - time.monotonic()
        if left_s > 0.0:
            self._lapse = asyncio.get_running_loop().call_later(left_s, self._hold, {})
        self._hold(held if left_s > 0.0 else {})

    def _hold(self, held: dict[int, int]) -> None:
        # A renewal under way when we were told to stop would have them all begin again.
        self.epochs = held = {} if self._is_ending else held
        OWNED.labels(self.receiver).set(len(held))
        self._changed()
