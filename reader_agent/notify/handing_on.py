"""Hands a number on by the method that the job names: what `ports.Notifier` asks for."""

import asyncio

import structlog

from reader_agent.notify import file, keyboard, url
from reader_agent.notify.clipboard import Clipboard
from reader_agent.notify.errors import NotHandedOnError
from reader_agent.settings import Settings
from schemas.uplink import NotifyJob, NotifyResult, Outcome

log = structlog.get_logger()


class HandingOn:
    """The notifier of this terminal."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.notify_folder
        self._clipboard = Clipboard()

    async def hand_on(self, job: NotifyJob) -> NotifyResult:
        """See ports.Notifier."""
        try:
            async with asyncio.timeout(job.limit_s):
                await self._do(job)
        except (NotHandedOnError, TimeoutError) as error:
            log.warning("number_not_handed_on", job_id=str(job.job_id), method=job.method, reason=str(error))
            return NotifyResult(job_id=job.job_id, outcome=Outcome.not_handed_on)
        log.info("number_handed_on", job_id=str(job.job_id), method=job.method)
        return NotifyResult(job_id=job.job_id, outcome=Outcome.done)

    async def close(self) -> None:
        """Take away what still lies in the clipboard."""
        await self._clipboard.close()

    async def _do(self, job: NotifyJob) -> None:
        text = f"{job.prefix}{job.number}{job.suffix}"
        if job.method == "keyboard":
            await keyboard.type_in(text, enter=job.enter)
        elif job.method == "clipboard":
            await self._clipboard.put(text, job.clear_after_s)
        elif job.method == "file":
            await asyncio.to_thread(file.write_line, text, self._folder, job.target)
        else:
            await url.call(text, job.target)
