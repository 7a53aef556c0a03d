"""Calls between processes over PostgreSQL: a row there, a row back, both unlogged, since no answer means unknown.

What is asked and answered is sealed: it carries personal data. Each calling process has its own key.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, cast
from uuid import UUID

import structlog
from pydantic import BaseModel, ValidationError

from hub import failpoints
from hub.database import UNREACHABLE, Database
from hub.errors import DeadlineExceededError, HubError, PermanentError, TransientError, UnroutableError
from hub.ids import uuid7
from hub.keys import Keys, SealBrokenError, Sealer, place
from schemas.catalog import CATALOG
from schemas.message import Answered, Message

log = structlog.get_logger()

CALL_POLL_S: Final = 0.05
IDLE_POLL_S: Final = 0.5
REPLY_KEPT_S: Final = 60.0
SWEEP_EVERY_S: Final = 30.0
AT_ONCE_LIMIT: Final = 64
"""The most calls of other processes in work here at once."""
CALLERS_LIMIT: Final = 256
"""The most callers whose keys are remembered."""

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

Serve = Callable[[str, Sequence[Message], UUID], Awaitable[list[BaseModel | None]]]


class RemoteRefusedError(TransientError):
    """The other process could not do it now; asking again with the same id is safe."""


class RemoteFailedError(PermanentError):
    """The other process failed at it, and would fail again: see its log."""


class RemoteCalls:
    """Asks other processes, and answers them for the components hosted here."""

    def __init__(
        self,
        process_id: UUID,
        database: Database,
        keys: Keys,
        served: Collection[str],
        serve: Serve,
        tell: Callable[[str], None],
    ) -> None:
        self._process_id = process_id
        self._database = database
        self._served = served
        self._serve = serve
        self._tell = tell
        self._sealer_of = lru_cache(CALLERS_LIMIT)(lambda caller: keys.sealer(f"call {caller}"))
        self._pending: dict[UUID, asyncio.Future[bytes]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()

    def heard(self, names: Collection[str]) -> None:
        """A hint from another process: is there a call or a reply for us?"""
        if _reply_to(self._process_id) in names or any(_call_to(name) in names for name in self._served):
            self._look.set()

    async def ask(
        self, receiver: str, messages: Sequence[Message], correlation_id: UUID, deadline_s: float
    ) -> list[Any]:
        """Ask a component of another process; cancelled by the caller's deadline.

        Raises RemoteRefusedError, RemoteFailedError, UnroutableError, DeadlineExceededError; TransientError where
        PostgreSQL does not answer.
        """
        call_id = uuid7()
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._pending[call_id] = future
        asked = json.dumps([str(correlation_id), [[m.TYPE, m.model_dump_json()] for m in messages]])
        sealed = self._sealer().seal(asked.encode(), _place("call", call_id))
        try:
            async with self._database.connection() as connection:
                await connection.execute(ASK, call_id, receiver, self._process_id, deadline_s, sealed)
            self._tell(_call_to(receiver))
            self._look.set()
            replied = json.loads(self._sealer().open(await future, _place("reply", call_id)))
        except UNREACHABLE as error:
            if isinstance(error, HubError):
                raise
            raise TransientError("PostgreSQL does not answer") from error
        finally:
            del self._pending[call_id]
        if isinstance(replied, dict):
            raise _error_from(replied)
        types = [cast("type[Answered[Any]]", type(message)).answer_type() for message in messages]
        return [kind.model_validate_json(answer) for kind, answer in zip(types, replied, strict=True)]

    async def run(self) -> None:
        """Take calls for us, collect replies to us, for ever."""
        swept_s = 0.0
        while True:
            self._look.clear()
            try:
                await self._collect()
                await self._take()
                if time.monotonic() - swept_s > SWEEP_EVERY_S:
                    swept_s = time.monotonic()
                    async with self._database.connection() as connection:
                        await connection.execute(SWEEP)
            except UNREACHABLE as error:
                log.warning("calls_unreachable", error=type(error).__qualname__)
                await asyncio.sleep(IDLE_POLL_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(CALL_POLL_S if self._pending else IDLE_POLL_S):
                    await self._look.wait()

    async def finish(self) -> None:
        """Wait for the calls of others that are in work here."""
        await asyncio.gather(*self._serving, return_exceptions=True)

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
        free = AT_ONCE_LIMIT - len(self._serving)
        if free <= 0:
            return
        async with self._database.connection() as connection:
            rows = await connection.fetch(TAKE, list(self._served), free)
        if rows:
            failpoints.reach("call.taken")
        for row in rows:
            task = asyncio.create_task(self._serve_one(row["id"], row["receiver"], row["caller"], row["bodies"]))
            self._serving.add(task)
            task.add_done_callback(self._served_one)

    def _served_one(self, task: "asyncio.Task[None]") -> None:
        self._serving.discard(task)
        if len(self._serving) == AT_ONCE_LIMIT - 1:
            self._look.set()

    async def _serve_one(self, call_id: UUID, receiver: str, caller: UUID, sealed: bytes) -> None:
        (answers,) = await asyncio.gather(self._answer(call_id, receiver, caller, sealed), return_exceptions=True)
        replied: object
        if isinstance(answers, BaseException):
            log.warning("call_failed", receiver=receiver, call_id=call_id, error=type(answers).__qualname__)
            replied = _told(answers)
        else:
            replied = [None if answer is None else answer.model_dump_json() for answer in answers]
        failpoints.reach("call.before_reply")
        body = self._sealer_of(caller).seal(json.dumps(replied).encode(), _place("reply", call_id))
        try:
            async with self._database.connection() as connection:
                await connection.execute(REPLY, call_id, caller, REPLY_KEPT_S, body)
        except UNREACHABLE as error:
            log.warning("reply_lost", call_id=call_id, error=type(error).__qualname__)
        self._tell(_reply_to(caller))

    async def _answer(self, call_id: UUID, receiver: str, caller: UUID, sealed: bytes) -> list[BaseModel | None]:
        try:
            correlation, bodies = json.loads(self._sealer_of(caller).open(sealed, _place("call", call_id)))
            messages = [CATALOG[kind].model_validate_json(body) for kind, body in bodies]
        except (SealBrokenError, ValidationError, KeyError) as error:
            raise RemoteFailedError(f"call {call_id} cannot be read") from error
        return await self._serve(receiver, messages, UUID(correlation))

    def _sealer(self) -> Sealer:
        return self._sealer_of(self._process_id)


def _call_to(receiver: str) -> str:
    return f"call.{receiver}"


def _reply_to(process_id: UUID) -> str:
    return f"reply.{process_id}"


def _place(table: str, call_id: UUID) -> str:
    return place(f"hub.{table}", "bodies", call_id)


def _told(error: BaseException) -> dict[str, Any]:
    """An error as it is told to another process."""
    kinds = (DeadlineExceededError, UnroutableError, TransientError)
    kind = next((kind.__name__ for kind in kinds if isinstance(error, kind)), PermanentError.__name__)
    words = str(error) if isinstance(error, HubError) else type(error).__qualname__
    return {"kind": kind, "detail": words, "retry_after_s": getattr(error, "retry_after_s", 0.0)}


def _error_from(told: dict[str, Any]) -> HubError:
    match told["kind"]:
        case DeadlineExceededError.__name__:
            return DeadlineExceededError(told["detail"])
        case UnroutableError.__name__:
            return UnroutableError(told["detail"])
        case TransientError.__name__:
            return RemoteRefusedError(told["detail"], retry_after_s=told["retry_after_s"])
        case _:
            return RemoteFailedError(told["detail"])
