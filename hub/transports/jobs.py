"""Jobs: what a component does by itself, in one process at a time (a lease of one lane)."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog

from hub.component import Job
from hub.database import Database
from hub.errors import TransientError
from hub.supervision import CANCEL_AGAIN_S, end_tasks, for_ever
from hub.transports.lanes import Lanes

log = structlog.get_logger()

PAUSED_S: Final = 0.5
"""How often a paused component's job looks whether it may run again."""
RETRY_S: Final = 10.0
"""The longest after which a job that failed runs again."""
DOUBLINGS_LIMIT: Final = 16


class JobRunner:
    """Runs one job every `every_s` seconds while this process holds its lease."""

    def __init__(
        self,
        component: str,
        job: Job,
        database: Database,
        process_id: UUID,
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._job = job
        self._is_paused = is_paused
        self._lanes = Lanes(f"{component}.job.{job.name}", process_id, database, self._lease_changed, count=1)
        self._keeping: asyncio.Task[None] | None = None
        self._working: asyncio.Task[None] | None = None
        self._epoch: int | None = None
        """The lease's, in which `_working` works; None: stopped."""

    def start(self) -> None:
        """Begin to ask for the lease, and to run."""
        self._keeping = asyncio.create_task(for_ever(self._lanes.receiver, self._lanes.keep))

    async def stop(self) -> None:
        """Stop between runs or in the middle of one: a job must bear that, as it must bear a crash."""
        if self._keeping is not None:
            await end_tasks([self._keeping], CANCEL_AGAIN_S)
        self._lanes.let_go()
        if self._working is not None:
            await end_tasks([self._working], CANCEL_AGAIN_S)
        await self._lanes.release()

    def _lease_changed(self) -> None:
        """Another epoch: the lease was lost and won again, and who had it between may have run the job too."""
        epoch = self._lanes.epochs.get(0)
        if epoch == self._epoch:
            return
        if self._epoch is not None and self._working is not None:
            self._working.cancel()
        if epoch is not None:
            self._working = asyncio.create_task(self._repeat(after=self._working))
        self._epoch = epoch

    async def _repeat(self, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            # Cancelled already as its lease was lost: the next cancellation is for what has swallowed that one.
            await asyncio.wait([after], timeout=CANCEL_AGAIN_S)
            await end_tasks([after], CANCEL_AGAIN_S)
        failures = 0
        while True:
            if self._is_paused():
                await asyncio.sleep(PAUSED_S)
                continue
            (error,) = await asyncio.gather(self._job.run(), return_exceptions=True)
            if error is None:
                failures = 0
                await asyncio.sleep(self._job.every_s)
            else:
                failures += 1
                self._report(error)
                await asyncio.sleep(retry_after_s(self._job.every_s, failures))

    def _report(self, error: BaseException) -> None:
        if isinstance(error, TransientError):  # whoever waits for another component fails in no new place
            log.warning("job_failed", job=self._lanes.receiver, error=type(error).__qualname__, detail=str(error))
        else:
            log.warning("job_failed", job=self._lanes.receiver, exc_info=error)


def retry_after_s(every_s: float, failures: int) -> float:
    """How long a job that runs every `every_s` seconds waits after so many failures in a row: twice as long each."""
    return float(min(RETRY_S, every_s * 2 ** min(failures - 1, DOUBLINGS_LIMIT)))
