"""Deliveries whose effect is outside: done with no transaction open, then marked; again after a crash, same id.

What is for another side that is down is set aside (held), so that the lane goes on with the rest. One held message at a
time goes out as a probe; the first that gets through lets all of them flow again.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from hub import deliveries, failpoints, telemetry
from hub.component import Unasked
from hub.database import UNREACHABLE, Database, Row, is_retryable, is_unreachable
from hub.deliveries import Due, Place
from hub.errors import (
    ComponentPausedError,
    HubError,
    NoAnswerError,
    NotYetError,
    OutsideError,
    PermanentError,
    TransientError,
    UnroutableError,
)
from hub.flow import since_said_ms
from hub.metrics import FAILED, HANDLED
from hub.outages import PROBE_TIMEOUT_S, OutageLimits, Outages
from hub.runner import Runner
from hub.tracing import TRACE
from hub.transports.receiver import Receiver, envelope_of

log = structlog.get_logger()

MARK_LIMIT: Final = 64
"""The most outside messages that a crash could repeat, per lane."""
TURN_LIMIT_S: Final = 2.0
"""How long one destination may keep a lane busy; what is left for it then is put off."""
SLOW_REST_S: Final = 5.0
"""For how long."""
PAUSED_REST_S: Final = 0.5
"""How long a lane rests that needs a component which is paused."""
PROBE_END_S: Final = 2.0
"""How long a stop waits for a probe: it hangs, most likely, as whatever went before it."""
BEFORE_ALL: Final = -1
"""A lane's cursor that is lower than any other."""
PROBES_LIMIT: Final = 16
"""The most destinations that this process probes at once."""


class UnclassifiedError(PermanentError):
    """Something outside failed in a way that nobody has classified: a defect, to be mended before a redrive."""


class SlowError(NotYetError):
    """Its destination answers slowly, and others are waiting; it was not tried, and that costs no attempt."""


class Ended(NamedTuple):
    """An outside message that was done, or failed with `error`, or waits for another side that is down."""

    due: Due
    error: Exception | None = None
    waits_for: str | None = None
    was_tried: bool = True
    """Whether it was; where not, it has failed at no attempt."""
    was_asked: bool = True
    """Whether the other side was; where not, the message tells nothing of it."""
    took_s: float = 0.0


class _Run(NamedTuple):
    """What is found out in the course of one run of a lane, and is so until its end."""

    down: set[str]
    """What for these destinations is held: what was said before may be held already, and order is kept."""
    slow: set[str]


class _Turn(NamedTuple):
    """What goes out one after the other; `destination` where it is for one that may turn out to be slow."""

    destination: str | None
    due: list[Due]


