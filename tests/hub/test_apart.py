"""Calls that take their time: no connection held, the first error after all have ended, limits, lost connections."""

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel

from hub import apart
from hub.apart import ApartCalls, committed
from hub.component import Component, Context, Installed
from hub.errors import ContendedError, DeadlineExceededError, PermanentError, TransientError
from hub.runner import RERUN_LIMIT
from hub.transaction import Transaction
from schemas.points import CreditPoints, PostingAnswer
from tests.hub.parts import Probe, at_work, credit, fake, posted, record


def slow_ledger(answerer: Any, context_of: list[Context]) -> Installed:  # noqa: ANN401 - whatever the test has
    """A ledger whose CreditPoints takes its time."""
    base = fake("ledger")

    def build(context: Context) -> Component:
        context_of.append(context)
        made = base.factory(context)
        handlers = {kind: handler for kind, handler in made.handlers.items() if kind is not CreditPoints}
        return replace(made, handlers=handlers, apart={CreditPoints: answerer})

    return Installed("ledger", build)


async def test_more_are_under_way_than_there_are_connections(database_url: str) -> None:
    probe, contexts = await Probe.at(database_url), list[Context]()
    at_once, all_there = 0, asyncio.Event()

    async def answer(message: CreditPoints) -> PostingAnswer:
        nonlocal at_once
        at_once += 1
        if at_once == 20:
            all_there.set()
        await all_there.wait()
        await committed(contexts[0].database, lambda tx: record("ledger", [message], tx))
        return posted(message.points)

    async with at_work(database_url, slow_ledger(answer, contexts), pool_size=3) as process:
        answers = await process.bus.call_many([credit(n) for n in range(1, 21)], 10)
    assert [answer.points for answer in answers] == list(range(1, 21))
    assert sorted(await probe.numbers("ledger")) == list(range(1, 21))
    await probe.connection.close()


async def test_the_first_error_comes_after_all_have_ended() -> None:
    ended = []

    async def answer(message: CreditPoints) -> BaseModel:
        await asyncio.sleep(0)
        ended.append(message.points)
        if message.points < 3:
            raise PermanentError(str(message.points))
        return posted(message.points)

    with pytest.raises(PermanentError, match="1"):
        await ApartCalls().ask(answer, [credit(n) for n in range(1, 6)])
    assert ended == [1, 2, 3, 4, 5]


async def test_too_many_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_message: CreditPoints) -> BaseModel:
        return posted(1)

    monkeypatch.setattr(apart, "WAITING_LIMIT", 2)
    calls = ApartCalls()
    with pytest.raises(TransientError):
        await calls.ask(answer, [credit(n) for n in range(1, 4)])
    assert len(await calls.ask(answer, [credit(1), credit(2)])) == 2


@pytest.mark.parametrize("error", [asyncpg.ConnectionDoesNotExistError("x"), OSError(), TimeoutError()])
async def test_without_postgresql_the_outcome_is_unknown(error: Exception) -> None:
    async def answer(_message: CreditPoints) -> BaseModel:
        raise error

    with pytest.raises(DeadlineExceededError):
        await ApartCalls().ask(answer, [credit(1)])


async def test_two_that_meet_are_run_again_but_not_for_ever(database_url: str) -> None:
    contexts, runs = list[Context](), 0

    async def answer(_message: CreditPoints) -> BaseModel:
        return posted(1)

    async with at_work(database_url, slow_ledger(answer, contexts)):

        async def meets(times: int, tx: Transaction) -> int:
            nonlocal runs
            runs += 1
            if runs <= times:
                raise asyncpg.UniqueViolationError("met")
            return int(await tx.fetch_value("SELECT 7"))

        assert await committed(contexts[0].database, lambda tx: meets(2, tx)) == 7
        assert runs == 3
        with pytest.raises(ContendedError):
            await committed(contexts[0].database, lambda tx: meets(1_000, tx))
        assert runs == 3 + RERUN_LIMIT
