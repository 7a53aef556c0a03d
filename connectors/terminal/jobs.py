"""Jobs as they are asked: made, waited for, taken back. Another process may send them and take their results.

A result was consumed before it comes here, and proves nothing yet: that is the registry's to say.
"""

import asyncio
import secrets
from collections.abc import Collection, Coroutine, Mapping
from typing import Final
from uuid import UUID

import structlog

from connectors.terminal.uplink_store import Ended, Result, UplinkStore
from hub.ids import uuid7
from hub.supervision import tell_failure
from schemas.card_jobs import (
    Ask,
    CardAnswer,
    DropAnswer,
    DropMergeFiles,
    HandNumberOn,
    JobAnswer,
    NumberAnswer,
    ReadCard,
    ReadNumber,
    ReleaseCard,
)
from schemas.cards import CardProof
from schemas.problems import RefusalCode
from schemas.uplink import (
    NONCE_BYTES,
    CardJob,
    CardResult,
    Job,
    MergeFilesJob,
    MergeFilesResult,
    NotifyJob,
    NumberJob,
    NumberResult,
    Outcome,
    ReleaseJob,
)

RELEASE_LIMIT_S: Final = 10.0
OF_SIGNATURE_PASSWORD: Final[Mapping[Outcome, Outcome]] = {
    Outcome.wrong_pin: Outcome.signature_password_wrong,
    Outcome.blocked: Outcome.signature_password_blocked,
}
"""What a failure means once the card has signed, which it does only after the right PIN."""

log: Final = structlog.get_logger()


