"""A file worked through block by block, as batches would be; after a crash it goes on where it was.

A few blocks are asked at once, so that the ledger's lanes are never idle; blocks that share a transfer
id wait for one another, and results are kept in the file's order. Rows that were being asked when the
process died are asked again; the ledger calls them replayed, but this file has posted them, and so it is told. A long
file is worked through in turns.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.partner.items import Checked, check
from connectors.partner.lines import LineSplitter
from connectors.partner.pipeline import ItemOutcome, Pipeline
from connectors.partner.rows import HEADER_LINES, items_of
from connectors.partner.store import FileStore, StoredFile
from hub import failpoints
from hub.clock import business_date_of
from hub.errors import PermanentError, TransientError
from schemas.message import Envelope
from schemas.partner_files import WorkTransferFile

BLOCK_LIMIT_ROWS: Final = 2_000
IN_FLIGHT_LIMIT_BLOCKS: Final = 3
TURN_LIMIT_BLOCKS: Final = 25
"""A file's turn, some seconds long: then others have theirs, and a process that is to stop can stop."""
TRIES_LIMIT: Final = 10
"""Of one block, in about a minute; then the delivery itself is put off."""
FIRST_PAUSE_S: Final = 0.1
PAUSE_LIMIT_S: Final = 15.0


class NoSuchFileError(PermanentError):
    """The file to work on was never taken: the message is a defect."""


class _Answered(NamedTuple):
    """A block's outcomes; the ledger had been asked about the first `again` of its rows before."""

    outcomes: list[ItemOutcome]
    again: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring rows: the number of the first one's line, and what is asked about them."""

    first_line: int
    transfer_ids: frozenset[str]
    answered: "asyncio.Task[_Answered]"


class FileWorker:
    """Handles WorkTransferFile."""

    def __init__(self, store: FileStore, pipeline: Pipeline) -> None:
        self._store = store
        self._pipeline = pipeline

    async def __call__(self, envelope: Envelope) -> None:
        """Work through a file, or go on with it. Raises TransientError to be asked again later."""
        message = envelope.message
        if not isinstance(message, WorkTransferFile):
            raise NoSuchFileError(envelope.type)
        file = await self._store.file(message.file_id)
        if file is None:
            raise NoSuchFileError(str(message.file_id))
        if file.finished_at is None and not await self._work(file):
            await self._store.go_on(file.file_id)

    async def _work(self, file: StoredFile) -> bool:
        """One turn; returns whether the file is finished."""
        waiting: deque[_Block] = deque()
        progress = _Progress(self._store, file)
        try:
            async for first_line, lines in self._blocks(file):
                items = check(items_of(lines, file.media_type))
                ids = frozenset(item.transfer_id for item in items if item.transfer_id is not None)
                while waiting and (len(waiting) == IN_FLIGHT_LIMIT_BLOCKS or _share(waiting, ids)):
                    await progress.record(waiting.popleft())
                again = await self._again(file, first_line, len(items))
                asking = asyncio.create_task(self._ask(file, items, again))
                waiting.append(_Block(first_line, ids, asking))
            while waiting:
                await progress.record(waiting.popleft())
        finally:
            for block in waiting:
                block.answered.cancel()
            await asyncio.gather(*(block.answered for block in waiting), return_exceptions=True)
        return progress.finished

    async def _blocks(self, file: StoredFile) -> AsyncIterator[tuple[int, list[bytes]]]:
        """A turn's worth of the rows that are not done yet, with the line number of each block's first row."""
        line = HEADER_LINES[file.media_type] + file.done
        last = line + TURN_LIMIT_BLOCKS * BLOCK_LIMIT_ROWS
        held: list[bytes] = []
        async for lines in self._lines(file, line):
            held += lines
            while len(held) >= BLOCK_LIMIT_ROWS:
                yield line + 1, held[:BLOCK_LIMIT_ROWS]
                line += BLOCK_LIMIT_ROWS
                del held[:BLOCK_LIMIT_ROWS]
                if line == last:
                    return
        if held:
            yield line + 1, held

    async def _lines(self, file: StoredFile, line: int) -> AsyncIterator[list[bytes]]:
        """The lines from the one of this number on, counted from 0."""
        first_chunk, skip = await self._store.chunk_of_line(file.file_id, line)
        splitter = LineSplitter()
        for n in range(first_chunk, file.chunks):
            lines = splitter.feed(await self._store.chunk(file.file_id, n))
            yield lines[skip:]
            skip = max(0, skip - len(lines))
        yield splitter.end()[skip:]

    async def _again(self, file: StoredFile, first_line: int, rows: int) -> int:
        """How many of these rows have been asked about before; from now on all of them have."""
        first = first_line - 1 - HEADER_LINES[file.media_type]
        return min(max(0, await self._store.asking(file.file_id, first + rows) - first), rows)

    async def _ask(self, file: StoredFile, items: Sequence[Checked], again: int) -> _Answered:
        """A block's outcomes. What fails for a while is asked again, which is safe."""
        pause_s = FIRST_PAUSE_S
        for left in reversed(range(TRIES_LIMIT)):
            try:
                prepared = await self._pipeline.prepare(file.party_id, items)
                before, again = again, len(items)
                return _Answered(await self._pipeline.post(prepared), before)
            except TransientError as error:
                if left == 0:
                    raise
                await asyncio.sleep(max(pause_s, error.retry_after_s))
                pause_s = min(2 * pause_s, PAUSE_LIMIT_S)
        raise AssertionError(TRIES_LIMIT)


class _Progress:
    """Keeps results in the file's order; `finished` once there are no more rows."""

    def __init__(self, store: FileStore, file: StoredFile) -> None:
        self._store = store
        self._file = file
        self._done = file.done
        self._counts = file.counts
        self.finished = False

    async def record(self, block: _Block) -> None:
        """Wait for a block's outcomes, and keep them."""
        outcomes = await self._as_first_told(await block.answered)
        failpoints.reach("partner.block_answered")
        for outcome in outcomes:
            self._counts.add(outcome)
        self.finished = await self._store.record(self._file, self._done, block.first_line, outcomes, self._counts)
        self._done += len(outcomes)
        failpoints.reach("partner.block_recorded")

    async def _as_first_told(self, answered: _Answered) -> list[ItemOutcome]:
        """Without `replayed` where it was this file that had posted the row; repeats of its own rows keep it.

        What was posted before the day on which the file came in was not posted by it.
        """
        since = business_date_of(self._file.taken_at)
        own = {
            place: one.transfer_id
            for place, one in enumerate(answered.outcomes[: answered.again])
            if one.replayed and one.transfer_id is not None and one.posted_on is not None and one.posted_on >= since
        }
        if not own:
            return answered.outcomes
        seen = await self._store.told(self._file.file_id, list(set(own.values())))
        told: list[ItemOutcome] = []
        for place, one in enumerate(answered.outcomes):
            is_own = place in own and one.transfer_id not in seen
            told.append(one._replace(replayed=False) if is_own else one)
            if one.transfer_id is not None:
                seen.add(one.transfer_id)
        return told


def _share(waiting: deque[_Block], ids: frozenset[str]) -> bool:
    return any(not ids.isdisjoint(block.transfer_ids) for block in waiting)
