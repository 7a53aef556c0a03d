"""Rows from one database into another, streamed as PostgreSQL's own COPY, in bounded memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hub.database import Connection

CHUNKS_LIMIT: Final = 16
"""Chunks that were read and are not written yet."""
COPY_LIMIT_S: Final = 6 * 3600.0
"""How long one table may take."""


async def copy_rows(
    source: "Connection", sql: str, args: Sequence[Any], target: "Connection", table: str, columns: Sequence[str]
) -> int:
    """Copy what the query gives into these columns of `schema.table`. Returns how many rows."""
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(CHUNKS_LIMIT)

    async def read() -> None:
        try:
            await source.copy_from_query(sql, *args, output=chunks.put, format="binary", timeout=COPY_LIMIT_S)
        finally:
            await chunks.put(None)

    async def read_so_far() -> AsyncIterator[bytes]:
        while (chunk := await chunks.get()) is not None:
            yield chunk

    schema, _, name = table.partition(".")
    reading = asyncio.create_task(read())
    try:
        tag = await target.copy_to_table(
            name, schema_name=schema, columns=columns, source=read_so_far(), format="binary", timeout=COPY_LIMIT_S
        )
        await reading
    finally:
        reading.cancel()
    return int(tag.rpartition(" ")[2])
