"""Group commit for calls: whatever waits in a lane when its turn comes makes one transaction."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pydantic import BaseModel

from hub.errors import DeadlineExceededError, TransientError
from hub.flow import Flow
from hub.metrics import WAITING
from hub.runner import Failure, Runner
from hub.tracing import Trace
from schemas.message import Message
from schemas.values import LANES, lane_of

BATCH_LIMIT: Final = 512
"""The most calls one transaction takes."""
SUSPECTS: Final = 16
"""A run that failed is tried again in groups of this size, then one by one, so that a poison call hurts nobody."""
WAITING_LIMIT: Final = 50_000
"""The most calls that may wait in one component of one process; more are sent away with Retry-After."""


@dataclass(slots=True, eq=False)
class Asked:
    """Messages asked at once: their answers or errors, in order, and the one future of whoever waits for all."""

    answers: list[BaseModel | BaseException | None]
    left: int
    ended: asyncio.Future[None]
    since_s: float = field(default_factory=time.monotonic)

    def settle(self, place: int, answer: BaseModel | BaseException | None) -> None:
        """One of them has ended; with the last one the waiting is over."""
        self.answers[place] = answer
        self.left -= 1
        if not self.left and not self.ended.done():
            self.ended.set_result(None)

    async def all(self) -> list[BaseModel | None]:
        """The answers, once all have ended. Raises the first error."""
        await self.ended
        answers: list[BaseModel | None] = []
        for answer in self.answers:
            if isinstance(answer, BaseException):
                raise answer
            answers.append(answer)
        return answers


class Call(NamedTuple):
    """One of the messages that somebody waits for."""

    message: Message
    trace: Trace
    asked: Asked
    place: int


class CallQueue:
    """The calls of one component in this process: a queue per lane, in order; lanes side by side."""

    def __init__(self, runner: Runner, concurrent_limit: int) -> None:
        self.flow = Flow()
        self._runner = runner
        self._slots = asyncio.Semaphore(concurrent_limit)
        self._lanes: list[deque[Call]] = [deque() for _ in range(LANES)]
        self._working: dict[int, asyncio.Task[None]] = {}
        self._waiting = 0
        self._gauge = WAITING.labels(runner.component.name)

    def put(self, messages: Sequence[Message], trace: Trace) -> Asked:
        """Take calls in; each is answered after its commit. Raises TransientError when too many wait."""
        if self._waiting + len(messages) > WAITING_LIMIT:
            raise TransientError("too many calls are waiting", retry_after_s=1.0)
        loop = asyncio.get_running_loop()
        asked = Asked([None] * len(messages), len(messages), loop.create_future())
        lanes = self._lanes
        for place, message in enumerate(messages):
            lane = lane_of(message.key())
            lanes[lane].append(Call(message, trace, asked, place))
            if lane not in self._working:
                # A context of its own: the lane works for others too, and not in the name of whoever woke it.
                self._working[lane] = loop.create_task(self._work(lane), context=Context())
        self._count(len(messages))
        return asked

    async def close(self) -> None:
        """Wait until everything taken in has ended."""
        while self._working:
            await asyncio.gather(*self._working.values(), return_exceptions=True)

    def _count(self, change: int) -> None:
        self._waiting += change
        self._gauge.set(self._waiting)

    async def _work(self, lane: int) -> None:
        queue = self._lanes[lane]
        try:
            while queue:
                async with self._slots:
                    batch = [queue.popleft() for _ in range(min(BATCH_LIMIT, len(queue)))]
                    self._count(-len(batch))
                    await self._settle([call for call in batch if not call.asked.ended.cancelled()])
        finally:
            del self._working[lane]

    async def _settle(self, batch: list[Call]) -> None:
        if not batch:
            return
        with self.flow.working(len(batch)):
            outcome = await self._runner.attempt([call.message for call in batch], batch, "call")
        if not isinstance(outcome, Failure):
            now_s = time.monotonic()
            self.flow.was_done(batch, lambda call: (now_s - call.asked.since_s) * 1e3)
            for call, answer in zip(batch, outcome, strict=True):
                call.asked.settle(call.place, answer)
        elif len(batch) > 1 and not outcome.unknown:
            step = SUSPECTS if len(batch) > SUSPECTS else 1
            for start in range(0, len(batch), step):
                await self._settle(batch[start : start + step])
        else:
            self.flow.failed += len(batch)
            error = DeadlineExceededError() if outcome.unknown else outcome.error
            for call in batch:
                call.asked.settle(call.place, error)
