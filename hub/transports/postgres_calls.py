"""Calls carried by PostgreSQL: a row there, a row back, both unlogged, since no answer means unknown."""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog

from hub.database import UNREACHABLE, Database
from hub.errors import HubError, TransientError
from hub.transports.remote_calls import Asked, RemoteCalls

log = structlog.get_logger()

CALL_POLL_S: Final = 0.05
IDLE_POLL_S: Final = 0.5
REPLY_KEPT_S: Final = 60.0
SWEEP_EVERY_S: Final = 30.0

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


class PostgresCalls:
    """Carries this process's calls to others, and answers theirs for the components hosted here."""

    def __init__(
        self,
        calls: RemoteCalls,
        database: Database,
        served: Collection[str],
        tell: Callable[[str], None],
        at_once_limit: int,
    ) -> None:
        self._calls = calls
        self._database = database
        self._served = served
        self._tell = tell
        self._at_once_limit = at_once_limit
        self.stands_behind = False
        """Whether calls go another way as a rule, so that their answers need not be looked for here all the time."""
        self._serving: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()

    def heard(self, names: Collection[str]) -> None:
        """A hint from another process: is there a call or a reply for us?"""
        if _reply_to(self._calls.process_id) in names or any(_call_to(name) in names for name in self._served):
            self._look.set()

    async def carry(self, asked: Asked) -> None:
        """Bring a call to whoever hosts its receiver. Raises TransientError where PostgreSQL does not answer."""
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    ASK, asked.id, asked.receiver, self._calls.process_id, asked.deadline_s, asked.sealed
                )
        except UNREACHABLE as error:
            if isinstance(error, HubError):
                raise
            raise TransientError("PostgreSQL does not answer") from error
        self._tell(_call_to(asked.receiver))
        self._look.set()

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
                async with asyncio.timeout(self._poll_s):
                    await self._look.wait()

    async def finish(self) -> None:
        """Wait for the calls of others that are in work here."""
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def reply(self, call_id: UUID, caller: UUID, sealed: bytes) -> None:
        """Carry a reply back; where PostgreSQL does not answer it is lost, and the caller does not know."""
        try:
            async with self._database.connection() as connection:
                await connection.execute(REPLY, call_id, caller, REPLY_KEPT_S, sealed)
        except UNREACHABLE as error:
            log.warning("reply_lost", call_id=call_id, error=type(error).__qualname__)
        self._tell(_reply_to(caller))

    @property
    def _poll_s(self) -> float:
        return CALL_POLL_S if self._calls.waits and not self.stands_behind else IDLE_POLL_S

    async def _collect(self) -> None:
        if not self._calls.waits:
            return
        async with self._database.connection() as connection:
            rows = await connection.fetch(COLLECT, self._calls.process_id)
        for row in rows:
            self._calls.answered(row["id"], row["bodies"])

    async def _take(self) -> None:
        free = self._at_once_limit - len(self._serving)
        if free <= 0:
            return
        async with self._database.connection() as connection:
            rows = await connection.fetch(TAKE, list(self._served), free)
        for row in rows:
            task = asyncio.create_task(self._serve_one(row["id"], row["receiver"], row["caller"], row["bodies"]))
            self._serving.add(task)
            task.add_done_callback(self._served_one)

    def _served_one(self, task: "asyncio.Task[None]") -> None:
        self._serving.discard(task)
        if len(self._serving) == self._at_once_limit - 1:
            self._look.set()

    async def _serve_one(self, call_id: UUID, receiver: str, caller: UUID, sealed: bytes) -> None:
        reply = await self._calls.reply_to(call_id, receiver, caller, sealed)
        await self.reply(call_id, caller, reply)


def _call_to(receiver: str) -> str:
    return f"call.{receiver}"


def _reply_to(process_id: UUID) -> str:
    return f"reply.{process_id}"
