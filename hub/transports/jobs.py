"""Jobs: what a component does by itself, in one process at a time (a lease of one lane)."""

import asyncio
from typing import Final
from uuid import UUID

import structlog

from hub.component import Job
from hub.database import UNREACHABLE, Database
from hub.errors import HubError
from hub.transports.lanes import Lanes

log = structlog.get_logger()

WAIT_FOR_LEASE_S: Final = 0.5


class JobRunner:
    """Runs one job every `every_s` seconds while this process holds its lease."""

    def __init__(self, component: str, job: Job, database: Database, process_id: UUID) -> None:
        self._job = job
        self._database = database
        self._lanes = Lanes(f"{component}.job.{job.name}", process_id, database, lambda: None, count=1)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to ask for the lease, and to run."""
        self._tasks = [asyncio.create_task(self._lanes.keep()), asyncio.create_task(self._run())]

    async def stop(self) -> None:
        """Stop between runs or in the middle of one: a job must bear that, as it must bear a crash."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._lanes.release()
        except UNREACHABLE:
            log.warning("job_lease_not_released", job=self._job.name)

    async def _run(self) -> None:
        while True:
            if not self._lanes.epochs:
                await asyncio.sleep(WAIT_FOR_LEASE_S)
                continue
            try:
                await self._job.run()
            except (HubError, *UNREACHABLE) as error:
                log.warning("job_failed", job=self._job.name, error=type(error).__qualname__)
            await asyncio.sleep(self._job.every_s)
