"""What fails is tried again, then parked with its reason; its neighbours never notice."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from hub import deliveries
from hub.errors import PermanentError, TransientError
from hub.retry import PROMPT
from hub.transaction import Transaction
from tests.hub.parts import Handle, Probe, credited, fake, key_in, record, say
from tests.hub.transports.conftest import Start
from tests.waiting import wait_until

MANY_LIMIT_S: Final = 60.0
RIPEN: Final = "UPDATE hub.delivery SET due_at = now() WHERE state = 'scheduled'"
BREAK: Final = "UPDATE hub.message SET body = '{' WHERE id = $1"
FORGET_TYPE: Final = "UPDATE hub.message SET type = 'jp.mykey.gone.v1' WHERE id = $1"
LOSE: Final = "DELETE FROM hub.message WHERE id = $1"


def poisoned_by(numbers: set[int], error: Exception, tries: Counter[int]) -> Handle:
    """A handler that counts its tries and fails wherever one of these numbers is among its messages."""

    async def handle(messages: Sequence[Any], tx: Transaction) -> None:
        await record("mail", messages, tx)
        tries.update(message.points for message in messages)
        if numbers & {message.points for message in messages}:
            raise error

    return handle


async def _hurried(probe: Probe, done: int) -> bool:
    """Make ripe what is scheduled, until this many deliveries are parked."""
    await probe.connection.execute(RIPEN)
    return len(await probe.deliveries("parked")) == done


async def test_a_poison_message_is_parked_after_its_attempts_with_its_reason(start: Start, probe: Probe) -> None:
    tries: Counter[int] = Counter()
    async with start(fake("registry"), fake("mail", poisoned_by({3}, KeyError("secret"), tries))) as process:
        (message_id,) = await say(process, credited(3))
        await wait_until(lambda: _hurried(probe, 1), 20)

    (parked,) = await probe.deliveries()
    assert tries[3] == PROMPT.attempts_limit == parked["attempts"]
    assert parked["message_ids"] == [message_id]
    assert parked["reason"] == "KeyError at test_failures.py handle"
    assert len(parked["fingerprint"]) == 12
    assert await probe.numbers() == []


@pytest.mark.parametrize("size,tries_limit", [(2, 5), (100, 5), (1200, 5)])
async def test_the_neighbours_of_a_poison_message_flow_in_order(
    start: Start, probe: Probe, size: int, tries_limit: int
) -> None:
    tries: Counter[int] = Counter()
    poison = size // 2 + 1
    key = key_in(1)
    async with start(fake("registry"), fake("mail", poisoned_by({poison}, RuntimeError(), tries))) as process:
        await say(process, *(credited(n, key) for n in range(1, size + 1)))
        await wait_until(lambda: _has_done(probe, size - 1))
        await wait_until(lambda: _hurried(probe, 1), 20)

    assert await probe.numbers() == [n for n in range(1, size + 1) if n != poison]
    assert tries[poison] <= tries_limit


async def test_poison_in_one_lane_does_not_stop_another(start: Start, probe: Probe) -> None:
    waiting = asyncio.Event()

    async def stuck_in_lane_1(messages: Sequence[Any], tx: Transaction) -> None:
        await record("mail", messages, tx)
        if any(message.key().int % 16 == 1 for message in messages):
            await waiting.wait()

    async with start(fake("registry"), fake("mail", stuck_in_lane_1)) as process:
        await say(process, credited(1, key_in(1)))
        await say(process, *(credited(n, key_in(n)) for n in range(2, 16)))
        await wait_until(lambda: _has_done(probe, 14))
        waiting.set()
        await process.drained(5)


async def test_a_permanent_error_is_parked_at_once(start: Start, probe: Probe) -> None:
    tries: Counter[int] = Counter()
    error = PermanentError("scheme 011002 is closed")
    async with start(fake("registry"), fake("mail", poisoned_by({3}, error, tries))) as process:
        await say(process, credited(3))
        await wait_until(lambda: probe.deliveries("parked"))

    (parked,) = await probe.deliveries()
    assert tries[3] == 1
    assert parked["reason"] == "PermanentError: scheme 011002 is closed"


async def test_what_asked_for_time_is_given_it(start: Start, probe: Probe) -> None:
    tries: Counter[int] = Counter()
    error = TransientError("come back", retry_after_s=120)
    async with start(fake("registry"), fake("mail", poisoned_by({3}, error, tries))) as process:
        await say(process, credited(3))
        await wait_until(lambda: probe.deliveries("scheduled"))

    (waiting,) = await probe.deliveries()
    assert tries[3] == 1
    assert waiting["due_at"] - datetime.now(UTC) > timedelta(seconds=110)


async def test_an_unclassified_error_is_tried_again_at_once_and_then_later(start: Start, probe: Probe) -> None:
    tries: Counter[int] = Counter()
    async with start(fake("registry"), fake("mail", poisoned_by({3}, RuntimeError(), tries))) as process:
        await say(process, credited(3))
        await wait_until(lambda: probe.deliveries("scheduled"))
        assert tries[3] == PROMPT.immediate
        (waiting,) = await probe.deliveries()
        latest = datetime.now(UTC) + timedelta(seconds=2 * PROMPT.first_delay_s)  # the tries took their time, too
        assert waiting["since"] < waiting["due_at"] < latest
        await wait_until(lambda: tries[3] == PROMPT.immediate + 1)


async def test_what_was_put_off_is_done_once_it_can_be(start: Start, probe: Probe) -> None:
    tries: Counter[int] = Counter()
    numbers = {3}
    async with start(fake("registry"), fake("mail", poisoned_by(numbers, RuntimeError(), tries))) as process:
        await say(process, credited(3))
        await wait_until(lambda: probe.deliveries("scheduled"))
        numbers.clear()
        await wait_until(lambda: _has_done(probe, 1))
        await process.drained(5)

    assert await probe.deliveries() == []
    assert await probe.numbers() == [3]


@pytest.mark.parametrize(
    "harm,reason", [(BREAK, "credited.v1"), (FORGET_TYPE, "jp.mykey.gone.v1"), (LOSE, "not in the store")]
)
async def test_an_unreadable_message_is_parked_and_its_neighbours_are_done(
    start: Start, probe: Probe, harm: str, reason: str
) -> None:
    async with start(fake("registry")) as process:
        _, broken, _ = await say(process, *(credited(n, key_in(4)) for n in (1, 2, 3)))
    await probe.connection.execute(harm, broken)

    async with start(fake("mail")):
        await wait_until(lambda: _has_done(probe, 2))
        await wait_until(lambda: probe.deliveries("parked"))

    (parked,) = await probe.deliveries()
    assert parked["message_ids"] == [broken]
    assert parked["reason"].startswith("UnreadableMessageError")
    assert reason in parked["reason"]


@pytest.mark.parametrize("value", [2**40, "twelve", "a\0b"])
async def test_a_value_that_does_not_fit_the_database_is_a_poison_like_any_other(
    start: Start, probe: Probe, value: object
) -> None:
    async def misfit(messages: Sequence[Any], tx: Transaction) -> None:
        await record("mail", messages, tx)
        if any(message.points == 2 for message in messages):
            cast = "SELECT $1::text" if isinstance(value, str) and "\0" in value else "SELECT $1::int"
            await tx.fetch(cast, value)

    async with start(fake("registry"), fake("mail", misfit)) as process:
        await say(process, *(credited(n, key_in(5)) for n in (1, 2, 3)))
        await wait_until(lambda: _has_done(probe, 2))
        await wait_until(lambda: _hurried(probe, 1), 20)

    assert await probe.numbers() == [1, 3]


@pytest.mark.parametrize("words", ["a\0b", "\ud800", "x" * 10_000])
async def test_a_reason_that_does_not_fit_the_database_is_made_to(start: Start, probe: Probe, words: str) -> None:
    tries: Counter[int] = Counter()
    async with start(fake("registry"), fake("mail", poisoned_by({3}, PermanentError(words), tries))) as process:
        await say(process, credited(3))
        await wait_until(lambda: probe.deliveries("parked"))


async def test_many_messages_put_off_one_by_one_leave_nothing_behind(start: Start, probe: Probe) -> None:
    tries: Counter[int] = Counter()
    numbers = set(range(1, 51))
    error = TransientError("come back", retry_after_s=120)  # by itself none comes again before all are put off
    async with start(fake("registry"), fake("mail", poisoned_by(numbers, error, tries))) as process:
        await say(process, *(credited(n) for n in range(1, 101)))
        await wait_until(lambda: _has_done(probe, 50), MANY_LIMIT_S)
        await wait_until(lambda: _scheduled(probe, 50), MANY_LIMIT_S)
        numbers.clear()
        await probe.connection.execute(RIPEN)
        await wait_until(lambda: _has_done(probe, 100), MANY_LIMIT_S)
        await process.drained(5)

    assert await probe.deliveries() == []
    assert sorted(await probe.numbers()) == list(range(1, 101))


async def test_a_lane_whose_worker_failed_goes_on(start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = deliveries.fetch
    failures = [RuntimeError("a defect of the hub's own"), RuntimeError("again")]

    async def failing_at_first(*args: Any) -> Any:  # noqa: ANN401 - whatever fetch takes and gives
        if failures:
            raise failures.pop()
        return await fetch(*args)

    monkeypatch.setattr(deliveries, "fetch", failing_at_first)
    async with start(fake("registry"), fake("mail")) as process:
        await say(process, *(credited(n, key_in(n)) for n in range(16)))
        await wait_until(lambda: _has_done(probe, 16), 10)


async def _has_done(probe: Probe, count: int) -> bool:
    return len(await probe.numbers()) >= count


async def _scheduled(probe: Probe, count: int) -> bool:
    return len(await probe.deliveries("scheduled")) == count
