"""A file's body, from the wire into the database: only what was signed is taken, and taken means kept."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from connectors.partner.lines import BOM, LINE_LIMIT_BYTES
from connectors.partner.rows import CSV, HEADER, HEADER_LINES
from connectors.partner.store import CHUNK_BYTES, FileStore, Received, Taken
from hub import failpoints
from hub.ids import uuid7
from hub.web.app import Caller
from hub.web.bodies import Pace
from hub.web.problems import ProblemError
from schemas.problems import FieldError, ProblemCode

ROWS_LIMIT: Final = 1_000_000
SIZE_LIMIT_BYTES: Final = 256 << 20
FILES_RETRY_AFTER_S: Final = 60.0
UPLOAD_PACE: Final = Pace(grace_s=10.0, min_bytes_per_s=64 * 1024)


class FileIntake:
    """Takes files in."""

    def __init__(self, store: FileStore, files_limit: int) -> None:
        """`files_limit`: how many files of a party may wait or be in work, where nothing else was agreed with it."""
        self._store = store
        self._files_limit = files_limit

    async def take(
        self, caller: Caller, idempotency_key: str, media_type: str, sha256: bytes, body: AsyncIterator[bytes]
    ) -> Taken:
        """Take a file durably; the same one again under the same key is taken once.

        Args:
            caller: whose file it is.
            idempotency_key: the party's own id of the file.
            media_type: `rows.CSV` or `rows.NDJSON`.
            sha256: what was signed; `body` ends with an error if it is another body.
            body: the file's bytes.

        Raises:
            ProblemError: too_many (so many are not finished yet), id_conflict, too_large, bad_field (an empty
                file, or another header), and what reading the body raises.
        """
        party_id, files_limit = caller.party_id, caller.limits.files_at_once or self._files_limit
        known = await self._store.taken(party_id, idempotency_key)
        if known is None:
            if await self._store.unfinished(party_id, files_limit) == files_limit:
                raise ProblemError(ProblemCode.too_many, retry_after_s=FILES_RETRY_AFTER_S)
            return await self._receive(party_id, idempotency_key, media_type, sha256, body)
        async for _ in body:
            pass
        return _same(known, sha256)

    async def _receive(
        self, party_id: UUID, idempotency_key: str, media_type: str, sha256: bytes, body: AsyncIterator[bytes]
    ) -> Taken:
        file_id = uuid7()
        try:
            size_bytes, chunks, rows = await self._keep(file_id, media_type, body)
        except BaseException:
            await self._store.drop_chunks(file_id)
            raise
        failpoints.reach("partner.file_received")
        received = Received(file_id, party_id, idempotency_key, media_type, sha256, size_bytes, chunks, rows)
        # Where this fails it may have been taken all the same: its chunks are left to the sweep of those never taken.
        if await self._store.take(received):
            failpoints.reach("partner.file_taken")
            return Taken(file_id, rows, sha256)
        await self._store.drop_chunks(file_id)
        faster = await self._store.taken(party_id, idempotency_key)
        if faster is None:
            raise ProblemError(ProblemCode.unavailable)
        return _same(faster, sha256)

    async def _keep(self, file_id: UUID, media_type: str, body: AsyncIterator[bytes]) -> tuple[int, int, int]:
        """Write the chunks; returns the file's bytes, chunks and rows."""
        size_bytes = chunks = line_feeds = 0
        last = b"\n"
        async for chunk in _in_chunks(body):
            if chunks == 0:
                _check_head(chunk, media_type)
            await self._store.add_chunk(file_id, chunks, line_feeds, chunk)
            size_bytes += len(chunk)
            line_feeds += chunk.count(b"\n")
            last = chunk[-1:]
            chunks += 1
            _check_rows(line_feeds - HEADER_LINES[media_type])
        rows = line_feeds + (last != b"\n") - HEADER_LINES[media_type]
        _check_rows(rows)
        if rows < 1:
            raise fault("empty", "The file has no rows.", "ファイルにデータ行がありません。")
        return size_bytes, chunks, rows


async def _in_chunks(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in chunks of `CHUNK_BYTES`; the last one is shorter."""
    held = bytearray()
    async for some in body:
        held += some
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def _check_head(chunk: bytes, media_type: str) -> None:
    first = chunk[: LINE_LIMIT_BYTES + len(BOM)].removeprefix(BOM).partition(b"\n")[0].removesuffix(b"\r")
    if media_type == CSV and first != HEADER:
        names = HEADER.decode()
        raise fault("header", f"The first line must be {names}.", f"1行目は{names}としてください。")


def _check_rows(rows: int) -> None:
    if rows > ROWS_LIMIT:
        raise ProblemError(
            ProblemCode.too_large,
            f"At most {ROWS_LIMIT} rows are taken.",
            f"1ファイルは{ROWS_LIMIT}行以内としてください。",
        )


def fault(code: str, detail: str, detail_ja: str) -> ProblemError:
    """What is wrong with a file as a whole."""
    found = FieldError(pointer="", code=code, detail=detail, detail_ja=detail_ja)
    return ProblemError(ProblemCode.bad_field, errors=[found])


def _same(known: Taken, sha256: bytes) -> Taken:
    if known.sha256 != sha256:
        raise ProblemError(
            ProblemCode.id_conflict,
            "Another file was handed in under this Idempotency-Key.",
            "このIdempotency-Keyでは別のファイルが提出済みです。",
        )
    return known
