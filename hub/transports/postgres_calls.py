"""Calls carried by PostgreSQL: a row there, a row back, both unlogged, since no answer means unknown."""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
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
HOLD_EVERY_S: Final = 1.0
DEAD_AFTER_S: Final = 5.0
"""Who has not said for so long that it is at work on a call is dead, as far as that call goes."""
TAKES_LIMIT: Final = 3
"""How many processes may die of one call."""

ASK: Final = """
INSERT INTO hub.call (id, receiver, caller, expires_at, bodies)
VALUES ($1, $2, $3, now() + make_interval(secs => $4), $5)
"""
TAKE: Final = """
UPDATE hub.call SET taken_by = $3, taken_at = now(), takes = takes + 1 WHERE id IN (
    SELECT id FROM hub.call WHERE receiver = ANY ($1) AND taken_by IS NULL AND expires_at > now()
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING id, receiver, caller, bodies
"""
TAKE_OVER: Final = """
UPDATE hub.call SET taken_by = $3, taken_at = now(), takes = takes + 1 WHERE id IN (
    SELECT id FROM hub.call WHERE receiver = ANY ($1) AND taken_by IS NOT NULL AND expires_at > now()
        AND taken_at < now() - make_interval(secs => $4) AND takes < $5 AND id <> ALL ($6)
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING id, receiver, caller, bodies
"""
"""$6 is in work here: who has slept for so long is still at it."""
HOLD: Final = "UPDATE hub.call SET taken_at = now() WHERE id = ANY ($1) AND taken_by = $2"
REPLY: Final = """
WITH answered AS (DELETE FROM hub.call WHERE id = $1)
INSERT INTO hub.reply (id, caller, expires_at, bodies) VALUES ($1, $2, now() + make_interval(secs => $3), $4)
ON CONFLICT DO NOTHING
"""
"""A conflict: it was taken over, and that one has answered already."""
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
        self._serving: dict[UUID, asyncio.Task[None]] = {}
        self._taking = asyncio.Lock()
        self._look = asyncio.Event()
        self._stopped = False
        self._held_s = self._swept_s = float("-inf")

    def heard(self, names: Collection[str]) -> None:
        """A hint from another process: is there a call or a reply for us?"""
        if _reply_to(self._calls.process_id) in names or any(_call_to(name) in names for name in self._served):
            self._look.set()

    async def carry(self, asked: Asked) -> None:
        """Bring a call to whoever hosts its receiver. Raises TransientError where PostgreSQL does not answer."""
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    ASK, asked.id, asked.receiver, self._calls.process_id, asked.left_s, asked.sealed
                )
        except UNREACHABLE as error:
            if isinstance(error, HubError):
                raise
            raise TransientError("PostgreSQL does not answer") from error
        self._tell(_call_to(asked.receiver))
        self._look.set()

    async def run(self) -> None:
        """Take calls for us, collect replies to us, for ever."""
        while True:
            self._look.clear()
            try:
                await self._collect()
                await self._take(TAKE)
                await self._keep()
            except UNREACHABLE as error:
                log.warning("calls_unreachable", error=type(error).__qualname__)
                await asyncio.sleep(IDLE_POLL_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._look.wait()

    def stop_taking(self) -> None:
        """What is being taken is ours all the same."""
        self._stopped = True

    async def finish(self) -> None:
        """Take no more, and wait for the calls of others that are in work here."""
        self.stop_taking()
        async with self._taking:
            pass
        await asyncio.gather(*self._serving.values(), return_exceptions=True)

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

    async def _take(self, statement: str, *further: object) -> None:
        free = self._at_once_limit - len(self._serving)
        async with self._taking:
            if free <= 0 or self._stopped:
                return
            async with self._database.connection() as connection:
                rows = await connection.fetch(statement, list(self._served), free, self._calls.process_id, *further)
            for row in rows:
                task = asyncio.create_task(self._serve_one(row["id"], row["receiver"], row["caller"], row["bodies"]))
                self._serving[row["id"]] = task
                task.add_done_callback(partial(self._served_one, row["id"]))

    async def _keep(self) -> None:
        """Say what is in work here, take what the dead have left, forget what is over."""
        now_s = time.monotonic()
        if now_s - self._held_s >= HOLD_EVERY_S:
            self._held_s = now_s
            if self._serving:
                async with self._database.connection() as connection:
                    await connection.execute(HOLD, list(self._serving), self._calls.process_id)
            await self._take(TAKE_OVER, DEAD_AFTER_S, TAKES_LIMIT, list(self._serving))
        if now_s - self._swept_s >= SWEEP_EVERY_S:
            self._swept_s = now_s
            async with self._database.connection() as connection:
                await connection.execute(SWEEP)

    def _served_one(self, call_id: UUID, _task: "asyncio.Task[None]") -> None:
        del self._serving[call_id]
        if len(self._serving) == self._at_once_limit - 1:
            self._look.set()

    async def _serve_one(self, call_id: UUID, receiver: str, caller: UUID, sealed: bytes) -> None:
        reply = await self._calls.reply_to(call_id, receiver, caller, sealed)
        await self.reply(call_id, caller, reply)


def _call_to(receiver: str) -> str:
    return f"call.{receiver}"


def _reply_to(process_id: UUID) -> str:
    return f"reply.{process_id}"