class OutsideReceiver(Receiver):
    """Does the outside commands of a component, several at once, and marks them in small groups."""

    def __init__(
        self, receiver: str, runner: Runner, database: Database, process_id: UUID, limits: OutageLimits | None = None
    ) -> None:
        super().__init__(receiver, runner, database, process_id)
        self.outages = Outages(receiver, database, limits or OutageLimits())
        self._probed: set[str] = set()
        """Destinations that this process sends a probe to."""
        self._sending: set[asyncio.Task[None]] = set()
        """Probes whose answer is waited for."""
        self._down: dict[int, set[str]] = {}
        """What was down when a lane's work was fetched."""
        self.outages.on_ended = self._begin_anew
        self._probing = Counter[int]()
        """How many probes are under way in a lane."""

    async def stop(self) -> None:
        """Finish what is under way; a probe is ended before long."""
        ending = asyncio.get_running_loop().call_later(PROBE_END_S, self._end_probes)
        try:
            await super().stop()
        finally:
            ending.cancel()

    def _end_probes(self) -> None:
        for probe in self._sending:
            probe.cancel()

    async def handle(self, place: Place, due: Sequence[Due]) -> bool:
        """Do what is due, in groups; a group's successes and failures are recorded in one transaction.

        Once the lane is no longer ours, or we are told to stop or to pause, nothing more is begun.
        """
        if not self.outages.are_known:  # a lane may be won before it was first looked
            await self.outages.refresh(list(self.lanes.epochs))
        slots = asyncio.Semaphore(self.runner.component.outside_limit)
        run = _Run({*self._down.get(place.lane, ()), *self.outages.open()}, set())
        left = Counter(one.delivery_id for one in due)
        waiting: dict[int, dict[str, list[UUID]]] = {}
        for first in range(0, len(due), MARK_LIMIT):
            group = due[first : first + MARK_LIMIT]
            turns = await asyncio.gather(*(self._take_turn(place, turn, slots, run) for turn in self._turns(group)))
            ended = [one for turn in turns for one in turn]
            failpoints.reach(f"{self.runner.component.name}.before_mark")
            await self._record(place, [one for one in ended if one.waits_for is None], left)
            await self.outages.begin_suspected()
            if len(ended) < len(group):
                if self.owns(place):
                    await asyncio.sleep(PAUSED_REST_S)
                return False
            for one in ended:
                if one.waits_for is not None:
                    by_destination = waiting.setdefault(one.due.delivery_id, {})
                    by_destination.setdefault(one.waits_for, []).append(one.due.message_id)
        return await self._hold(place, waiting)

    async def _fetch(self, place: Place, after: int) -> list[Due]:
        self._down[place.lane] = self.outages.open()
        return await super()._fetch(place, after)

    def _begin_anew(self) -> None:
        """Have every lane read from its start: what was held stands there again, before what has come since."""
        self._cursors = dict.fromkeys(self._cursors, BEFORE_ALL)

    async def _hold(self, place: Place, waiting: dict[int, dict[str, list[UUID]]]) -> bool:
        if not waiting:
            return True
        async with self.database.transaction() as tx:
            are_held = await deliveries.hold(tx, place, waiting)
        if not are_held:
            await self.outages.refresh(list(self.lanes.epochs))
        return are_held

    def _turns(self, group: Sequence[Due]) -> Iterable[_Turn]:
        """What may go out side by side."""
        if not self.runner.component.outside_in_turn:
            return [_Turn(None, [due]) for due in group]
        turns: dict[str | None, _Turn] = {}
        for due in group:
            destination = self._destination(due)
            turns.setdefault(destination, _Turn(destination, [])).due.append(due)
        return turns.values()

    def _destination(self, due: Due) -> str | None:
        with suppress(HubError):  # whatever is wrong with it is found when it is tried
            return self.runner.component.destination_of(envelope_of(due, self.database.sealer).message)
        return None

    async def _take_turn(self, place: Place, turn: _Turn, slots: asyncio.Semaphore, run: _Run) -> list[Ended]:
        """What is missing was not begun, and stays due."""
        ended: list[Ended] = []
        async with slots:
            began_s = time.monotonic()
            for due in turn.due:
                if not self.owns(place):
                    break
                if turn.destination in run.slow:
                    ended.append(Ended(due, SlowError(retry_after_s=SLOW_REST_S), was_tried=False))
                    continue
                one = await self._try(due, run.down)
                if one is None:
                    break
                ended.append(one)
                if one.waits_for is not None:
                    run.down.add(one.waits_for)
                if turn.destination is not None and time.monotonic() - began_s > TURN_LIMIT_S:
                    run.slow.add(turn.destination)
        return ended

    async def _try(self, due: Due, down: Collection[str] = (), probed: str | None = None) -> Ended | None:
        """Do one message. What is for a destination that is down is left alone, but for the one that is `probed`.

        None: a component that is needed for it is paused; it stays due.
        """
        begun_s = time.monotonic()
        destination = None
        try:
            envelope = envelope_of(due, self.database.sealer)
            outside = self.runner.component.outside.get(type(envelope.message))
            if outside is None:
                raise UnroutableError(envelope.type)
            destination = self.runner.component.destination_of(envelope.message)
            if probed is None and (destination in down or self.outages.is_open(destination)):
                return Ended(due, waits_for=destination)
            TRACE.set(due.trace)  # each is done in a task of its own
            name = self.runner.component.name
            with self.flow.working(1), telemetry.outside(name, due.trace) if telemetry.sink else telemetry.OFF:
                was_asked = await outside(envelope) is not Unasked.UNASKED
        except ComponentPausedError:
            return None
        except OutsideError as error:
            if probed is not None or self.outages.blames(error, begun_s):
                return Ended(due, error, waits_for=probed or error.destination)
            return self._failed(due, error)
        except Exception as error:
            return self._failed(due, error, destination)
        if was_asked:
            self.outages.answered(destination)
        HANDLED.labels(self.runner.component.name, "outside").inc()
        self.flow.was_done([due.message_id], since_said_ms)
        return Ended(due, was_asked=was_asked, took_s=time.monotonic() - begun_s)

    def _failed(self, due: Due, error: Exception, destination: str | None = None) -> Ended:
        if isinstance(error, NotYetError):
            return Ended(due, error, was_tried=False, was_asked=False)
        if isinstance(error, HubError) and error.answered:
            self.outages.answered(destination)
        self.flow.failed += 1
        FAILED.labels(self.runner.component.name, str(getattr(error, "permanent", None))).inc()
        log.warning("outside_failed", message_id=due.message_id, error=type(error).__qualname__)
        return Ended(due, error)

    async def _record(self, place: Place, ended: Sequence[Ended], left: Counter[int]) -> None:
        if not ended:
            return
        left.subtract(one.due.delivery_id for one in ended)
        async with self.database.transaction() as tx:
            for delivery_id in sorted({one.due.delivery_id for one in ended}):
                if left[delivery_id]:
                    ids = [one.due.message_id for one in ended if one.due.delivery_id == delivery_id]
                    await deliveries.mark_part_done(tx, place, delivery_id, ids)
                else:
                    await deliveries.mark_done(tx, place, [delivery_id])
            if took_s := {one.due.message_id: one.took_s for one in ended if one.error is None}:
                await deliveries.mark_done_outside(tx, took_s)
            for one in ended:
                if one.error is not None:
                    attempts = one.due.attempts + one.was_tried
                    await deliveries.put_off(tx, place, one.due, attempts, _classified(one.error))

    def is_working(self, lane: int) -> bool:
        """Probes count, too."""
        return super().is_working(lane) or self._probing[lane] > 0

    # probes

    async def _look(self) -> None:
        await self.outages.refresh(list(self.lanes.epochs))
        for destination in () if self.runner.is_paused() else self.outages.ripe():
            if destination not in self._probed and len(self._probed) < PROBES_LIMIT and self.lanes.epochs:
                self._probed.add(destination)
                task = asyncio.create_task(self._probe(destination))
                self._beside.add(task)
                task.add_done_callback(self._beside.discard)
        await super()._look()

    async def _probe(self, destination: str) -> None:
        """Send one held message out, if it is our turn."""
        try:
            epochs = dict(self.lanes.epochs)
            row = await self.outages.first_held(destination, list(epochs))
            if row is None or (probes := await self.outages.claim(destination)) is None:
                return
            place = Place(self.receiver, row["lane"], epochs[row["lane"]])
            if not self.owns(place):
                await self.outages.failed(destination, probes)
                return
            self._probing[place.lane] += 1
            try:
                await self._probe_with(row, place, destination, probes)
            finally:
                self._probing[place.lane] -= 1
        except UNREACHABLE as error:
            log.warning("probe_interrupted", receiver=self.receiver, error=type(error).__qualname__)
        finally:
            self._probed.discard(destination)

    async def _probe_with(self, row: Row, place: Place, destination: str, probes: int) -> None:
        due = Due(row["delivery_id"], row["attempts"], row["since"], row["message_id"], row)
        try:
            ended = await self._send_probe(due, destination, probes)
        except asyncio.CancelledError:
            await self.outages.failed(destination, probes)
            raise
        if ended is None or ended.waits_for is not None:
            await self.outages.failed(destination, probes, None if ended is None else ended.error)
            return
        got_through = ended.error is None and ended.was_asked
        try:
            await self._record(place, [ended], Counter({due.delivery_id: row["messages"]}))
        finally:
            # Also where the lane was lost meanwhile: the other side is what it is.
            await (self.outages.end(destination) if got_through else self.outages.failed(destination, probes))
        self.poll_soon()

    async def _send_probe(self, due: Due, destination: str, probes: int) -> Ended | None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - we are in one
        self._sending.add(task)
        keeping = asyncio.create_task(self.outages.keep(destination, probes))
        try:
            async with asyncio.timeout(self.runner.component.outside_try_limit_s or PROBE_TIMEOUT_S):
                return await self._try(due, probed=destination)
        except TimeoutError:
            return Ended(due, NoAnswerError(destination=destination), waits_for=destination)
        finally:
            self._sending.discard(task)
            keeping.cancel()


def _classified(error: Exception) -> HubError:
    """What nobody classified is a defect: outside, trying on could do harm. Our own database is not outside."""
    if isinstance(error, HubError):
        return error
    if is_unreachable(error) or is_retryable(error):
        return TransientError(f"PostgreSQL does not answer: {type(error).__qualname__}")
    return UnclassifiedError(type(error).__qualname__).with_traceback(error.__traceback__)
