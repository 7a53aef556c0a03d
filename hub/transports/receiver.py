"""What is due for a component in this process: a cursor per lane, a wake-up hint plus polling, fenced lanes.

PostgreSQL says what is due and in which order, whatever the transport; a transport brings hints and, where it has
them, the messages themselves (`arrivals`).

Ids are drawn before they commit, so a lower id may appear after a higher one was done. The cursor makes the ordinary
look cheap (it starts behind most rows already deleted); every poll looks from zero and takes the cursor back to
latecomers. Messages of one key mostly come from one writer at a time, so for them the order of ids is the order of
commits; where several write, as of webhooks, the cursor stays behind what was done a moment ago.
Order ends where a message fails: it is put off, and what came after it goes on.
"""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from hub import deliveries, failpoints
from hub.database import UNREACHABLE, Database
from hub.deliveries import Due, Place
from hub.errors import OwnershipLostError
from hub.flow import Flow, since_said_ms
from hub.keys import Sealer
from hub.outbox import DELIVERY_LIMIT
from hub.retry import is_permanent
from hub.runner import Failure, Mark, Runner
from hub.supervision import CANCEL_AGAIN_S, end_tasks, for_ever, tell_failure
from hub.transaction import Transaction
from hub.transports.lanes import Lanes
from hub.transports.port import Arrivals
from hub.versions import UnreadableMessageError, read_stored
from schemas.message import Envelope, Message

log = structlog.get_logger()

POLL_S: Final = 0.5
LATE_S: Final = 0.2
"""How long a lane rests after its database did not answer."""
COMMITS_WITHIN_S: Final = 1.0
"""How long after a higher id was done a lower one may still commit, and be done before what is said after that."""
SUSPECTS: Final = 16
"""A run that failed is tried again in groups of this size, then one by one, so that a poison message hurts nobody."""
RUN_LIMITS: Final = (deliveries.MESSAGES_LIMIT + DELIVERY_LIMIT,) * 2 + (SUSPECTS,) * 2 + (1,)
"""How many messages make a run, the first time and after each one whose outcome stayed unknown."""


def message_of(due: Due, sealer: Sealer) -> Message:
    """The message, read. Raises UnreadableMessageError."""
    return read_stored(due.row["type"], due.row["body"], due.message_id, sealer)


def envelope_of(due: Due, sealer: Sealer) -> Envelope:
    """The message with all that is known of it. Raises UnreadableMessageError."""
    row = due.row
    message = message_of(due, sealer)
    return Envelope(
        due.message_id, row["source"], row["type"], row["time"], row["subject"], row["correlation_id"], message
    )


