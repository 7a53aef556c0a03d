"""Deliveries whose effect is outside: done with no transaction open, then marked; again after a crash, same id."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog

from hub import deliveries, failpoints
from hub.database import is_retryable, is_unreachable
from hub.deliveries import Due, Place
from hub.errors import HubError, PermanentError, TransientError, UnroutableError
from hub.metrics import FAILED, HANDLED
from hub.transports.postgres import Receiver, envelope_of

log = structlog.get_logger()

MARK_LIMIT: Final = 64
"""The most outside messages that a crash could repeat, per lane."""


class UnclassifiedError(PermanentError):
    """Something outside failed in a way that nobody has classified: a defect, to be mended before a redrive."""


class Ended(NamedTuple):
    """An outside message that was done, or failed with `error`."""

    due: Due
    error: Exception | None


class OutsideReceiver(Receiver):
    """Does the outside commands of a component, several at once, and marks them in small groups."""

    async def handle(self, place: Place, due: Sequence[Due]) -> None:
        """Do what is due, in groups; a group's successes and failures are recorded in one transaction.

        Once the lane is no longer ours, or we are told to stop, nothing more is begun.
        """
        slots = asyncio.Semaphore(self.runner.component.outside_limit)
        left = Counter(one.delivery_id for one in due)
        for first in range(0, len(due), MARK_LIMIT):
            group = due[first : first + MARK_LIMIT]
            ended = [one for one in await asyncio.gather(*(self._do(place, one, slots) for one in group)) if one]
            failpoints.reach(f"{self.runner.component.name}.before_mark")
            await self._record(place, ended, left)

    async def _do(self, place: Place, due: Due, slots: asyncio.Semaphore) -> Ended | None:
        async with slots:
            if not self.owns(place):
                return None
            try:
                envelope = envelope_of(due, self.database.sealer)
                outside = self.runner.component.outside.get(type(envelope.message))
                if outside is None:
                    raise UnroutableError(envelope.type)
                await outside(envelope)
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
