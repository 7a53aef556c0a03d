"""Other sides that are down: told once, probed by one message at a time, over for all that waits at once.

A breaker for each destination, the same for all processes: it is closed while hub.outage has no open row for it, open
until that row's `probe_after`, and half open while whoever moved `probe_after` on has a probe under way.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from pydantic import BaseModel

from hub.database import UNREACHABLE, Database, Row
from hub.errors import NoAnswerError, OutsideError, TransientError
from hub.metrics import OUTAGES, OUTAGES_BEGUN
from schemas.outages import OutageBegan, OutageEnded

log = structlog.get_logger()

PROBE_TIMEOUT_S: Final = 90.0
"""How long a probe is waited for, where its component does not say how long that takes."""
PROBE_LEASE_S: Final = 60.0
"""After this long another process may probe: whoever claimed the last probe, and has not kept it, is gone."""
PROBE_RENEW_S: Final = 15.0
"""How often whoever is at a probe keeps it."""
WAIT_LIMIT_S: Final = 3_600.0
"""The longest until the next probe, whatever the other side asks for."""
DOUBLINGS_LIMIT: Final = 30
OPEN_LIMIT: Final = 1_000
"""The most outages of one receiver that are looked after at once."""
RELEASE_LIMIT: Final = 5_000
"""The most deliveries made due by one statement."""
RELEASE_EVERY_S: Final = 10.0
RELEASES_LIMIT: Final = 100
RELEASE_REST_S: Final = 0.05
"""Between looks for what somebody else is just releasing, and how many there are."""
UNASKED_LIMIT_S: Final = 60.0
"""How long after its probe was due an outage ends for which nothing waits any more: nobody would ever find it over."""
LIST_LIMIT: Final = 1_000

BEGIN: Final = """
INSERT INTO hub.outage (receiver, destination, error, probe_after)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))
ON CONFLICT (receiver, destination) WHERE ended_at IS NULL DO NOTHING RETURNING *
"""
OPEN: Final = """
SELECT destination, probe_after <= now() AND EXISTS (
    SELECT FROM hub.delivery AS d
    WHERE d.state = 'held' AND d.receiver = $1 AND d.destination = o.destination AND d.lane = ANY ($3::smallint[])
) AS is_ripe
FROM hub.outage AS o WHERE receiver = $1 AND ended_at IS NULL ORDER BY probe_after LIMIT $2
"""
"""Ripe is what could be probed from these lanes: where nothing is held there is nothing to probe with."""
END_UNASKED: Final = """
UPDATE hub.outage AS o SET ended_at = now()
WHERE receiver = $1 AND ended_at IS NULL AND probe_after < now() - make_interval(secs => $2) AND NOT EXISTS (
    SELECT FROM hub.delivery AS d WHERE d.state = 'held' AND d.receiver = $1 AND d.destination = o.destination)
