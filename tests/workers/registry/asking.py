"""Shorthands of the registry's tests: what is asked, and what was said after it."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from hub.process import HubProcess
from hub.transaction import Transaction
from schemas.message import Answered
from tests.waiting import wait_until

Answer = TypeVar("Answer")
DEADLINE_S = 10.0
HELD_UP = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind = 'r'"


async def ask(process: HubProcess, message: Answered[Answer]) -> Answer:
    """One answer."""
    return await process.bus.call(message, DEADLINE_S)


async def said(database_url: str) -> list[str]:
    """The types of all events said, oldest first, without the `jp.mykey.` and `.v1` around them."""
    rows = await rows_of(database_url, "SELECT type FROM hub.message ORDER BY id")
    return [row["type"].removeprefix("jp.mykey.").removesuffix(".v1") for row in rows]


async def bodies_of(database_url: str, message_type: str) -> list[dict[str, Any]]:
    """What was said of one type, oldest first."""
    rows = await rows_of(database_url, "SELECT body FROM hub.message WHERE type = $1 ORDER BY id", message_type)
    return [json.loads(row["body"]) for row in rows]


async def rows_of(database_url: str, sql: str, *args: Any) -> list[asyncpg.Record]:  # noqa: ANN401 - SQL values
    """Rows, as the owner sees them."""
    connection = await asyncpg.connect(database_url)
    try:
        return list(await connection.fetch(sql, *args))
    finally:
        await connection.close()


async def dump_of(database_url: str, schema: str) -> bytes:
    """All rows of a schema's tables, as a dump has them."""
    tables = await rows_of(database_url, TABLES, schema)
    connection = await asyncpg.connect(database_url)
    dump = io.BytesIO()
    try:
        for table in tables:
            await connection.copy_from_table(table["relname"], schema_name=schema, output=dump)
    finally:
        await connection.close()
    return dump.getvalue()


async def asked_meanwhile(
    process: HubProcess, work: Callable[[Transaction], Awaitable[object]], asked: Answered[Answer]
) -> Answer:
    """The answer to what is asked while the registry's `work`, as another process does it, has not committed yet."""
    async with process.database_of("registry").transaction() as tx:
        await work(tx)
        answer = asyncio.create_task(ask(process, asked))

        async def has_met() -> bool:
            return answer.done() or bool(await tx.fetch_value(HELD_UP))

        await wait_until(has_met)
    return await answer
