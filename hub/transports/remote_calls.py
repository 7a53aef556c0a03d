"""Calls between processes over PostgreSQL: a row there, a row back, both unlogged, since no answer means unknown."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, cast
from uuid import UUID

import structlog
from pydantic import BaseModel

from hub.database import UNREACHABLE, Database
from hub.errors import HubError, TransientError
from hub.ids import uuid7
from schemas.catalog import CATALOG
from schemas.message import Answered, Message

log = structlog.get_logger()

CALL_POLL_S: Final = 0.05
IDLE_POLL_S: Final = 0.5
TAKE_LIMIT: Final = 64
CALL_KEPT_S: Final = 60.0
AT_ONCE_LIMIT: Final = 64
"""The most calls of other processes in work here at once."""

ASK: Final = """
INSERT INTO hub.call (id, receiver, caller, expires_at, bodies)
VALUES ($1, $2, $3, now() + make_interval(secs => $4), $5)
"""
TAKE: Final = """
DELETE FROM hub.call WHERE id IN (
    SELECT id FROM hub.call WHERE receiver = ANY ($1) AND expires_at > now()
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING id, receiver, caller, bodies
"""
REPLY: Final = """
INSERT INTO hub.reply (id, caller, expires_at, bodies) VALUES ($1, $2, now() + make_interval(secs => $3), $4)
"""
COLLECT: Final = "DELETE FROM hub.reply WHERE caller = $1 RETURNING id, bodies"
SWEEP: Final = """
WITH old AS (DELETE FROM hub.call WHERE expires_at < now()) DELETE FROM hub.reply WHERE expires_at < now()
"""

Serve = Callable[[str, Sequence[Message]], Awaitable[list[BaseModel | None]]]


class RemoteRefusedError(TransientError):
    """The other process could not do it now; asking again with the same id is safe."""


async def _no_hint() -> None:
    """Until the wake channel is there, polling alone carries calls."""


class RemoteCalls:
    """Asks other processes, and answers them for the components hosted here."""

    def __init__(self, process_id: UUID, database: Database, served: Collection[str], serve: Serve) -> None:
        self.notify: Callable[[], Awaitable[None]] = _no_hint
        self._process_id = process_id
        self._database = database
        self._served = served
        self._serve = serve
        self._pending: dict[UUID, asyncio.Future[bytes]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()

    def look_soon(self) -> None:
        """A hint that there is a call or a reply."""
        self._look.set()

    async def ask(self, receiver: str, messages: Sequence[Message]) -> list[Any]:
        """Ask a component of another process; cancelled by the caller's deadline. Raises RemoteRefusedError."""
        call_id = uuid7()
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._pending[call_id] = future
        body = json.dumps([[m.TYPE, m.model_dump(mode="json")] for m in messages]).encode()
        try:
            async with self._database.connection() as connection:
                await connection.execute(ASK, call_id, receiver, self._process_id, CALL_KEPT_S, body)
            await self._hint()
            answers = json.loads(await future)
        finally:
            del self._pending[call_id]
        if isinstance(answers, str):
            raise RemoteRefusedError(answers)
        types = [cast("type[Answered[Any]]", type(message)).answer_type() for message in messages]
        return [kind.model_validate_json(json.dumps(answer)) for kind, answer in zip(types, answers, strict=True)]

    async def run(self) -> None:
        """Take calls for us, collect replies to us, for ever."""
        while True:
            self._look.clear()
            try:
                await self._collect()
                await self._take()
            except UNREACHABLE as error:
                log.warning("calls_unreachable", error=type(error).__qualname__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), CALL_POLL_S if self._pending else IDLE_POLL_S)

    async def _collect(self) -> None:
        if not self._pending:
            return
        async with self._database.connection() as connection:
            rows = await connection.fetch(COLLECT, self._process_id)
        for row in rows:
            future = self._pending.get(row["id"])
            if future is not None and not future.done():
                future.set_result(row["bodies"])

    async def _take(self) -> None:
        if len(self._serving) >= AT_ONCE_LIMIT:
            return
        async with self._database.connection() as connection:
            rows = await connection.fetch(TAKE, list(self._served), TAKE_LIMIT)
            await connection.execute(SWEEP)
        for row in rows:
            task = asyncio.create_task(self._serve_one(row["id"], row["receiver"], row["caller"], row["bodies"]))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve_one(self, call_id: UUID, receiver: str, caller: UUID, bodies: bytes) -> None:
        try:
            messages = [CATALOG[kind].model_validate_json(json.dumps(body)) for kind, body in json.loads(bodies)]
            answers = await self._serve(receiver, messages)
            reply = json.dumps([None if answer is None else answer.model_dump(mode="json") for answer in answers])
        except HubError as error:
            reply = json.dumps(str(error))
        try:
            async with self._database.connection() as connection:
                await connection.execute(REPLY, call_id, caller, CALL_KEPT_S, reply.encode())
            await self._hint()
        except UNREACHABLE as error:
            log.warning("reply_lost", call_id=str(call_id), error=type(error).__qualname__)

    async def _hint(self) -> None:
        with contextlib.suppress(*UNREACHABLE):
            await self.notify()