RETURNING *
"""
CLAIM: Final = """
UPDATE hub.outage SET probe_after = now() + make_interval(secs => $3), probes = probes + 1
WHERE receiver = $1 AND destination = $2 AND ended_at IS NULL AND probe_after <= now() RETURNING probes
"""
KEEP: Final = """
UPDATE hub.outage SET probe_after = now() + make_interval(secs => $4)
WHERE receiver = $1 AND destination = $2 AND ended_at IS NULL AND probes = $3
"""
PUT_OFF: Final = """
UPDATE hub.outage SET probe_after = now() + make_interval(secs => $3), error = coalesce($4, error)
WHERE receiver = $1 AND destination = $2 AND ended_at IS NULL
"""
END: Final = """
UPDATE hub.outage SET ended_at = now() WHERE receiver = $1 AND destination = $2 AND ended_at IS NULL RETURNING *
"""
RELEASE: Final = """
UPDATE hub.delivery SET state = 'due', destination = NULL WHERE id IN (
    SELECT id FROM hub.delivery AS d WHERE receiver = $1 AND state = 'held' AND NOT EXISTS (
        SELECT FROM hub.outage AS o
        WHERE o.receiver = d.receiver AND o.destination = d.destination AND o.ended_at IS NULL)
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING lane
"""
STILL_HELD: Final = """
SELECT EXISTS (SELECT FROM hub.delivery AS d WHERE receiver = $1 AND state = 'held' AND lane = ANY ($2::smallint[])
    AND NOT EXISTS (SELECT FROM hub.outage AS o
        WHERE o.receiver = d.receiver AND o.destination = d.destination AND o.ended_at IS NULL))
"""
FIRST_HELD: Final = """
SELECT held.* FROM hub.outage AS o CROSS JOIN (
    SELECT array_agg(DISTINCT lane ORDER BY lane) AS lanes FROM hub.delivery
    WHERE state = 'held' AND receiver = $1 AND destination = $2 AND lane = ANY ($3::smallint[])
) AS there CROSS JOIN LATERAL hub.held($1, $2, ARRAY[there.lanes[1 + o.probes % cardinality(there.lanes)]]) AS held
WHERE o.receiver = $1 AND o.destination = $2 AND o.ended_at IS NULL AND there.lanes IS NOT NULL
"""
"""Of one lane after the other: a message that the other side never answers must not be the only one that is tried. The
first one of its lane, so that what is about one thing keeps its order."""
LIST: Final = """
SELECT o.*, (SELECT coalesce(sum(cardinality(d.message_ids)), 0) FROM hub.delivery AS d
    WHERE d.state = 'held' AND d.receiver = o.receiver AND d.destination = o.destination AND o.ended_at IS NULL) AS held
FROM hub.outage AS o ORDER BY o.ended_at DESC NULLS FIRST, o.id DESC LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class OutageLimits:
    """After how many unanswered tries in a row something is down, and how far probes come to lie apart."""

    no_answer_limit: int = 5
    probe_limit_s: float = 60.0

    def wait_s(self, error: Exception | None, probes: int) -> float:
        """Until the next probe: what the other side asks for, doubled with each probe up to the limit."""
        asked_s = error.retry_after_s if isinstance(error, TransientError) else 0.0
        grown_s = min(asked_s * 2.0 ** min(probes, DOUBLINGS_LIMIT), self.probe_limit_s)
        return min(max(asked_s, grown_s), WAIT_LIMIT_S)


class Outages:
    """The outages of one receiver, as this process knows them."""

    def __init__(self, receiver: str, database: Database, limits: OutageLimits) -> None:
        self._receiver = receiver
        self._database = database
        self._limits = limits
        self.are_known = False
        """Whether what others have found was ever looked at."""
        self._open: dict[str, bool] = {}
        """Destination → whether its next probe is due."""
        self._suspected: dict[str, OutsideError] = {}
        """Found here, and not yet told to the others."""
        self._silent = Counter[str]()
        """Unanswered tries since the last one that was answered."""
        self._ended_s: dict[str, float] = {}
        self._begun_s: dict[str, float] = {}
        """When they were told of here: a look that was begun before does not know of them."""
        self._released_s = 0.0
        self.on_ended: Callable[[], None] = _nothing
        """Told, without waiting, when something is open no more: what was held for it is due again by then."""

    def open(self) -> set[str]:
        """All that is down."""
        return {*self._open, *self._suspected}

    def is_open(self, destination: str | None) -> bool:
        """Whether it is down, so that nothing but a probe may go there."""
        return destination in self._open or destination in self._suspected

    def ripe(self) -> list[str]:
        """Those that somebody should probe."""
        return [destination for destination, is_ripe in self._open.items() if is_ripe]

    def blames(self, error: OutsideError, begun_s: float) -> bool:
        """Whether a try begun at `begun_s` (monotonic) tells that its other side is down as a whole.

        One begun before an outage ended tells nothing new, and is no failure of its message.
        """
        destination = error.destination
        if begun_s <= self._ended_s.get(destination, 0.0):
            return True
        if isinstance(error, NoAnswerError):
            self._silent[destination] += 1
            if self._silent[destination] < self._limits.no_answer_limit and not self.is_open(destination):
                return False
        self._suspected[destination] = error
        return True

    def answered(self, destination: str | None) -> None:
        """It is there, whether it took what it was sent or refused it."""
        if destination is not None:
            self._silent.pop(destination, None)

    async def begin_suspected(self) -> None:
        """Tell of what was found here; whoever is first tells everybody."""
        for destination, error in list(self._suspected.items()):
            await self._begin(destination, error)
            self._open[destination] = False
            self._begun_s[destination] = time.monotonic()
            self._suspected.pop(destination, None)

    async def _begin(self, destination: str, error: OutsideError) -> None:
        name = type(error).__qualname__
        async with self._database.transaction() as tx:
            row = await tx.fetch_row(BEGIN, self._receiver, destination, name, self._limits.wait_s(error, 0))
            if row is not None:
                tx.emit(
                    OutageBegan(
                        outage_id=row["id"],
                        receiver=self._receiver,
                        destination=destination,
                        error=name,
                        began_at=row["began_at"],
                    )
                )
        if row is not None:
            OUTAGES_BEGUN.labels(self._receiver).inc()
            log.error("outage_began", receiver=self._receiver, destination=destination, error=name)

    async def refresh(self, lanes: Sequence[int]) -> None:
        """Learn what is open now, and what of it could be probed from these lanes.

        Now and then, see that nothing is open that nothing waits for, and nothing held for what is over.
        """
        asked_s = time.monotonic()
        async with self._database.connection() as connection:
            rows = await connection.fetch(OPEN, self._receiver, OPEN_LIMIT, lanes)
        found = {row["destination"]: row["is_ripe"] for row in rows}
        begun = {one for one, begun_s in self._begun_s.items() if begun_s > asked_s}
        if self._open.keys() - found.keys() - begun:
            await self._release_before_others(lanes)
        now_s = time.monotonic()
        self._begun_s = {one: begun_s for one, begun_s in self._begun_s.items() if begun_s > asked_s}
        found |= dict.fromkeys(self._begun_s, False)
        ended = self._open.keys() - found.keys()
        self._ended_s |= dict.fromkeys(ended, now_s)
        self._open = found
        self.are_known = True
        OUTAGES.labels(self._receiver).set(len(found))
        if ended:
            self.on_ended()
        if now_s - self._released_s > RELEASE_EVERY_S:
            # What was held for them has failed for itself, or was not asked after all: whoever comes next finds out.
            unasked = await self._end(END_UNASKED, UNASKED_LIMIT_S) if found else []
            await self.release()
            for row in unasked:
                self._forget(row["destination"])

    async def first_held(self, destination: str, lanes: Sequence[int]) -> Row | None:
        """The first message held for it in one of these lanes, another lane with each probe."""
        async with self._database.connection() as connection:
            row: Row | None = await connection.fetchrow(FIRST_HELD, self._receiver, destination, lanes)
        return row

    async def claim(self, destination: str) -> int | None:
        """The right to send one probe, until `failed` or `end`; its number, or None where it is not ours."""
        self._open[destination] = False
        async with self._database.connection() as connection:
            probes: int | None = await connection.fetchval(CLAIM, self._receiver, destination, PROBE_LEASE_S)
        return probes

    async def keep(self, destination: str, probes: int) -> None:
        """Keep the right to this probe, for as long as it takes: until this is cancelled."""
        while True:
            await asyncio.sleep(PROBE_RENEW_S)
            try:
                async with self._database.connection() as connection:
                    await connection.execute(KEEP, self._receiver, destination, probes, PROBE_LEASE_S)
            except UNREACHABLE as error:
                log.warning("probe_not_kept", receiver=self._receiver, error=type(error).__qualname__)

    async def failed(self, destination: str, probes: int, error: Exception | None = None) -> None:
        """The probe told that it is still down or, without an error, nothing: then the next one may go at once."""
        wait_s = self._limits.wait_s(error, probes)
        name = None if error is None else type(error).__qualname__
        async with self._database.connection() as connection:
            await connection.execute(PUT_OFF, self._receiver, destination, wait_s, name)
        log.info("outage_goes_on", receiver=self._receiver, destination=destination, probes=probes, wait_s=wait_s)

    async def end(self, destination: str) -> None:
        """The probe got through: tell so, and let everything flow that waited, before what comes now."""
        await self._end(END, destination)
        await self.release()
        self._forget(destination)
        self.answered(destination)

    async def _end(self, which: str, argument: str | float) -> list[Row]:
        """End these, and tell so."""
        async with self._database.transaction() as tx:
            rows = await tx.fetch(which, self._receiver, argument)
            for row in rows:
                tx.emit(OutageEnded.model_validate({"outage_id": row["id"], **_known(row)}))
        for row in rows:
            lasted_s = round((row["ended_at"] - row["began_at"]).total_seconds(), 1)
            log.warning("outage_ended", receiver=self._receiver, destination=row["destination"], lasted_s=lasted_s)
        return rows

    def _forget(self, destination: str) -> None:
        self._open.pop(destination, None)
        self._begun_s.pop(destination, None)
        self._ended_s[destination] = time.monotonic()
        self.on_ended()

    async def _release_before_others(self, lanes: Sequence[int]) -> None:
        """An outage is over: what waits in these lanes goes first, whoever is at releasing it."""
        for _ in range(RELEASES_LIMIT):
            await self.release()
            async with self._database.connection() as connection:
                if not await connection.fetchval(STILL_HELD, self._receiver, lanes):
                    return
            await asyncio.sleep(RELEASE_REST_S)

    async def release(self) -> None:
        """Make due again, each in its old place, what is held for a destination that is not down."""
        self._released_s = time.monotonic()
        released = RELEASE_LIMIT
        while released == RELEASE_LIMIT:
            async with self._database.connection() as connection:
                rows = await connection.fetch(RELEASE, self._receiver, RELEASE_LIMIT)
            released = len(rows)
            if rows:
                self._database.on_commit({(self._receiver, row["lane"]): () for row in rows})


def _nothing() -> None:
    """Nobody wants to know."""


def _known(row: Row) -> dict[str, object]:
    return {name: row[name] for name in OutageEnded.model_fields if name != "outage_id"}


class Outage(BaseModel, frozen=True):
    """One outage, as an operator sees it: `held` is how many messages wait for it, `ended_at` None while it is open."""

    id: int
    receiver: str
    destination: str
    began_at: datetime
    ended_at: datetime | None
    probes: int
    probe_after: datetime
    error: str
    held: int


async def listed(database: Database, limit: int = 50) -> list[Outage]:
    """Open outages first, then the latest that are over."""
    async with database.connection() as connection:
        return [Outage.model_validate(dict(row)) for row in await connection.fetch(LIST, min(limit, LIST_LIMIT))]
