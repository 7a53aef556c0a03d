"""Calls as rows: who works on one says so, who has not for long has it taken over, and not for ever."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Final, cast
from uuid import uuid4

import pytest

from hub.errors import DeadlineExceededError
from hub.transaction import Transaction
from hub.transports import postgres_calls
from hub.transports.postgres import PostgresTransport
from hub.transports.postgres_calls import DEAD_AFTER_S, HOLD_EVERY_S, TAKES_LIMIT
from schemas.points import PostingAnswer
from tests.hub.parts import Probe, at_work, credit, fake, record
from tests.waiting import wait_until

DEADLINE_S: Final = 15.0
TAKEN_AT: Final = "SELECT taken_at FROM hub.call"
LEFT_BY_THE_DEAD: Final = "UPDATE hub.call SET taken_by = $1, taken_at = '-infinity', takes = $2"
LOCK: Final = "LOCK TABLE hub.call IN EXCLUSIVE MODE"
WAITING: Final = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'mykey_ledger' AND wait_event_type = 'Lock'
    AND datname = current_database() AND query ~ 'hub.call')
"""
CALLS: Final = "SELECT count(*) FROM hub.call"


async def test_who_works_on_a_call_says_so_again_and_again(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_calls, "HOLD_EVERY_S", 0.1)
    may_end = asyncio.Event()

    async def slowly(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer] | None:
        await may_end.wait()
        return await record("ledger", messages, tx)

    async def taken_after(moment: datetime | None = None) -> datetime | None:
        taken_at: datetime | None = await probe.connection.fetchval(TAKEN_AT)
        return taken_at if taken_at is not None and (moment is None or taken_at > moment) else None

    async with at_work(probe.url, fake("registry")) as asking, at_work(probe.url, fake("ledger", slowly)):
        call = asyncio.create_task(asking.bus.call(credit(1), DEADLINE_S))
        taken_at = await wait_until(taken_after)
        await wait_until(lambda: taken_after(taken_at))
        may_end.set()
        assert (await call).points == 1
        assert await probe.connection.fetchval(CALLS) == 0


@pytest.mark.parametrize("takes", [1, TAKES_LIMIT - 1, TAKES_LIMIT])
async def test_a_call_of_which_processes_die_is_taken_over_only_so_often(probe: Probe, takes: int) -> None:
    async with at_work(probe.url, fake("registry")) as asking:
        call = asyncio.create_task(asking.bus.call(credit(1), DEADLINE_S))
        await wait_until(lambda: probe.connection.fetchval(CALLS))
        await probe.connection.execute(LEFT_BY_THE_DEAD, uuid4(), takes)
        async with at_work(probe.url, fake("ledger")):
            if takes < TAKES_LIMIT:
                assert (await call).points == 1
                return
            await asking.bus.call(credit(2), DEADLINE_S)
            with pytest.raises(DeadlineExceededError):
                await call
    assert await probe.numbers("ledger") == [2]


async def test_a_call_that_is_being_taken_as_its_process_is_told_to_stop_is_answered(probe: Probe) -> None:
    async with at_work(probe.url, fake("registry")) as asking, AsyncExitStack() as stopped:
        call = asyncio.create_task(asking.bus.call(credit(1), DEADLINE_S))
        await wait_until(lambda: probe.connection.fetchval(CALLS))
        other = await probe.again()
        async with probe.connection.transaction():
            await probe.connection.execute(LOCK)
            process = await stopped.enter_async_context(at_work(probe.url, fake("ledger")))
            await wait_until(lambda: other.connection.fetchval(WAITING))
            stopping = asyncio.create_task(stopped.aclose())
            await wait_until(lambda: cast("PostgresTransport", process._transport).calls._stopped)
        await other.connection.close()
        await stopping
        assert await probe.numbers("ledger") == [1]
        assert (await call).points == 1


def test_a_dead_process_is_told_from_a_slow_one_and_its_calls_are_answered_in_time() -> None:
    assert 3 * HOLD_EVERY_S < DEAD_AFTER_S < 10 / 1.5, "most who ask wait for ten seconds"
