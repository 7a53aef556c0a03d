"""Calls between processes, however they are carried: what is asked and answered, sealed, and who waits for it.

It is sealed because it carries personal data. Each calling process has its own key.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import structlog

from hub import failpoints
from hub.errors import (
    ComponentPausedError,
    DeadlineExceededError,
    HubError,
    PermanentError,
    TransientError,
    UnroutableError,
)
from hub.ids import uuid7
from hub.keys import Keys, SealBrokenError, place
from hub.tracing import Trace, parse
from hub.transports.call_bodies import Answers, call_of, read_call, read_reply, reply_of
from hub.transports.port import Serve
from hub.versions import UnreadableMessageError
from schemas.message import Message

log = structlog.get_logger()

_FAILURE: Final = b"{"
"""How a reply begins that tells what went wrong; answers are lists."""
CALLERS_LIMIT: Final = 256
"""The most callers whose keys are remembered."""


class RemoteRefusedError(TransientError):
    """The other process could not do it now; asking again with the same id is safe."""


class RemoteFailedError(PermanentError):
    """The other process failed at it, and would fail again: see its log."""


class Asked:
    """One call on its way: what to carry, and the answer once it has come."""

    def __init__(self, receiver: str, deadline_s: float) -> None:
        self.id = uuid7()
        self.receiver = receiver
        self._ends_s = time.monotonic() + deadline_s
        self.sealed = b""
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    @property
    def left_s(self) -> float:
        """For how long somebody still waits for it: after that nobody is to do it."""
        return max(0.0, self._ends_s - time.monotonic())


class RemoteCalls:
    """The calls that this process has made and waits for, and the answering of other processes' calls."""

    def __init__(self, process_id: UUID, keys: Keys, serve: Serve) -> None:
        self.process_id = process_id
        self._serve = serve
        self._sealer_of = lru_cache(CALLERS_LIMIT)(lambda caller: keys.sealer(f"call {caller}"))
        self._pending: dict[UUID, Asked] = {}

    @property
    def waits(self) -> bool:
        """Whether any answer is waited for."""
        return bool(self._pending)

    @asynccontextmanager
    async def asking(
        self, receiver: str, messages: Sequence[Message], trace: Trace, deadline_s: float
    ) -> AsyncIterator[Asked]:
        """Have an answer waited for as long as this lasts."""
        asked = Asked(receiver, deadline_s)
        body = call_of(trace.traceparent, messages)
        asked.sealed = self._sealer_of(self.process_id).seal(body, _place("call", asked.id))
        self._pending[asked.id] = asked
        try:
            yield asked
        finally:
            del self._pending[asked.id]

    def answered(self, call_id: UUID, sealed: bytes) -> None:
        """An answer has come; one that nobody waits for any more is nothing."""
        asked = self._pending.get(call_id)
        if asked is not None and not asked.answer.done():
            asked.answer.set_result(sealed)

    async def answers_to(self, asked: Asked, messages: Sequence[Message]) -> Answers:
        """Wait for the answers. Raises what the other process told."""
        replied = self._sealer_of(self.process_id).open(await asked.answer, _place("reply", asked.id))
        if replied.startswith(_FAILURE):
            raise _error_from(json.loads(replied))
        return read_reply(replied, messages)

    async def reply_to(self, call_id: UUID, receiver: str, caller: UUID, sealed: bytes) -> bytes:
        """Do what another process asks; what is to be carried back to it: the answers, or what went wrong."""
        failpoints.reach("call.taken")
        (reply,) = await asyncio.gather(self._reply(call_id, receiver, caller, sealed), return_exceptions=True)
        if isinstance(reply, BaseException):
            log.warning("call_failed", receiver=receiver, call_id=call_id, error=type(reply).__qualname__)
            reply = json.dumps(_told(reply)).encode()
        failpoints.reach("call.before_reply")
        return self._sealer_of(caller).seal(reply, _place("reply", call_id))

    async def _reply(self, call_id: UUID, receiver: str, caller: UUID, sealed: bytes) -> bytes:
        try:
            traceparent, messages = read_call(self._sealer_of(caller).open(sealed, _place("call", call_id)))
        except (SealBrokenError, UnreadableMessageError) as error:
            raise RemoteFailedError(f"call {call_id} cannot be read: {error}") from error
        answers = await self._serve(receiver, messages, parse(traceparent) or Trace.begun_by(call_id))
        return reply_of(answers, messages)


def _place(table: str, call_id: UUID) -> str:
    return place(f"hub.{table}", "bodies", call_id)


def _told(error: BaseException) -> dict[str, Any]:
    """An error as it is told to another process."""
    kinds = (DeadlineExceededError, UnroutableError, ComponentPausedError, TransientError)
    kind = next((kind.__name__ for kind in kinds if isinstance(error, kind)), PermanentError.__name__)
    words = str(error) if isinstance(error, HubError) else type(error).__qualname__
    return {"kind": kind, "detail": words, "retry_after_s": getattr(error, "retry_after_s", 0.0)}


def _error_from(told: dict[str, Any]) -> HubError:
    match told["kind"]:
        case DeadlineExceededError.__name__:
            return DeadlineExceededError(told["detail"])
        case UnroutableError.__name__:
            return UnroutableError(told["detail"])
        case ComponentPausedError.__name__:
            return ComponentPausedError(told["detail"], retry_after_s=told["retry_after_s"])
        case TransientError.__name__:
            return RemoteRefusedError(told["detail"], retry_after_s=told["retry_after_s"])
        case _:
            return RemoteFailedError(told["detail"])
