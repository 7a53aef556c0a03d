"""The `postgres` transport: a cursor per lane plus a periodic sweep, a wake-up hint plus polling, fenced lanes.

Ids are drawn before they commit, so a lower id may appear after a higher one was done. The cursor makes the ordinary
look cheap (it starts behind the rows already deleted); the sweep starts at zero and finds the latecomers. Messages of
one key come from one writer at a time, so for them the order of ids is the order of commits.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from pydantic import ValidationError

from hub import deliveries, failpoints
from hub.database import UNREACHABLE, Database, Row
from hub.deliveries import Place
from hub.errors import OwnershipLostError, PermanentError
from hub.keys import SealBrokenError, Sealer
from hub.retry import PROMPT, is_permanent
from hub.routes import ROUTES
from hub.runner import Failure, Mark, Runner
from hub.sealing import message_from
from hub.transaction import Transaction
from hub.transports.lanes import Lanes
from schemas.catalog import CATALOG
from schemas.message import Envelope, Message

log = structlog.get_logger()

POLL_S: Final = 0.5
SWEEP_EVERY_POLLS: Final = 10
MESSAGES_LIMIT: Final = 512
"""The most messages one transaction takes."""
LATE_S: Final = 0.2
"""How long a lane rests after its database did not answer."""


class UnreadableMessageError(PermanentError):
    """The stored body does not fit its type, or nobody knows the type: mend the sender, then redrive."""


@dataclass(frozen=True, slots=True)
class Due:
    """One message that is due, as fetched."""

    delivery_id: int
    attempts: int
    message_id: UUID
    correlation_id: UUID
    row: Row

    def envelope(self, sealer: Sealer) -> Envelope:
        """The message, read. Raises UnreadableMessageError."""
        message_type = CATALOG.get(self.row["type"] or "")
        if message_type is None:
            raise UnreadableMessageError(f"type {self.row['type']!r}")
        try:
            message = message_from(message_type, self.row["body"], self.message_id, sealer)
        except (ValidationError, SealBrokenError) as error:
            raise UnreadableMessageError(message_type.TYPE) from error
        row = self.row
        return Envelope(
            self.message_id,
            row["source"],
            row["type"],
            row["time"],
            row["subject"],
            row["correlation_id"],
            message,
        )


class Receiver:
    """One component's deliveries in this process. Subclassed by what is done with them."""

    def __init__(self, receiver: str, runner: Runner, database: Database, process_id: UUID) -> None:
        self.receiver = receiver
        self.runner = runner
        self.database = database
        self._lanes = Lanes(receiver, process_id, database, self._lanes_changed)
        self._cursors: dict[int, int] = {}
        self._wakes: dict[int, asyncio.Event] = {}
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._poll = asyncio.Event()

    def start(self) -> None:
        """Begin to win lanes and to work on them."""
        self._tasks = [asyncio.create_task(self._lanes.keep()), asyncio.create_task(self._poll_forever())]

    async def stop(self) -> None:
        """Finish what is under way, give the lanes back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._lanes.epochs = {}
        self._lanes_changed()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)
        try:
            await self._lanes.release()
        except UNREACHABLE:
            log.warning("lanes_not_released", receiver=self.receiver)

    def wake(self, lane: int) -> None:
        """A hint that the lane has something due."""
        if lane in self._wakes:
            self._wakes[lane].set()

    def poll_soon(self) -> None:
        """A hint that some lane has something due."""
        self._poll.set()

    def _lanes_changed(self) -> None:
        for lane in self._lanes.epochs:
            if lane not in self._workers:
                self._cursors[lane] = 0
                self._wakes[lane] = asyncio.Event()
                self._wakes[lane].set()
                self._workers[lane] = asyncio.create_task(self._work(lane))
        for lane, wake in self._wakes.items():
            if lane not in self._lanes.epochs:
                wake.set()

    async def _poll_forever(self) -> None:
        polls = 0
        while True:
            self._poll.clear()
            try:
                await deliveries.release_scheduled(self.database, self.receiver)
                await self._look(sweep=polls % SWEEP_EVERY_POLLS == 0)
            except UNREACHABLE as error:
                log.warning("poll_unreachable", receiver=self.receiver, error=type(error).__qualname__)
            polls += 1
            try:
                await asyncio.wait_for(self._poll.wait(), POLL_S)
            except TimeoutError:
                continue

    async def _look(self, *, sweep: bool) -> None:
        async with self.database.connection() as connection:
            rows = await connection.fetch(deliveries.LANES_WITH_WORK, self.receiver, list(self._lanes.epochs))
        for row in rows:
            lane = row["lane"]
            if sweep and row["first_id"] <= self._cursors.get(lane, 0):
                self._cursors[lane] = row["first_id"] - 1
            self.wake(lane)

    async def _work(self, lane: int) -> None:
        """Work on one lane until it is lost."""
        try:
            while (epoch := self._lanes.epochs.get(lane)) is not None:
                await self._wakes[lane].wait()
                self._wakes[lane].clear()
                await self._empty(Place(self.receiver, lane, epoch))
        finally:
            del self._workers[lane], self._wakes[lane]

    async def _empty(self, place: Place) -> None:
        while self._lanes.epochs.get(place.lane) == place.epoch:
            try:
                due = await self._fetch(place)
                if not due:
                    return
                await self.handle(place, due)
                self._cursors[place.lane] = due[-1].delivery_id
            except OwnershipLostError:
                self._cursors[place.lane] = 0
                await asyncio.sleep(LATE_S)
                return
            except UNREACHABLE as error:
                log.warning("lane_unreachable", receiver=self.receiver, error=type(error).__qualname__)
                await asyncio.sleep(LATE_S)
                self.wake(place.lane)
                return

    async def _fetch(self, place: Place) -> list[Due]:
        async with self.database.connection() as connection:
            rows = await connection.fetch(
                deliveries.FETCH, self.receiver, place.lane, self._cursors[place.lane], deliveries.FETCH_LIMIT
            )
        due = [Due(r["delivery_id"], r["attempts"], r["message_id"], r["correlation_id"], r) for r in rows]
        if len(due) <= MESSAGES_LIMIT:
            return due
        cut = due[MESSAGES_LIMIT].delivery_id
        return [one for one in due if one.delivery_id < cut] or [one for one in due if one.delivery_id == cut]

    async def handle(self, place: Place, due: Sequence[Due]) -> None:
        """Do what is due: all at once, or, where that fails, one by one so that a poison message hurts nobody."""
        failpoints.reach("relay.before_handle")
        ids = sorted({one.delivery_id for one in due})

        async def mark(tx: Transaction) -> None:
            await deliveries.mark_done(tx, place, ids)

        outcome = await self._attempt(due, mark)
        if not isinstance(outcome, Failure):
            return
        if isinstance(outcome.error, OwnershipLostError) or outcome.unknown:
            raise OwnershipLostError(f"{place.receiver} {place.lane}")
        for number, one in enumerate(due):
            last = number + 1 == len(due) or due[number + 1].delivery_id != one.delivery_id
            await self._handle_one(place, one, last=last)

    async def _attempt(self, due: Sequence[Due], mark: Mark) -> Failure | None:
        messages: list[Message] = []
        try:
            messages.extend(one.envelope(self.database.sealer).message for one in due)
        except UnreadableMessageError as error:
            return Failure(error)
        outcome = await self.runner.attempt(messages, [one.correlation_id for one in due], "delivery", mark)
        return outcome if isinstance(outcome, Failure) else None

    async def _handle_one(self, place: Place, one: Due, *, last: bool) -> None:
        """One message by itself: done, or given a delivery of its own to wait or be parked in."""

        async def mark(tx: Transaction) -> None:
            await deliveries.mark_part_done(tx, place, one.delivery_id, [one.message_id], last=last)

        attempts = one.attempts + 1
        while (failure := await self._attempt([one], mark)) is not None:
            if isinstance(failure.error, OwnershipLostError) or failure.unknown:
                raise OwnershipLostError(f"{place.receiver} {place.lane}")
            attempts += 1
            policy = ROUTES[CATALOG[one.row["type"]]].retry if one.row["type"] in CATALOG else PROMPT
            if attempts >= policy.immediate or is_permanent(failure.error):
                async with self.database.transaction() as tx:
                    await mark(tx)
                    await deliveries.put_off(tx, place, one.message_id, attempts, policy, failure.error)
                return
