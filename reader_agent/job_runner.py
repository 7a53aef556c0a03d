"""Jobs of one connection: one at the card desk at a time, one handing on; each ends within its limit, and is answered.

An answer tells how a job ended; a job that the connection's end breaks off is not answered, the hub knows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import structlog

from reader_agent.ports import CardDesk, MergeDesk, Notifier, PinPad
from schemas.uplink import (
    CardJob,
    CardResult,
    Job,
    MergeFilesJob,
    MergeFilesResult,
    NotifyJob,
    NotifyResult,
    NumberJob,
    NumberResult,
    Outcome,
    ReleaseJob,
)

RELEASE_TIMEOUT_S: Final = 5.0

Result: TypeAlias = CardResult | NumberResult | NotifyResult | MergeFilesResult

log: Final = structlog.get_logger()


class JobRunner:
    """Does what the hub asks by the agent's parts; only for this hub and as this terminal."""

    def __init__(
        self,
        desk: CardDesk,
        pin_pad: PinPad,
        notifier: Notifier,
        merges: MergeDesk,
        hub_origin: str,
        terminal_id: str,
        say: Callable[[Result], Awaitable[None]],
    ) -> None:
        self._desk = desk
        self._pin_pad = pin_pad
        self._notifier = notifier
        self._merges = merges
        self._origin = hub_origin
        self._terminal_id = terminal_id
        self._say = say
        self._at_desk: asyncio.Task[Result] | None = None
        """The last card or number job; done before it is answered, because the next may follow on its heels."""
        self._releasing = asyncio.Lock()
        self._handing_on = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def take(self, job: Job) -> None:
        """Begin with a job; it is good for its limit from now on."""
        task = asyncio.create_task(self._doing(job, asyncio.get_running_loop().time() + job.limit_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Break everything off, and let the card forget its PIN."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._forget()

    def _doing(self, job: Job, deadline_s: float) -> Coroutine[Any, Any, None]:
        match job:
            case CardJob() | NumberJob():
                return self._use_desk(job, deadline_s)
            case NotifyJob():
                return self._hand_on(job, deadline_s)
            case ReleaseJob():
                return self._release(job)
            case MergeFilesJob():
                return self._drop(job, deadline_s)

    async def _use_desk(self, job: CardJob | NumberJob, deadline_s: float) -> None:
        async with self._releasing:  # a job right after a release is not to find the desk taken
            if self._is_at_desk:
                await self._answer(_ended(job, Outcome.busy))
                return
            if asyncio.get_running_loop().time() >= deadline_s:
                await self._answer(_ended(job, Outcome.expired))
                return
            doing: Coroutine[Any, Any, Result] = (
                self._desk.number(job)
                if isinstance(job, NumberJob)
                else self._desk.prove(job, self._pin_pad, self._origin, self._terminal_id)
            )
            self._at_desk = at_desk = asyncio.create_task(self._done(job, doing, deadline_s))
        await self._answer(await at_desk)

    @property
    def _is_at_desk(self) -> bool:
        return self._at_desk is not None and not self._at_desk.done()

    async def _release(self, job: ReleaseJob) -> None:
        async with self._releasing:
            if self._at_desk is not None and self._is_at_desk:
                self._at_desk.cancel()
                await asyncio.wait([self._at_desk])
            outcome = Outcome.done if await self._forget() else Outcome.reader_failed
        await self._answer(CardResult(job_id=job.job_id, outcome=outcome))

    async def _hand_on(self, job: NotifyJob, deadline_s: float) -> None:
        if self._handing_on:
            await self._answer(_ended(job, Outcome.busy))
            return
        self._handing_on = True
        try:
            result = await self._done(job, self._notifier.hand_on(job), deadline_s)
        finally:
            self._handing_on = False
        await self._answer(result)

    async def _drop(self, job: MergeFilesJob, deadline_s: float) -> None:
        await self._answer(await self._done(job, self._merges.drop(job), deadline_s))

    async def _done(self, job: Job, doing: Coroutine[Any, Any, Result], deadline_s: float) -> Result:
        """The result, whatever happens; a cancellation is one too."""
        try:
            async with asyncio.timeout_at(deadline_s):
                ended: Sequence[Result | BaseException] = await asyncio.gather(doing, return_exceptions=True)
        except (TimeoutError, asyncio.CancelledError) as error:
            if isinstance(job, CardJob):
                await self._forget()
            return _ended(job, Outcome.expired if isinstance(error, TimeoutError) else Outcome.cancelled)
        if isinstance(ended[0], BaseException):
            log.error("job_failed", job_id=str(job.job_id), kind=job.kind, error=type(ended[0]).__name__)
            return _ended(job, Outcome.not_handed_on if isinstance(job, NotifyJob) else Outcome.reader_failed)
        return ended[0]

    async def _forget(self) -> bool:
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                (error,) = await asyncio.gather(self._desk.release(), return_exceptions=True)
        except TimeoutError as timeout:
            error = timeout
        if error is not None:
            log.error("card_not_released", error=type(error).__name__)
        return error is None

    async def _answer(self, result: Result) -> None:
        if not self._is_closed:
            # Where the connection is lost, whoever listens to it hears of that.
            with suppress(ConnectionError):
                await self._say(result)


def _ended(job: Job, outcome: Outcome) -> Result:
    match job:
        case NumberJob():
            return NumberResult(job_id=job.job_id, outcome=outcome)
        case NotifyJob():
            return NotifyResult(job_id=job.job_id, outcome=outcome)
        case MergeFilesJob():
            return MergeFilesResult(job_id=job.job_id, outcome=outcome)
        case _:
            return CardResult(job_id=job.job_id, outcome=outcome)
