"""Files of up to a million transfers: taken durably, worked through, answered by pages or as one result file."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from connectors.partner.audience import FILES, PREFIX
from connectors.partner.intake import SIZE_LIMIT_BYTES, UPLOAD_PACE, FileIntake, fault
from connectors.partner.result_file import BLOCK_ROWS, HEAD, csv_lines
from connectors.partner.rows import CSV, NDJSON
from connectors.partner.shapes import FileProgress, FileResults, FileTaken, file_result_of, progress_of
from connectors.partner.store import FileStore, StoredFile
from hub.web.app import Audience, Route, caller_of, json_response, query_of
from hub.web.bodies import stream_bytes
from hub.web.digests import EXPECTED_DIGEST
from hub.web.limits import AtOnce, WaitingRoom
from hub.web.pages import INTEGER_LIMIT, PageQuery, decode_cursor, encode_cursor
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

PATH: Final = "/transfer-files"
UPLOADS_LIMIT: Final = 8
"""Bodies of files that come in at once, in each process."""
UPLOADS_OF_PARTY_LIMIT: Final = 2
"""Of one party, so that its slow ones leave places to the others."""

_IDEMPOTENCY_KEY: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Position(BaseModel):
    """Where a page of results begins: after this line."""

    line: Annotated[int, Field(ge=0, le=INTEGER_LIMIT)]


class FileDoor:
    """`/transfer-files` and below."""

    def __init__(self, store: FileStore, intake: FileIntake) -> None:
        self._store = store
        self._intake = intake
        self._uploads = WaitingRoom(UPLOADS_LIMIT)
        self._of_party = AtOnce(UPLOADS_OF_PARTY_LIMIT)

    def routes(self, audience: Audience) -> list[Route]:
        """Its four operations."""
        make = partial(Route, audience=audience, permission=FILES)
        return [
            make(
                method="POST",
                path=PATH,
                handler=self.post,
                summary="Hand in a file of up to a million transfers; the Idempotency-Key is your id of it",
                summary_ja="移行ファイルの提出（100万行まで）。Idempotency-Keyに貴社のファイルIDを指定します",
                consumes=[CSV, NDJSON],
                response=FileTaken,
                status=202,
                problems=[ProblemCode.idempotency_key, ProblemCode.id_conflict, ProblemCode.bad_field],
            ),
            make(
                method="GET",
                path=PATH + "/{file_id}",
                handler=self.get,
                summary="How far a file is",
                summary_ja="移行ファイルの処理状況",
                response=FileProgress,
                problems=[ProblemCode.not_found],
            ),
            make(
                method="GET",
                path=PATH + "/{file_id}/results",
                handler=self.results,
                summary="A file's results by pages",
                summary_ja="移行ファイルの結果（ページ単位）",
                query=PageQuery,
                response=FileResults,
                problems=[ProblemCode.not_found, ProblemCode.bad_cursor],
            ),
            make(
                method="GET",
                path=PATH + "/{file_id}/results.csv",
                handler=self.results_csv,
                summary="A finished file's results as one CSV file (UTF-8 with BOM)",
                summary_ja="移行ファイルの結果（CSV、BOM付きUTF-8）",
                produces=[CSV],
                problems=[ProblemCode.not_found, ProblemCode.state_conflict],
            ),
        ]

    async def post(self, request: web.Request) -> web.Response:
        """Nothing of the file is kept unless all of it came, as it was signed."""
        key = _idempotency_key(request)
        sha256 = request.get(EXPECTED_DIGEST)
        if sha256 is None:
            raise fault("empty", "The file has no rows.", "ファイルにデータ行がありません。")
        caller = caller_of(request)
        with self._of_party.place(caller.party_id):
            async with self._uploads.place():
                body = stream_bytes(request, SIZE_LIMIT_BYTES, (CSV, NDJSON), UPLOAD_PACE)
                taken = await self._intake.take(caller, key, request.content_type, sha256, body)
        place = f"{PREFIX}{PATH}/{taken.file_id}"
        answer = FileTaken(file_id=taken.file_id, rows=taken.rows)
        return json_response(answer, status=202, headers={"Location": place})

    async def get(self, request: web.Request) -> web.Response:
        """Another partner's file is as unknown as one that never was."""
        return json_response(progress_of(await self._file(request)))

    async def results(self, request: web.Request) -> web.Response:
        """The page after the cursor; `next` is null where no further row has its outcome yet."""
        file = await self._file(request)
        query = query_of(request, PageQuery)
        after = 0 if query.cursor is None else decode_cursor(query.cursor, Position).line
        rows = await self._store.results(file.file_id, after, query.limit + 1)
        shown = rows[: query.limit]
        more = encode_cursor(Position(line=shown[-1].line)) if len(rows) > len(shown) else None
        return json_response(FileResults(items=[file_result_of(row) for row in shown], next=more))

    async def results_csv(self, request: web.Request) -> web.StreamResponse:
        """All rows, as they are read: memory does not grow with the file."""
        file = await self._file(request)
        if file.finished_at is None:
            raise ProblemError(ProblemCode.state_conflict, "The file is not finished.", "処理が完了していません。")
        response = web.StreamResponse(headers=_attachment(file))
        response.content_type, response.charset = CSV, "utf-8"
        await response.prepare(request)
        if request.method != "HEAD":
            await self._write_results(file, response)
        await response.write_eof()
        return response

    async def _write_results(self, file: StoredFile, response: web.StreamResponse) -> None:
        await response.write(HEAD)
        line = 0
        for _ in range(0, file.rows, BLOCK_ROWS):
            rows = await self._store.results(file.file_id, line, BLOCK_ROWS)
            await response.write(csv_lines(rows))
            line = rows[-1].line

    async def _file(self, request: web.Request) -> StoredFile:
        text = request.match_info["file_id"]
        file = await self._store.file(UUID(text)) if _UUID.fullmatch(text) else None
        if file is None or file.party_id != caller_of(request).party_id:
            raise ProblemError(ProblemCode.not_found)
        return file


def _idempotency_key(request: web.Request) -> str:
    values = request.headers.getall("Idempotency-Key", [])
    if len(values) != 1 or _IDEMPOTENCY_KEY.fullmatch(values[0]) is None:
        raise ProblemError(ProblemCode.idempotency_key)
    return values[0]


def _attachment(file: StoredFile) -> Mapping[str, str]:
    return {"Content-Disposition": f'attachment; filename="results-{file.file_id}.csv"'}
