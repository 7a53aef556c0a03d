"""Deliveries whose effect is outside: done with no transaction open, then marked; again after a crash, same id."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from hub import deliveries, failpoints
from hub.database import Database, is_retryable, is_unreachable
from hub.deliveries import Due, Place
from hub.errors import HubError, OutsideDownError, PermanentError, TransientError, UnroutableError
from hub.metrics import FAILED, HANDLED
from hub.runner import Runner
from hub.transports.postgres import Receiver, envelope_of

log = structlog.get_logger()

MARK_LIMIT: Final = 64
"""The most outside messages that a crash could repeat, per lane."""


REST_LIMIT_S: Final = 300.0
"""The longest that a lane rests while its other side is down."""


class UnclassifiedError(PermanentError):
    """Something outside failed in a way that nobody has classified: a defect, to be mended before a redrive."""


class Ended(NamedTuple):
    """An outside message that was done, or failed with `error`."""

    due: Due
    error: Exception | None


class OutsideReceiver(Receiver):
    """Does the outside commands of a component, several at once, and marks them in small groups."""

    def __init__(self, receiver: str, runner: Runner, database: Database, process_id: UUID) -> None:
        super().__init__(receiver, runner, database, process_id)
        self._down_for_s: dict[int, float] = {}
        """Lane → how long its other side wants to be left alone; such a lane sends one probe at a time."""

    async def handle(self, place: Place, due: Sequence[Due]) -> bool:
        """Do what is due, in groups; a group's successes and failures are recorded in one transaction.

        Once the lane is no longer ours, or we are told to stop, or the other side is down, nothing more is begun.
        """
        slots = asyncio.Semaphore(self.runner.component.outside_limit)
        left = Counter(one.delivery_id for one in due)
        first = 0
        while first < len(due):
            group = due[first : first + (1 if place.lane in self._down_for_s else MARK_LIMIT)]
            self._down_for_s.pop(place.lane, None)
            ended = [one for one in await asyncio.gather(*(self._do(place, one, slots) for one in group)) if one]
            failpoints.reach(f"{self.runner.component.name}.before_mark")
            await self._record(place, ended, left)
            if place.lane in self._down_for_s:
                await self._rest(place)
                return False
            first += len(group)
        return True

    async def _rest(self, place: Place) -> None:
        """Leave the other side alone; then begin again, from the first message that is still due."""
        rest_s = min(self._down_for_s[place.lane], REST_LIMIT_S)
        log.warning("outside_down", receiver=self.receiver, lane=place.lane, rest_s=round(rest_s, 1))
        until_s = time.monotonic() + rest_s
        wake = self._wakes[place.lane]
        while self.owns(place) and (left_s := until_s - time.monotonic()) > 0:
            wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await wake.wait()
        wake.set()

    async def _do(self, place: Place, due: Due, slots: asyncio.Semaphore) -> Ended | None:
        """None: it was not begun, or its other side is down; it stays due."""
        async with slots:
            if place.lane in self._down_for_s or not self.owns(place):
                return None
            try:
                envelope = envelope_of(due, self.database.sealer)
                outside = self.runner.component.outside.get(type(envelope.message))
                if outside is None:
                    raise UnroutableError(envelope.type)
                await outside(envelope)
            except OutsideDownError as error:
                self._down_for_s[place.lane] = error.retry_after_s
                return None
            except Exception as error:
                FAILED.labels(self.runner.component.name, str(getattr(error, "permanent", None))).inc()
                log.warning("outside_failed", message_id=due.message_id, error=type(error).__qualname__)
                return Ended(due, error)
            HANDLED.labels(self.runner.component.name, "outside").inc()
            return Ended(due, None)

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
            for due, error in ended:
                if error is not None:
                    await deliveries.put_off(tx, place, due, due.attempts + 1, _classified(error))


def _classified(error: Exception) -> HubError:
    """What nobody classified is a defect: outside, trying on could do harm. Our own database is not outside."""
    if isinstance(error, HubError):
        return error
    if is_unreachable(error) or is_retryable(error):
        return TransientError(f"PostgreSQL does not answer: {type(error).__qualname__}")
    return UnclassifiedError(type(error).__qualname__).with_traceback(error.__traceback__)
