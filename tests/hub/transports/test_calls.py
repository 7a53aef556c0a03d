"""Calls: an answer means committed, no answer means unknown, and nobody suffers for a neighbour."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any, Final, cast
from uuid import uuid4

import pytest
from pydantic import BaseModel

from hub import calls
from hub.errors import DeadlineExceededError, PermanentError, TransientError, UnroutableError
from hub.runner import WrongAnswersError
from hub.tracing import TRACE, Trace
from hub.transaction import Reading, Transaction
from hub.transports.remote_calls import Asked, RemoteFailedError, RemoteRefusedError
from schemas.citizens import CheckMyKeyId
from schemas.message import Answered
from schemas.points import BalanceOf, Balances, PostingAnswer
from tests.hub.parts import Handle, Probe, credit, credited, fake, key_in, posted, record, say, scheme
from tests.hub.transports.conftest import Start
from tests.hub.transports.worker import ENDLESS, worker
from tests.waiting import wait_until

DEADLINE_S: Final = 5.0
LONG_DEADLINE_S: Final = 30.0
TRACES: Final = "SELECT correlation_id, parent_span FROM hub.message ORDER BY id"


def raising(error: Exception, tries: Counter[int] | None = None) -> Handle:
    """A ledger for which number 13 is a poison."""

    async def handle(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer] | None:
        answers = await record("ledger", messages, tx)
        if tries is not None:
            tries.update(message.points for message in messages)
        if any(message.points == 13 for message in messages):
            raise error
        return answers

    return handle


async def test_an_answer_means_committed(start: Start, probe: Probe) -> None:
    async with start(fake("ledger")) as process:
        answer = await process.bus.call(credit(5), DEADLINE_S)
        assert await probe.numbers("ledger") == [5]

    assert answer == posted(5)


async def test_who_only_asks_does_nothing_of_the_components_work(start: Start, probe: Probe) -> None:
    """A command that borrows a component's name is no process of it, and may be where it can reach nobody."""
    async with start(fake("ledger").only_asking()) as asker:
        await say(asker, scheme())
        with pytest.raises(DeadlineExceededError):
            await asker.bus.call(credit(1), 1.0)
        assert (await probe.done("ledger"), await probe.owners("ledger")) == ([], {})

        async with start(fake("ledger")):
            assert await asker.bus.call(credit(5), DEADLINE_S) == posted(5)
            await asker.drained(DEADLINE_S, ["ledger"])
    assert max(await probe.numbers("ledger")) == 5


async def test_answers_come_in_the_order_asked(start: Start, probe: Probe) -> None:
    async with start(fake("ledger")) as process:
        answers = await process.bus.call_many([credit(n) for n in range(1, 301)], DEADLINE_S)

    assert [answer.points for answer in answers] == list(range(1, 301))
    assert sorted(await probe.numbers("ledger")) == list(range(1, 301))


async def test_calls_of_one_key_are_done_in_the_order_asked(start: Start, probe: Probe) -> None:
    key = uuid4()
    async with start(fake("ledger")) as process:
        await asyncio.gather(*(process.bus.call(credit(n, key), DEADLINE_S) for n in range(1, 101)))

    assert await probe.numbers("ledger") == list(range(1, 101))


async def test_what_waits_makes_one_transaction(start: Start) -> None:
    sizes: list[int] = []

    async def handle(messages: Sequence[Any], _tx: Transaction) -> list[PostingAnswer]:
        sizes.append(len(messages))
        return [posted(message.points) for message in messages]

    async with start(fake("ledger", handle)) as process:
        await process.bus.call_many([credit(n, key_in(1)) for n in range(1, 701)], DEADLINE_S)

    assert sizes == [calls.BATCH_LIMIT, 700 - calls.BATCH_LIMIT]


async def test_no_call_gets_an_empty_answer(start: Start) -> None:
    async with start(fake("ledger")) as process:
        assert await process.bus.call_many([], DEADLINE_S) == []


async def test_a_poison_call_does_not_hurt_its_neighbours(start: Start, probe: Probe) -> None:
    tries: Counter[int] = Counter()
    async with start(fake("ledger", raising(KeyError("no"), tries))) as process:
        asked = [process.bus.call(credit(n, key_in(1)), DEADLINE_S) for n in range(1, 101)]
        answers = await asyncio.gather(*asked, return_exceptions=True)

    assert isinstance(answers.pop(12), KeyError)
    assert [answer.points for answer in answers if isinstance(answer, PostingAnswer)] == await probe.numbers("ledger")
    assert len(answers) == 99
    assert tries[13] <= 3


async def test_a_handler_that_forgets_an_answer_has_changed_nothing(start: Start, probe: Probe) -> None:
    async def forgetful(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer]:
        return (await record("ledger", messages, tx) or [])[1:]

    async with start(fake("ledger", forgetful)) as process:
        with pytest.raises(WrongAnswersError):
            await process.bus.call_many([credit(1, key_in(1)), credit(2, key_in(1))], DEADLINE_S)

    assert await probe.numbers("ledger") == []


