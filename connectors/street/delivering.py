"""Files to the terminals they belong to: what waits for one terminal goes together, so that a busy one is no slower."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias
from uuid import uuid4

import structlog

from connectors.street.merge_store import MergeFileDue, MergeStore
from hub.bus import Bus
from hub.component import Unasked
from hub.errors import NoAnswerError, OutsideDownError, PermanentError, TransientError
from hub.supervision import end_tasks, tell_failure
from schemas.card_jobs import DropMergeFiles
from schemas.message import Envelope
from schemas.problems import RefusalCode
from schemas.streets import DeliverMerge, MergeState
from schemas.uplink import MERGE_FILES_LIMIT, MergeFile, MergeTrouble

DOWN_S: Final = 5.0
END_AGAIN_S: Final = 1.0
WHY: Final[Mapping[MergeTrouble, RefusalCode]] = {
    MergeTrouble.no_folder: RefusalCode.merge_folder_none,
    MergeTrouble.missing: RefusalCode.merge_folder_missing,
    MergeTrouble.read_only: RefusalCode.merge_folder_read_only,
    MergeTrouble.full: RefusalCode.merge_folder_full,
    MergeTrouble.exists: RefusalCode.merge_file_exists,
    MergeTrouble.failed: RefusalCode.merge_folder_failed,
}
"""What troubles an agent's folder → what a person is told."""
_NOWHERE: Final = frozenset({RefusalCode.terminal_away, RefusalCode.merge_folder_none})
"""Nobody has had the file. With any other reason it may be there: what failed may have been the last step."""
_UNKNOWN: Final = frozenset({RefusalCode.terminal_gone, RefusalCode.read_timeout})
"""It may be there: nobody has said so."""

_Waiting: TypeAlias = tuple[MergeFileDue, "asyncio.Future[str | None]"]

log: Final = structlog.get_logger()


class MergeFileExistsError(PermanentError):
    """Another file has this merge file's name at the terminal: have it looked at and removed, then redrive."""

    answered = True


def destination_of(command: DeliverMerge) -> str:
    """How an outage of this terminal is called."""
    return f"terminal:{command.terminal_id}"


class Delivering:
    """Drops files by the terminals' agents."""

    def __init__(self, store: MergeStore, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._waiting: dict[str, list[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def now(self, file: MergeFileDue) -> str | None:
        """Bring it there, with whatever else waits for that terminal. Returns why not, None where it is there.

        It is recorded either way. Raises TransientError where it is not known.
        """
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(file.destination)
        if waiting is None:
            self._waiting[file.destination] = [(file, done)]
            self._start(file.destination)
        else:
            waiting.append((file, done))
        return await done

    async def later(self, envelope: Envelope) -> Unasked | None:
        """Do a DeliverMerge; it is done already where whoever asked has brought it there.

        Raises:
            OutsideDownError: the terminal is away, or its folder is.
            NoAnswerError: nobody knows; asked again it is the same file.
            MergeFileExistsError: somebody has to look.
        """
        command = envelope.message
        if not isinstance(command, DeliverMerge):
            raise TypeError(envelope.type)
        merge = await self._store.of(command.merge_id)
        if merge is None or merge.file is None or merge.state not in {MergeState.asked, MergeState.sent}:
            return Unasked.UNASKED
        why = await self.now(merge.file)
        if why is None:
            return None
        if why == RefusalCode.merge_answered:
            return Unasked.UNASKED
        destination = destination_of(command)
        if why == RefusalCode.merge_file_exists:
            raise MergeFileExistsError(f"merge {command.merge_id}")
        if why in _UNKNOWN:
            raise NoAnswerError(why, destination=destination)
        raise OutsideDownError(why, destination=destination, retry_after_s=DOWN_S)

    async def close(self) -> None:
        """What is under way is given up: it is done again."""
        await end_tasks(self._tasks, END_AGAIN_S)

    def _start(self, destination: str) -> None:
        task = asyncio.create_task(self._run(destination))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(tell_failure("merge_files"))

    async def _run(self, destination: str) -> None:
        """One frame after the other, until nothing waits for this terminal."""
        waiting, group = self._waiting[destination], list[_Waiting]()
        try:
            while waiting:
                group, waiting[:] = waiting[:MERGE_FILES_LIMIT], waiting[MERGE_FILES_LIMIT:]
                why = await self._recorded(destination, [file for file, _ in group])
                for file, done in group:
                    if not done.done():
                        done.set_result(why[file.name])
        finally:
            # Whatever it was that went wrong: it is not known, and so it is to be asked again.
            del self._waiting[destination]
            for _, done in (*group, *waiting):
                if not done.done():
                    done.set_exception(TransientError("not known whether it is there"))

    async def _recorded(self, destination: str, files: Sequence[MergeFileDue]) -> dict[str, str | None]:
        wanted = await self._wanted(files)
        over: dict[str, str | None] = {file.name: RefusalCode.merge_answered for file in files if file not in wanted}
        why = await self._why(destination, wanted) if wanted else {}
        there = {file.merge_id for file in wanted if why[file.name] is None}
        if there:
            await self._store.delivered(there)
        away = {file.merge_id: reason for file in wanted if (reason := why[file.name]) is not None}
        if away:
            await self._store.undelivered(away, {merge_id for merge_id, reason in away.items() if reason in _NOWHERE})
        return over | why

    async def _wanted(self, files: Sequence[MergeFileDue]) -> list[MergeFileDue]:
        """Without those whose points were given back meanwhile."""
        uncounted = {file.merge_id for file in files if not file.is_counted}
        wanted = await self._store.trying(uncounted) if uncounted else set()
        return [file for file in files if file.is_counted or file.merge_id in wanted]

    async def _why(self, destination: str, files: Sequence[MergeFileDue]) -> dict[str, str | None]:
        named = {file.name: file for file in files}  # one that is asked twice at once goes once
        ask = DropMergeFiles(
            terminal_id=destination,
            operation_id=uuid4(),
            files=[MergeFile(name=one.name, content=one.content, again=one.again) for one in named.values()],
        )
        answer = await self._bus.call(ask, ask.deadline_s)
        if not answer.is_done:
            reason = answer.code or RefusalCode.read_timeout
            log.warning("merge_files_not_dropped", terminal_id=destination, count=len(named), code=str(reason))
            return dict.fromkeys(named, reason)
        told = {one.name: one.trouble for one in answer.files}
        return {name: None if (trouble := told[name]) is None else WHY[trouble] for name in named}
