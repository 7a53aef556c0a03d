"""Deliveries whose effect is outside: done with no transaction open, then marked; again after a crash, same id."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from hub import deliveries, failpoints
from hub.deliveries import Place
from hub.errors import HubError, PermanentError, UnroutableError
from hub.metrics import FAILED, HANDLED
from hub.routes import ROUTES
from hub.transports.postgres import Due, Receiver
from schemas.catalog import CATALOG

log = structlog.get_logger()

MARK_LIMIT: Final = 64
"""The most outside messages that a crash could repeat, per lane."""


class UnclassifiedError(PermanentError):
    """Something outside failed in a way that nobody has classified: a defect, to be mended before a redrive."""


class OutsideReceiver(Receiver):
    """Does the outside commands of a component, several at once, and marks them in small groups."""

    async def handle(self, place: Place, due: Sequence[Due]) -> None:
        """Do what is due, in groups; a group's successes and failures are recorded in one transaction."""
        for first in range(0, len(due), MARK_LIMIT):
            group = due[first : first + MARK_LIMIT]
            slots = asyncio.Semaphore(self.runner.component.outside_limit)
            errors = await asyncio.gather(*(self._do(one, slots) for one in group))
            failpoints.reach(f"{self.runner.component.name}.before_mark")
            await self._record(place, due, first, errors)

    async def _do(self, one: Due, slots: asyncio.Semaphore) -> Exception | None:
        async with slots:
            try:
                envelope = one.envelope(self.database.sealer)
                outside = self.runner.component.outside.get(type(envelope.message))
                if outside is None:
                    raise UnroutableError(envelope.type)
                await outside(envelope)
            except Exception as error:
                FAILED.labels(self.runner.component.name, str(getattr(error, "permanent", None))).inc()
                log.warning("outside_failed", message_id=str(one.message_id), error=type(error).__qualname__)
                return error
            HANDLED.labels(self.runner.component.name, "outside").inc()
            return None

    async def _record(self, place: Place, due: Sequence[Due], first: int, errors: Sequence[Exception | None]) -> None:
        async with self.database.transaction() as tx:
            ended = due[first : first + len(errors)]
            for delivery_id in sorted({one.delivery_id for one in ended}):
                ids = [one.message_id for one in ended if one.delivery_id == delivery_id]
                last = first + len(errors) == len(due) or due[first + len(errors)].delivery_id != delivery_id
                await deliveries.mark_part_done(tx, place, delivery_id, ids, last=last)
            for one, error in zip(ended, errors, strict=True):
                if error is not None:
                    policy = ROUTES[CATALOG[one.row["type"]]].retry
                    known = error if isinstance(error, HubError) else UnclassifiedError(type(error).__qualname__)
                    await deliveries.put_off(tx, place, one.message_id, one.attempts + 1, policy, known)