async def test_no_answer_in_time_means_unknown(start: Start, probe: Probe) -> None:
    may_end = asyncio.Event()

    async def slowly(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer] | None:
        await may_end.wait()
        return await record("ledger", messages, tx)

    async with start(fake("ledger", slowly)) as process:
        with pytest.raises(DeadlineExceededError):
            await process.bus.call(credit(1), 0.1)
        may_end.set()

    assert await probe.numbers("ledger") == [1]


async def test_what_nobody_waits_for_any_more_is_not_begun(start: Start, probe: Probe) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer] | None:
        began.set()
        await may_end.wait()
        return await record("ledger", messages, tx)

    async with start(fake("ledger", slowly)) as process:
        first = asyncio.create_task(process.bus.call(credit(1, key_in(1)), DEADLINE_S))
        await asyncio.wait_for(began.wait(), DEADLINE_S)
        with pytest.raises(DeadlineExceededError):
            await process.bus.call(credit(2, key_in(1)), 0.1)
        may_end.set()
        assert (await first).points == 1

    assert await probe.numbers("ledger") == [1]


async def test_a_cancelled_caller_takes_nobody_with_it(start: Start, probe: Probe) -> None:
    async with start(fake("ledger")) as process:
        tasks = [asyncio.create_task(process.bus.call(credit(n, key_in(1)), DEADLINE_S)) for n in range(1, 51)]
        await asyncio.sleep(0)
        tasks[10].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [number for number, answer in enumerate(answers) if not isinstance(answer, PostingAnswer)] == [10]
    assert len(set(await probe.numbers("ledger"))) >= 49


async def test_when_too_many_wait_more_are_sent_away(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "WAITING_LIMIT", 10)
    async with start(fake("ledger")) as process:
        with pytest.raises(TransientError) as refused:
            await process.bus.call_many([credit(n) for n in range(1, 12)], DEADLINE_S)
        assert refused.value.retry_after_s > 0
        assert len(await process.bus.call_many([credit(n) for n in range(1, 11)], DEADLINE_S)) == 10


async def test_a_query_is_answered_from_committed_state(start: Start) -> None:
    async def answer(query: BalanceOf, reading: Reading) -> BaseModel:
        assert await reading.fetch_value("SELECT current_user") == "mykey_ledger"
        return Balances(by_pool={str(query.citizen_id): 7}, lots=[])

    citizen = uuid4()
    async with start(fake("ledger", answer=answer)) as process:
        balances = await process.bus.call(BalanceOf(citizen_id=citizen), DEADLINE_S)

    assert balances.by_pool == {str(citizen): 7}


async def test_one_call_goes_to_one_component(start: Start) -> None:
    async with start(fake("ledger"), fake("registry")) as process:
        with pytest.raises(UnroutableError):
            await process.bus.call_many(cast("Sequence[Answered[Any]]", [credit(1), _personal()]), DEADLINE_S)


async def test_a_durable_command_is_done_later_and_once(start: Start, probe: Probe) -> None:
    async with start(fake("registry")) as process:
        await process.bus.send([credit(1), credit(2)])
    async with start(fake("ledger")) as process:
        await process.drained(5)

    assert sorted(await probe.numbers("ledger")) == [1, 2]


# between processes


async def test_a_call_to_another_process_is_answered_after_the_commit(start: Start, probe: Probe) -> None:
    async with start(fake("registry")) as asking, start(fake("ledger")):
        answers = await asking.bus.call_many([credit(n) for n in range(1, 31)], DEADLINE_S)
        assert sorted(await probe.numbers("ledger")) == list(range(1, 31))

    assert [answer.points for answer in answers] == list(range(1, 31))


async def test_many_callers_between_processes_get_each_its_own_answer(start: Start) -> None:
    async with start(fake("registry")) as asking, start(fake("ledger")):
        answers = await asyncio.gather(*(asking.bus.call(credit(n), DEADLINE_S) for n in range(1, 201)))

    assert [answer.points for answer in answers] == list(range(1, 201))


async def test_a_query_to_another_process_is_answered(start: Start) -> None:
    async with start(fake("registry")) as asking, start(fake("ledger")):
        assert await asking.bus.call(BalanceOf(citizen_id=uuid4()), DEADLINE_S) == Balances(by_pool={}, lots=[])


@pytest.mark.parametrize(
    "error,told",
    [
        (TransientError("the scheme is being changed", retry_after_s=7), RemoteRefusedError),
        (PermanentError("no such scheme"), RemoteFailedError),
        (KeyError("never told"), RemoteFailedError),
        (UnroutableError("nowhere"), UnroutableError),
        (DeadlineExceededError("unknown"), DeadlineExceededError),
    ],
)
async def test_the_kind_of_an_error_is_told_to_another_process(
    start: Start, error: Exception, told: type[Exception]
) -> None:
    async with start(fake("registry")) as asking, start(fake("ledger", raising(error))):
        with pytest.raises(told) as raised:
            await asking.bus.call(credit(13), DEADLINE_S)

    assert "never told" not in str(raised.value)
    if isinstance(raised.value, RemoteRefusedError):
        assert raised.value.retry_after_s == 7
        assert str(raised.value) == str(error)


