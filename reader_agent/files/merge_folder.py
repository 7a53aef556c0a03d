"""The merge folder of this terminal: what the hub sends is dropped there, what the street's program answers is told.

Everything that touches files is done in one thread of its own: a share that is away may hold it for long, and nothing
else of the agent waits for it.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import structlog

from reader_agent.files import answers, dropping
from reader_agent.files.dropping import DropError
from reader_agent.files.journal import Journal, digest_of
from reader_agent.ports import TellHub
from schemas.uplink import (
    MERGE_FILES_LIMIT,
    Dropped,
    MergeAnswers,
    MergeFile,
    MergeFileAnswer,
    MergeFilesJob,
    MergeFilesResult,
    MergeFolder,
    MergeTrouble,
    Outcome,
)

LOOK_EVERY_S: Final = 0.25
HANGS_AFTER_S: Final = 5.0
"""A look that takes longer is at a share that is away."""
TELL_AGAIN_S: Final = 20.0
"""After this an answer is told once more that the hub has not taken."""
FORGET_EVERY_S: Final = 24 * 3_600.0
_OWN_TROUBLES: Final = (sqlite3.Error, OSError)
"""Of the agent's own disk, or of the folder's: what waits is tried again, and the agent goes on."""

Result = TypeVar("Result")

log: Final = structlog.get_logger()


class MergeDrop:
    """See ports.MergeDesk; `folder` None is a terminal that has none."""

    def __init__(self, folder: Path | None, own_folder: Path, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` hears that `trouble` or `waiting` is another one."""
        self._folder = folder
        self._own_folder = own_folder
        self._changed = changed
        self._thread = ThreadPoolExecutor(1, "merge-files")
        self._journal: Journal | None = None
        self._waiting: set[str] = set()
        self._told: dict[str, float] = {}
        self._tell: TellHub | None = None
        self._wake = asyncio.Event()
        self._forget_at_s = 0.0
        self._last_drop: MergeTrouble | None = None
        self._has_looked = False
        self.trouble: MergeTrouble | None = MergeTrouble.no_folder if folder is None else MergeTrouble.missing

    @property
    def waiting(self) -> int:
        """How many files are in the folder that the street's program has not answered."""
        return len(self._waiting)

    # ---------------------------------------------------------------------------------------------- what the hub asks

    async def drop(self, job: MergeFilesJob) -> MergeFilesResult:
        """See ports.MergeDesk."""
        if self._folder is None:
            files = [Dropped(name=file.name, trouble=MergeTrouble.no_folder) for file in job.files]
        else:
            files = await self._dropped(self._folder, job.files)
            # Only trying tells that a disk is full; a name that is taken is no trouble of the folder.
            troubles = {file.trouble for file in files} - {None, MergeTrouble.exists}
            self._last_drop = next(iter(troubles), None)
        self._changed()
        self._wake.set()
        return MergeFilesResult(job_id=job.job_id, outcome=Outcome.done, files=files)

    async def _dropped(self, folder: Path, files: Sequence[MergeFile]) -> list[Dropped]:
        try:
            return await self._in_thread(lambda journal: self._drop(journal, folder, files))
        except _OWN_TROUBLES as error:
            return [Dropped(name=file.name, trouble=trouble_of(error)) for file in files]

    async def connected(self, tell: TellHub) -> None:
        """A connection has begun: how the folder is, once that is known, and whatever the hub has not taken."""
        self._tell = tell
        self._told.clear()
        self._wake.set()
        if self._has_looked:
            await tell(MergeFolder(trouble=self.trouble))

    def disconnected(self) -> None:
        """Nobody is told anything until the next one."""
        self._tell = None

    async def taken(self, names: Sequence[str]) -> None:
        """The hub has these answers."""
        try:
            await self._in_thread(lambda journal: self._taken(journal, names))
        except _OWN_TROUBLES as error:
            # They are told once more, and the hub then says this again.
            log.warning("merge_answers_not_kept", error=type(error).__qualname__)
            return
        for name in names:
            self._told.pop(name, None)
        self._wake.set()

    # ------------------------------------------------------------------------------------------------------ by itself

    async def run(self) -> None:
        """Look for answers and tell them; until cancelled."""
        if self._folder is None:
            return
        try:
            while True:
                self._wake.clear()
                before = len(self._waiting)
                await self._show(await self._looked(self._folder, before), before)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _looked(self, folder: Path, waiting_before: int) -> MergeTrouble | None:
        """How the folder is; for as long as the look hangs it is missing."""
        looking = asyncio.ensure_future(self._round(folder))
        try:
            await asyncio.wait([looking], timeout=HANGS_AFTER_S)
            if not looking.done():
                await self._show(MergeTrouble.missing, waiting_before)
            return await looking
        except _OWN_TROUBLES as error:
            return trouble_of(error)
        finally:
            looking.cancel()

    async def _round(self, folder: Path) -> MergeTrouble | None:
        """How the folder is. Raises sqlite3.Error, OSError."""
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._forget_at_s:
            await self._in_thread(self._forget)
            self._forget_at_s = now_s + FORGET_EVERY_S
        trouble, found = await self._in_thread(lambda journal: self._found(journal, folder))
        if found:
            log.info("merge_files_answered", count=len(found))
        await self._tell_answers()
        return trouble

    async def _show(self, trouble: MergeTrouble | None, waiting_before: int) -> None:
        is_other = trouble is not self.trouble or not self._has_looked
        self.trouble, self._has_looked = trouble, True
        if is_other or len(self._waiting) != waiting_before:
            self._changed()
        if is_other:
            (log.info if trouble is None else log.warning)("merge_folder_changed", trouble=trouble)
            if self._tell is not None:
                await _told(self._tell(MergeFolder(trouble=trouble)))

    async def _tell_answers(self) -> None:
        if self._tell is None:
            return
        now_s = asyncio.get_running_loop().time()
        untold = await self._in_thread(lambda journal: journal.untold(MERGE_FILES_LIMIT))
        due = [one for one in untold if self._told.get(one.name, 0.0) <= now_s]
        if due and self._tell is not None:
            self._told |= dict.fromkeys((one.name for one in due), now_s + TELL_AGAIN_S)
            await _told(self._tell(MergeAnswers(answers=due)))

    # -------------------------------------------------------------------------------------------------- in the thread

    async def _in_thread(self, do: Callable[[Journal], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: do(self._opened()))

    def _opened(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._own_folder)
            self._waiting = self._journal.unanswered()
        return self._journal

    def _forget(self, journal: Journal) -> None:
        journal.forget()
        self._waiting = journal.unanswered()

    def _drop(self, journal: Journal, folder: Path, files: Sequence[MergeFile]) -> list[Dropped]:
        troubles: dict[str, MergeTrouble | None] = {}
        there: list[MergeFile] = []
        try:
            for file in files:
                troubles[file.name] = self._put(journal, folder, file, there)
            if there:
                dropping.settle(folder)
                journal.dropped(there)
        except (DropError, sqlite3.Error) as error:
            failed = error.trouble if isinstance(error, DropError) else trouble_of(error)
            # Also those that were not come to: each is answered, and asked for again.
            troubles |= {file.name: failed for file in files if file in there or file.name not in troubles}
        else:
            self._waiting |= {file.name for file in there}
        for name, trouble in troubles.items():
            log.info("merge_file_dropped", file=name, trouble=trouble)
        return [Dropped(name=name, trouble=trouble) for name, trouble in troubles.items()]

    @staticmethod
    def _put(journal: Journal, folder: Path, file: MergeFile, there: list[MergeFile]) -> MergeTrouble | None:
        before = journal.digest(file.name)
        if before is not None and (not file.again or journal.tell_again(file.name)):
            return None if before == digest_of(file.content) or file.again else MergeTrouble.exists
        try:
            # One that was answered already was dropped before a power cut, and taken since.
            if file.again or not answers.is_answered(folder, file.name):
                dropping.put(folder, file.name, file.content)
            else:
                dropping.clear(folder, file.name)
        except DropError as error:
            return error.trouble
        there.append(file)
        return None

    def _found(self, journal: Journal, folder: Path) -> tuple[MergeTrouble | None, list[MergeFileAnswer]]:
        trouble, found = dropping.look_at(folder) or self._last_drop, list[MergeFileAnswer]()
        if self._waiting and trouble is not MergeTrouble.missing:
            with suppress(OSError):
                found = answers.found(folder, self._waiting, MERGE_FILES_LIMIT)
                journal.answered(found)
                self._waiting -= {one.name for one in found}
        return trouble, found

    def _taken(self, journal: Journal, names: Sequence[str]) -> None:
        journal.told(names)
        for name in names:
            if self._folder is not None:
                with suppress(OSError):
                    answers.clear(self._folder, name)


def trouble_of(error: sqlite3.Error | OSError) -> MergeTrouble:
    """What a person can do something about."""
    if isinstance(error, OSError):
        return dropping.trouble_of(error)
    is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return MergeTrouble.full if is_full else MergeTrouble.failed


async def _told(telling: Awaitable[None]) -> None:
    """Where the connection is lost, the next one is told."""
    with suppress(ConnectionError):
        await telling
