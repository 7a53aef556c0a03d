"""One transaction of a component: the run of messages, the inbox mark, what is said next. The consumer's door."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import structlog
from pydantic import BaseModel

from hub import failpoints, telemetry
from hub.component import Component, Handler
from hub.database import Database, is_retryable, is_unreachable
from hub.errors import ContendedError, HubError, PermanentError, TransientError, UnroutableError
from hub.metrics import BATCH, COMMIT, FAILED, HANDLED
from hub.tracing import Traced
from hub.transaction import Transaction
from schemas.message import Message

log = structlog.get_logger()

RERUN_LIMIT: Final = 5
"""How often a transaction is run again because two at once met."""
RERUN_DELAY_S: Final = 0.01
"""Before the first rerun; longer with each, and never twice the same, so that two who have met do not meet again."""

Mark = Callable[[Transaction], Awaitable[None]]
"""Writes the inbox mark; raises OwnershipLostError when somebody else has done this work."""


def rerun_delay_s(rerun: int) -> float:
    """How long to wait before a transaction is run again for the `rerun`-th time, from 0 on."""
    return RERUN_DELAY_S * (rerun + 1) * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, keeps no secret


class WrongAnswersError(PermanentError):
    """A handler has not given one answer to each of its messages: a defect of the component."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nothing of the run has taken effect; after `unknown`, it may have."""

    error: BaseException
    unknown: bool = False


class Runner:
    """Runs messages through a component's handlers, each run in one transaction."""

    def __init__(self, component: Component, database: Database, is_paused: Callable[[], bool] = lambda: False) -> None:
        self.component = component
        self.database = database
        self.is_paused = is_paused
        """Whether nothing more is to be begun for this component just now."""

    async def attempt(
        self, messages: Sequence[Message], causes: Sequence[Traced], way: str, mark: Mark | None = None
    ) -> list[BaseModel | None] | Failure:
        """All messages in one transaction: their answers in order after the commit, or why it failed."""
        began_ns = time.time_ns()
        outcome = await self._attempt(messages, causes, way, mark)
        if telemetry.sink is not None:
            error = outcome.error if isinstance(outcome, Failure) else None
            traces = [one.trace for one in causes]
            telemetry.sink(telemetry.run_span(self.component.name, way, traces, began_ns, error))
        return outcome

    async def _attempt(
        self, messages: Sequence[Message], causes: Sequence[Traced], way: str, mark: Mark | None
    ) -> list[BaseModel | None] | Failure:
        name = self.component.name
        BATCH.labels(name).observe(len(messages))
        for rerun in range(RERUN_LIMIT):
            try:
                with COMMIT.labels(name).time():
                    answers = await self._transact(messages, causes, mark)
            except Exception as error:
                if is_retryable(error) and rerun + 1 < RERUN_LIMIT:
                    await asyncio.sleep(rerun_delay_s(rerun))
                    continue
                return self._failure(error)
            failpoints.reach(f"{name}.after_commit")
            HANDLED.labels(name, way).inc(len(messages))
            return answers
        raise AssertionError(RERUN_LIMIT)

    async def _transact(
        self, messages: Sequence[Message], causes: Sequence[Traced], mark: Mark | None
    ) -> list[BaseModel | None]:
        failpoints.reach(f"{self.component.name}.before_tx")
        answers: list[BaseModel | None] = []
        async with self.database.transaction() as tx:
            if mark is not None:
                await mark(tx)
            for handler, first, end in self._runs(messages):
                tx.causes = causes[first:end]
                run_answers = await handler(messages[first:end], tx)
                answers.extend(run_answers if run_answers is not None else [None] * (end - first))
                if len(answers) != end:
                    raise WrongAnswersError(f"{self.component.name} {messages[first].TYPE}")
            failpoints.reach(f"{self.component.name}.before_commit")
        return answers

    def _runs(self, messages: Sequence[Message]) -> Iterator[tuple[Handler, int, int]]:
        """Neighbours with the same handler, as (handler, first, end)."""
        handlers = {kind: self._handler(kind) for kind in set(map(type, messages))}
        if len(set(handlers.values())) == 1:
            yield handlers[type(messages[0])], 0, len(messages)
            return
        first = 0
        for handler, run in groupby(messages, lambda message: handlers[type(message)]):
            end = first + sum(1 for _ in run)
            yield handler, first, end
            first = end

    def _handler(self, kind: type[Message]) -> Handler:
        handler = self.component.handlers.get(kind)
        if handler is None:
            raise UnroutableError(kind.TYPE)
        return handler

    def _failure(self, error: Exception) -> Failure:
        permanent = getattr(error, "permanent", None)
        FAILED.labels(self.component.name, str(permanent)).inc()
        if is_unreachable(error) and not isinstance(error, HubError):
            return Failure(TransientError("PostgreSQL does not answer"), unknown=True)
        log.warning("run_failed", component=self.component.name, error=type(error).__qualname__, permanent=permanent)
        if is_retryable(error):
            return Failure(ContendedError(type(error).__qualname__))
        return Failure(error)