class Receiver:
    """One component's deliveries in this process. Subclassed by what is done with them."""

    def __init__(self, receiver: str, runner: Runner, database: Database, process_id: UUID) -> None:
        self.receiver = receiver
        self.runner = runner
        self.flow = Flow()
        self.database = database
        self.lanes = Lanes(receiver, process_id, database, self._lanes_changed, self.is_working)
        self._cursors: dict[int, int] = {}
        self._just_done: defaultdict[int, deque[tuple[float, int]]] = defaultdict(deque)
        """By lane: deliveries that were done lately, and when."""
        self._unknown = Counter[int]()
        """By lane: how often in a row a run was begun and its outcome never known."""
        self._wakes: dict[int, asyncio.Event] = {}
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._polling: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        """What else is under way in our lanes."""
        self._poll = asyncio.Event()
        self._release_at_s = 0.0
        self.arrivals: Arrivals | None = None
        """Messages that the transport has brought already, so that they need not be read again."""

    def start(self) -> None:
        """Begin to win lanes and to work on them."""
        self._keeping = asyncio.create_task(for_ever(f"{self.receiver}.lanes", self.lanes.keep))
        self._polling = asyncio.create_task(for_ever(f"{self.receiver}.poll", self._poll_forever))

    async def stop(self) -> None:
        """Finish what is under way, or end it when we are cancelled; give the lanes back."""
        self.lanes.let_go()
        if self._polling is not None:
            await end_tasks([self._polling], CANCEL_AGAIN_S)
        under_way = [*self._workers.values(), *self._beside]
        try:
            # Their leases are renewed until their end.
            if under_way:
                await asyncio.wait(under_way)
        finally:
            await end_tasks(under_way if self._keeping is None else [*under_way, self._keeping], CANCEL_AGAIN_S)
            await self.lanes.release()

    def wake(self, lane: int) -> bool:
        """A hint that the lane has something due; tells whether the lane is ours."""
        if lane not in self._wakes:
            return False
        self._wakes[lane].set()
        return lane in self.lanes.epochs

    def is_working(self, lane: int) -> bool:
        """Whether something is under way in this lane, also where it is ours no more."""
        return lane in self._workers

    def poll_soon(self) -> None:
        """A hint that some lane has something due."""
        self._poll.set()

    def _lanes_changed(self) -> None:
        """Have a worker for each lane of ours, also where one has failed."""
        for lane in self.lanes.epochs:
            if lane not in self._workers:
                self._cursors[lane] = 0
                self._wakes[lane] = asyncio.Event()
                self._wakes[lane].set()
                self._workers[lane] = asyncio.create_task(self._work(lane))
                self._workers[lane].add_done_callback(tell_failure(f"{self.receiver}.{lane}"))
        if self.arrivals is not None:
            self.arrivals.lanes_are(self.lanes.epochs)
        for lane, wake in self._wakes.items():
            if lane not in self.lanes.epochs:
                wake.set()

    async def _poll_forever(self) -> None:
        while True:
            self._poll.clear()
            try:
                await self._look()
            except UNREACHABLE as error:
                log.warning("poll_unreachable", receiver=self.receiver, error=type(error).__qualname__)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._poll.wait()

    async def _look(self) -> None:
        first, is_ripe = await deliveries.lanes_with_work(self.database, self.receiver, self.lanes.epochs)
        if is_ripe and time.monotonic() >= self._release_at_s:
            self._release_at_s = time.monotonic() + POLL_S
            await deliveries.release_scheduled(self.database, self.receiver)
            first, _ = await deliveries.lanes_with_work(self.database, self.receiver, self.lanes.epochs)
        for lane, first_id in first.items():
            # What is under way is above the cursor; what is below it has committed late.
            self._cursors[lane] = min(self._cursors.get(lane, 0), first_id - 1)
            self.wake(lane)

    async def _work(self, lane: int) -> None:
        """Work on one lane until it is lost."""
        try:
            while lane in self.lanes.epochs:
                await self._wakes[lane].wait()
                self._wakes[lane].clear()
                if (epoch := self.lanes.epochs.get(lane)) is not None:
                    await self._empty(Place(self.receiver, lane, epoch))
        finally:
            del self._workers[lane], self._wakes[lane]

    def owns(self, place: Place) -> bool:
        """Whether something may be begun: the lane is still ours, as far as we know, and the component not paused."""
        return not self.runner.is_paused() and self.lanes.epochs.get(place.lane) == place.epoch

    async def _empty(self, place: Place) -> None:
        lane = place.lane
        while self.owns(place):
            cursor = self._cursors[lane]
            arrived = self.arrivals.count(lane) if self.arrivals is not None else 0
            try:
                due = await self._fetch(place, cursor)
                if not due:
                    if self.arrivals is not None:
                        self.arrivals.settled(lane, arrived)
                    return
                ended = await self.handle(place, due)
                if self.arrivals is not None and ended:
                    self.arrivals.done(lane, [one.message_id for one in due])
            except (OwnershipLostError, *UNREACHABLE) as error:
                log.warning("lane_interrupted", receiver=self.receiver, lane=lane, error=type(error).__qualname__)
                self._cursors[lane] = 0
                await asyncio.sleep(LATE_S)
                return  # the next poll that is answered wakes the lane
            # Where the cursor was taken back meanwhile, to a latecomer, it stays there.
            if ended and self._cursors[lane] == cursor:
                self._cursors[lane] = self._moved_on(lane, due[-1].delivery_id)
            if ended and self.arrivals is None and deliveries.were_all(due) and not self._wakes[lane].is_set():
                return  # what has come since, or comes later, wakes the lane

    def _moved_on(self, lane: int, done: int) -> int:
        """The cursor after this delivery: behind it there may be one that was said before and has not committed yet."""
        now_s, cursor, just_done = time.monotonic(), self._cursors[lane], self._just_done[lane]
        just_done.append((now_s, done))
        while just_done[0][0] < now_s - COMMITS_WITHIN_S:
            cursor = max(cursor, min(just_done.popleft()[1], done))
        return cursor

    async def _fetch(self, place: Place, after: int) -> list[Due]:
        if self.arrivals is None:
            return await deliveries.fetch(self.database, place, after)
        return await deliveries.fetch_but(self.database, place, after, self.arrivals.held(place.lane))

    async def handle(self, place: Place, due: Sequence[Due]) -> bool:
        """Do what is due: what has failed before by itself, the rest in one transaction. True: all has ended."""
        failpoints.reach("relay.before_handle")
        # Of what took too long nobody knows whether it was done; the same again, all together, would take as long.
        most = RUN_LIMITS[min(self._unknown[place.lane], len(RUN_LIMITS) - 1)]
        self._unknown[place.lane] += 1
        for first, end in _runs(due, most):
            await self._settle(place, due, first, end)
        del self._unknown[place.lane]
        return True

    async def _settle(self, place: Place, due: Sequence[Due], first: int, end: int, tries: int = 0) -> None:
        """Do due[first:end]: at once or, where that fails, in smaller groups; what fails alone is put off."""
        mark = partial(_mark, place, due, first, end)
        failure = await self._attempt(due[first:end], mark)
        tries += 1
        while failure is not None:
            if isinstance(failure.error, OwnershipLostError) or failure.unknown:
                raise OwnershipLostError(f"{place.receiver} {place.lane}") from failure.error
            if end - first > 1:
                step = SUSPECTS if end - first > SUSPECTS else 1
                for start in range(first, end, step):
                    await self._settle(place, due, start, min(start + step, end), tries)
                return
            attempts = due[first].attempts + tries
            if attempts >= due[first].policy().immediate or not _is_worth_a_try_now(failure.error):
                async with self.database.transaction() as tx:
                    await mark(tx)
                    await deliveries.put_off(tx, place, due[first], attempts, failure.error)
                return
            failure = await self._attempt(due[first:end], mark)
            tries += 1

    async def _attempt(self, due: Sequence[Due], mark: Mark) -> Failure | None:
        try:
            messages = [message_of(one, self.database.sealer) for one in due]
        except UnreadableMessageError as error:
            return Failure(error)
        with self.flow.working(len(due)):
            outcome = await self.runner.attempt(messages, due, "delivery", mark)
        if isinstance(outcome, Failure):
            self.flow.failed += 1
            return outcome
        self.flow.was_done(due, lambda one: since_said_ms(one.message_id))
        return None


def _is_worth_a_try_now(error: BaseException) -> bool:
    return not is_permanent(error) and getattr(error, "retry_after_s", 0.0) <= 0.0


def _runs(due: Sequence[Due], most: int) -> Iterator[tuple[int, int]]:
    """Neighbours that have not failed yet, `most` at a time, and each message that has, as (first, end)."""
    first = 0
    for number, one in enumerate(due):
        if number - first == most:
            yield first, number
            first = number
        if one.attempts:
            if first < number:
                yield first, number
            yield number, number + 1
            first = number + 1
    if first < len(due):
        yield first, len(due)


async def _mark(place: Place, due: Sequence[Due], first: int, end: int, tx: Transaction) -> None:
    """Mark due[first:end]; all before it is marked, so a delivery goes whole with its last message."""
    ids = {one.delivery_id for one in due[first:end]}
    if end < len(due) and due[end].delivery_id in ids:
        begun = due[end].delivery_id
        ids.discard(begun)
        done = [one.message_id for one in due[first:end] if one.delivery_id == begun]
        await deliveries.mark_part_done(tx, place, begun, done)
    if ids:
        await deliveries.mark_done(tx, place, sorted(ids))