class Jobs:
    """The jobs that this process has asked and waits for."""

    def __init__(self, store: UplinkStore, hub_origin: str) -> None:
        self._store = store
        self._origin = hub_origin
        self._waiting: dict[UUID, asyncio.Future[Result | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    @property
    def waits_for(self) -> Collection[UUID]:
        """The jobs whose results are waited for."""
        return self._waiting.keys()

    async def read_card(self, ask: ReadCard) -> CardAnswer:
        """The card's proof, bound to this very job."""
        job = CardJob(
            job_id=uuid7(), nonce=secrets.token_bytes(NONCE_BYTES),
            **ask.model_dump(include={"limit_s", "purpose", "how", "again", "address_change"}),
        )  # fmt: skip
        made, result = await self._done(ask, job)
        if not isinstance(made, CardJob) or not isinstance(result, CardResult):
            return CardAnswer(**_plain(result).model_dump())
        proof = self._proof(ask.terminal_id, made, result) if result.outcome is Outcome.done else None
        return CardAnswer(outcome=_outcome(made, result, proof), proof=proof, tries_left=result.tries_left)

    async def read_number(self, ask: ReadNumber) -> NumberAnswer:
        """The number."""
        _, result = await self._done(ask, NumberJob(job_id=uuid7(), limit_s=ask.limit_s))
        if not isinstance(result, NumberResult):
            return NumberAnswer(**_plain(result).model_dump())
        lacks = result.outcome is Outcome.done and result.number is None
        outcome = Outcome.reader_failed if lacks else result.outcome
        return NumberAnswer(outcome=outcome, number=result.number, source=result.source)

    async def hand_on(self, ask: HandNumberOn) -> JobAnswer:
        """Whether the other program has it."""
        fields = ask.model_dump(exclude={"terminal_id", "operation_id", "ask_id"})
        _, result = await self._done(ask, NotifyJob(job_id=uuid7(), **fields))
        return _plain(result)

    async def drop_merge_files(self, ask: DropMergeFiles) -> DropAnswer:
        """What became of each file; no answer means that they may be there, and asking again is safe."""
        _, result = await self._done(ask, MergeFilesJob(job_id=uuid7(), limit_s=ask.limit_s, files=ask.files))
        if isinstance(result, JobAnswer) and result.code == RefusalCode.terminal_away:
            is_there = await self._store.connected_among([ask.terminal_id])
            return DropAnswer(code=RefusalCode.merge_folder_none if is_there else RefusalCode.terminal_away)
        if not isinstance(result, MergeFilesResult):
            return DropAnswer(**_plain(result).model_dump())
        return DropAnswer(outcome=result.outcome, files=result.files)

    async def release(self, ask: ReleaseCard) -> JobAnswer:
        """Done too where nothing is held; asked also by a process that is to end, which does not wait for it."""
        _, result = await self._done(ask, ReleaseJob(job_id=uuid7(), limit_s=ask.limit_s))
        answer = _plain(result)
        is_unknown = self._is_stopped and answer.code == RefusalCode.terminal_gone
        return answer if answer.code is None or is_unknown else JobAnswer(outcome=Outcome.done)

    def ended(self, ended: Ended) -> None:
        """A job has; one that nobody waits for any more is nothing."""
        waiting = self._waiting.get(ended.job_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(ended.result)

    def stop(self) -> None:
        """This process is to end: nothing is waited for any longer."""
        self._is_stopped = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)

    async def close(self) -> None:
        """Wait until what was given up has been taken back."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _done(self, ask: Ask, job: Job) -> tuple[Job, Result | JobAnswer]:
        """The job, or the one that this very ask made before; its result, or why there is none."""
        is_release = isinstance(job, ReleaseJob)
        if self._is_stopped and not is_release:
            return job, JobAnswer(code=RefusalCode.terminal_gone)
        try:
            made = await self._store.ask(ask, job)
            if made is None:
                return job, JobAnswer(code=RefusalCode.terminal_away)
            result = await self._result_of(made, has_come_before=made.job_id != job.job_id)
        except asyncio.CancelledError:
            self._start(self._take_back(ask))
            raise
        if self._is_stopped and not is_release and isinstance(result, JobAnswer):
            self._start(self._take_back(ask))
        return made, result

    async def _result_of(self, job: Job, *, has_come_before: bool) -> Result | JobAnswer:
        waiting = self._waiting.setdefault(job.job_id, asyncio.get_running_loop().create_future())
        try:
            if has_come_before:
                for ended in await self._store.ended([job.job_id]):
                    self.ended(ended)
            if self._is_stopped and not waiting.done():
                waiting.set_result(None)
            await asyncio.wait([waiting], timeout=job.limit_s)
            if waiting.done():
                return waiting.result() or JobAnswer(code=RefusalCode.terminal_gone)
            return JobAnswer(outcome=Outcome.expired)
        finally:
            self._waiting.pop(job.job_id, None)

    async def _take_back(self, ask: Ask) -> None:
        """Nobody wants it any more: no result is taken, and whoever is asked for a card or a PIN is left alone."""
        await self._store.forget(ask.ask_id)
        release = ReleaseJob(job_id=uuid7(), limit_s=RELEASE_LIMIT_S)
        await self._store.tell(ask.terminal_id, ask.operation_id, release)

    def _start(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(tell_failure("take_back"))

    def _proof(self, terminal_id: str, job: CardJob, result: CardResult) -> CardProof | None:
        """None where the result is not all that was asked for."""
        if result.certificate is None or result.insertion is None or (result.signature is None and job.how == "pin"):
            return None
        if job.again not in {None, result.insertion} or (job.address_change and result.signature_serial is None):
            return None
        return CardProof(
            job_id=job.job_id,
            purpose=job.purpose,
            terminal_id=terminal_id,
            hub_origin=self._origin,
            nonce=job.nonce,
            how=job.how,
            certificate=result.certificate,
            signature=result.signature,
            insertion=result.insertion,
            signature_serial=result.signature_serial,
        )


def _outcome(job: CardJob, result: CardResult, proof: CardProof | None) -> Outcome:
    if job.address_change and result.signature is not None and result.outcome in OF_SIGNATURE_PASSWORD:
        return OF_SIGNATURE_PASSWORD[result.outcome]
    if result.outcome is not Outcome.done or proof is not None:
        return result.outcome
    return Outcome.removed if job.again not in {None, result.insertion} else Outcome.reader_failed


def _plain(result: Result | JobAnswer) -> JobAnswer:
    return result if isinstance(result, JobAnswer) else JobAnswer(outcome=result.outcome)