async def test_a_call_is_carried_for_as_long_as_it_is_still_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for its whole deadline: part of that may be over before it is on its way."""
    now_s = [100.0]
    monkeypatch.setattr("hub.transports.remote_calls.time", SimpleNamespace(monotonic=lambda: now_s[0]))
    asked = Asked("ledger", 0.5)
    now_s[0] += 0.25
    assert asked.left_s == 0.25
    now_s[0] += 1.0
    assert asked.left_s == 0.0


async def test_what_comes_to_one_who_is_told_to_stop_goes_to_the_others(start: Start) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer] | None:
        began.set()
        await may_end.wait()
        return await record("ledger", messages, tx)

    async with start(fake("registry")) as asking, AsyncExitStack() as stopped:
        process = await stopped.enter_async_context(start(fake("ledger", slowly)))
        await wait_until(lambda: asking.complaint() is None and process.complaint() is None)
        first = asyncio.create_task(asking.bus.call(credit(1), LONG_DEADLINE_S))
        await asyncio.wait_for(began.wait(), DEADLINE_S)
        process.stop_waiting()  # as where doors are closed before the process is left
        late = [asyncio.create_task(asking.bus.call(credit(n), DEADLINE_S)) for n in range(2, 12)]
        async with start(fake("ledger")):
            assert [answer.points for answer in await asyncio.gather(*late)] == list(range(2, 12))
            stopping = asyncio.create_task(stopped.aclose())
            may_end.set()
            assert (await first).points == 1
            await stopping


async def test_with_nobody_there_the_deadline_ends_the_call_and_nobody_does_it_later(
    start: Start, probe: Probe
) -> None:
    async with start(fake("registry")) as asking:
        with pytest.raises(DeadlineExceededError):
            await asking.bus.call(credit(1), 0.3)
        async with start(fake("ledger")):
            await asking.bus.call(credit(2), DEADLINE_S)

    assert await probe.numbers("ledger") == [2]


async def test_a_call_that_nobody_is_left_to_do_ends_unknown_and_may_be_asked_again(
    start: Start, probe: Probe, database_url: str, transport: dict[str, object]
) -> None:
    async with start(fake("registry")) as asking:
        async with worker(database_url, transport, "ledger") as other:
            call = asyncio.create_task(asking.bus.call(credit(ENDLESS), 3.0))
            await wait_until(lambda: _in_transaction(probe))
            other.kill()
            with pytest.raises(DeadlineExceededError):
                await call
        assert await probe.numbers("ledger") == []
        async with start(fake("ledger")):
            assert (await asking.bus.call(credit(ENDLESS), DEADLINE_S)).points == ENDLESS

    assert await probe.numbers("ledger") == [ENDLESS]


async def test_a_call_to_a_process_that_is_killed_is_answered_by_another(
    start: Start, probe: Probe, database_url: str, transport: dict[str, object]
) -> None:
    async with start(fake("registry")) as asking, worker(database_url, transport, "ledger") as other:
        call = asyncio.create_task(asking.bus.call(credit(ENDLESS), LONG_DEADLINE_S))
        await wait_until(lambda: _in_transaction(probe))
        async with start(fake("ledger")):
            other.kill()
            assert (await call).points == ENDLESS

    assert await probe.numbers("ledger") == [ENDLESS]


async def test_a_process_that_stops_answers_what_it_has_taken(start: Start, probe: Probe) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer] | None:
        began.set()
        await may_end.wait()
        return await record("ledger", messages, tx)

    async with start(fake("registry")) as asking:
        async with start(fake("ledger", slowly)):
            call = asyncio.create_task(asking.bus.call(credit(1), DEADLINE_S))
            await asyncio.wait_for(began.wait(), DEADLINE_S)
            asyncio.get_running_loop().call_later(0.2, may_end.set)
        assert (await call).points == 1

    assert await probe.numbers("ledger") == [1]


async def test_what_is_asked_between_processes_is_sealed(start: Start, probe: Probe) -> None:
    async with start(fake("ledger")) as asking:
        call = asyncio.create_task(asking.bus.call(_personal(), 1.0))
        bodies = await wait_until(lambda: probe.connection.fetchval("SELECT bodies FROM hub.call"))
        call.cancel()

    assert b"KLMN0123" not in bodies
    assert b"mykey" not in bodies


async def test_the_trace_goes_along_to_another_process(start: Start, probe: Probe) -> None:
    async def saying(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer]:
        tx.emit(credited(1))
        return [posted(message.points) for message in messages]

    trace = Trace(uuid4(), -7)
    async with start(fake("registry")) as asking, start(fake("ledger", saying)):
        TRACE.set(trace)
        await asking.bus.call(credit(1), DEADLINE_S)

    assert [Trace(*row) for row in await probe.connection.fetch(TRACES)] == [trace]


def _personal() -> CheckMyKeyId:
    return CheckMyKeyId(enrolment_id=uuid4(), mykey_id="KLMN0123")


async def _in_transaction(probe: Probe) -> bool:
    return bool(
        await probe.connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
        )
    )
