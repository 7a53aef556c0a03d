"""What is said is done: once, in order, and never marked done before its effect commits."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import uuid4

import pytest

from hub import database, deliveries
from hub.database import Database
from hub.deliveries import Due, Place
from hub.errors import OwnershipLostError
from hub.transaction import Transaction
from hub.transports import receiver as receiver_module
from schemas.values import LANES
from tests.hub.parts import Probe, credited, fake, key_in, record, say, scheme
from tests.hub.transports.conftest import Start
from tests.waiting import wait_until

INSERT_OVER_IDENTITY = """
INSERT INTO hub.delivery (id, receiver, lane, state, message_ids) OVERRIDING SYSTEM VALUE
VALUES ($1, $2, $3, 'due', $4)
"""
RUNS: Final = 8
POLL_S: Final = 0.1
FETCHED = "SELECT m.*, 1::bigint AS delivery_id FROM hub.message AS m WHERE id = ANY ($1) ORDER BY id LIMIT 1"


async def test_messages_of_one_key_are_handled_in_the_order_they_were_said(start: Start, probe: Probe) -> None:
    keys = [uuid4() for _ in range(5)]
    async with start(fake("registry"), fake("mail")) as process:
        for n in range(1, 41):
            await say(process, *(credited(n, key) for key in keys))
        await process.drained(10)

    done = await probe.done()
    assert len(done) == 200
    for key in keys:
        assert [n for k, n in done if k == key] == list(range(1, 41))


async def test_a_thousand_messages_of_one_transaction_keep_their_order(start: Start, probe: Probe) -> None:
    key = uuid4()
    async with start(fake("registry"), fake("mail")) as process:
        await say(process, *(credited(n, key) for n in range(1, 1501)))
        await process.drained(10)

    assert await probe.numbers() == list(range(1, 1501))


async def test_what_was_said_before_a_subscriber_came_waits_for_it(start: Start, probe: Probe) -> None:
    async with start(fake("registry")) as process:
        await say(process, credited(1))
    assert await probe.numbers() == []

    async with start(fake("mail")) as process:
        await process.drained(5)

    assert await probe.numbers() == [1]


async def test_nothing_is_marked_done_before_its_effect_commits(start: Start, probe: Probe) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(messages: Sequence[Any], tx: Transaction) -> None:
        await record("mail", messages, tx)
        began.set()
        await may_end.wait()

    async with start(fake("registry"), fake("mail", slowly)) as process:
        await say(process, credited(1))
        await asyncio.wait_for(began.wait(), 5)
        assert len(await probe.deliveries("due")) == 1
        assert await probe.numbers() == []
        may_end.set()
        await process.drained(5)

    assert await probe.numbers() == [1]
    assert await probe.deliveries() == []


async def test_what_failed_is_delivered_again_with_its_rows_and_words_rolled_back(start: Start, probe: Probe) -> None:
    attempts: list[int] = []

    async def failing_at_first(messages: Sequence[Any], tx: Transaction) -> None:
        await record("ledger", messages, tx)
        tx.emit(credited(100))
        attempts.append(len(messages))
        if len(attempts) == 1:
            raise RuntimeError("not yet")

    async with start(fake("registry"), fake("mail"), fake("ledger", failing_at_first)) as process:
        await say(process, scheme())
        await process.drained(5)
        await wait_until(probe.numbers)

    assert attempts == [1, 1]
    assert await probe.numbers("ledger") == [0]
    assert (await probe.numbers()).count(100) == 1


async def test_a_lower_id_that_commits_late_is_still_delivered(start: Start, probe: Probe) -> None:
    key = key_in(3)
    async with start(fake("registry")) as process:
        late, first, second = await say(process, credited(1, key), credited(2, key), credited(3, key))
    await probe.connection.execute("DELETE FROM hub.delivery")
    last = await probe.connection.fetchval("SELECT nextval(pg_get_serial_sequence('hub.delivery', 'id'))")

    async with start(fake("mail")) as process:
        await probe.connection.execute(INSERT_OVER_IDENTITY, last + 10, "mail", 3, [first, second])
        await wait_until(probe.numbers)
        await probe.connection.execute(INSERT_OVER_IDENTITY, last + 5, "mail", 3, [late])
        await process.drained(8)

    assert await probe.numbers() == [2, 3, 1]


async def test_a_run_that_takes_longer_than_a_statement_may_is_done_in_smaller_ones(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "COMMAND_TIMEOUT_S", 1.0)

    async def slowly(messages: Sequence[Any], tx: Transaction) -> None:
        await tx.execute("SELECT pg_sleep($1)", 0.03 * len(messages))
        await record("mail", messages, tx)

    async with start(fake("registry")) as process:
        await say(process, *(credited(n, key_in(3)) for n in range(1, 101)))
        async with start(fake("mail", slowly)):
            await process.drained(40, ["mail"])
    assert await probe.numbers() == list(range(1, 101))


async def test_what_committed_late_goes_before_what_was_said_after_that(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two write for one key, and one of them is slow to commit: whoever says more after its commit comes after it."""
    monkeypatch.setattr("hub.transports.receiver.POLL_S", 30.0)
    key = key_in(3)
    began, both_are_there = asyncio.Event(), asyncio.Event()

    async def a_while(messages: Sequence[Any], tx: Transaction) -> None:
        await record("mail", messages, tx)
        began.set()
        await both_are_there.wait()

    async with start(fake("registry")) as process:
        late, first, after = await say(process, credited(1, key), credited(2, key), credited(3, key))
    await probe.connection.execute("DELETE FROM hub.delivery")
    last = await probe.connection.fetchval("SELECT nextval(pg_get_serial_sequence('hub.delivery', 'id'))")
    await probe.connection.execute(INSERT_OVER_IDENTITY, last + 10, "mail", 3, [first])

    async with start(fake("mail", a_while)) as process:
        await asyncio.wait_for(began.wait(), 5)
        await probe.connection.execute(INSERT_OVER_IDENTITY, last + 5, "mail", 3, [late])
        await probe.connection.execute(INSERT_OVER_IDENTITY, last + 11, "mail", 3, [after])
        both_are_there.set()
        process.receivers_of("mail")[0].wake(3)
        await process.drained(8)

    assert await probe.numbers() == [2, 1, 3]


async def test_a_lower_id_is_delivered_also_while_higher_ones_keep_coming(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_in(3)
    began, late_is_there = asyncio.Event(), asyncio.Event()
    looked = _told_of_looks(monkeypatch)

    async def a_look_long(messages: Sequence[Any], tx: Transaction) -> None:
        await record("mail", messages, tx)
        began.set()
        await late_is_there.wait()
        looked.clear()
        await looked.wait()

    async with start(fake("registry")) as process:
        ids = await say(process, *(credited(n, key) for n in range(1, RUNS * deliveries.FETCH_LIMIT)))
    await probe.connection.execute("DELETE FROM hub.delivery")
    last = await probe.connection.fetchval("SELECT nextval(pg_get_serial_sequence('hub.delivery', 'id'))")
    higher = [(last + 1000 + place, "mail", 3, [message_id]) for place, message_id in enumerate(ids[1:])]
    await probe.connection.executemany(INSERT_OVER_IDENTITY, higher)

    async with start(fake("mail", a_look_long)) as process:
        await asyncio.wait_for(began.wait(), 5)
        await probe.connection.execute(INSERT_OVER_IDENTITY, last + 5, "mail", 3, [ids[0]])
        late_is_there.set()
        await process.drained(20)

    numbers = await probe.numbers()
    assert sorted(numbers) == list(range(1, len(ids) + 1))
    assert numbers.index(1) < (RUNS - 1) * deliveries.FETCH_LIMIT, "it had to wait until the others were done"


def _told_of_looks(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set whenever a receiver has looked for what is due in its lanes."""
    looked, look = asyncio.Event(), deliveries.lanes_with_work

    async def looking(database: Database, receiver: str, lanes: Collection[int]) -> tuple[dict[int, int], bool]:
        found = await look(database, receiver, lanes)
        looked.set()
        return found

    monkeypatch.setattr(deliveries, "lanes_with_work", looking)
    monkeypatch.setattr(receiver_module, "POLL_S", POLL_S)
    return looked


async def test_a_delivery_that_comes_twice_is_done_once(start: Start, probe: Probe) -> None:
    async with start(fake("registry"), fake("mail")) as process:
        receiver = process.receivers_of("mail")[0]
        await wait_until(lambda: len(receiver.lanes.epochs) == LANES)
        ids = await say(process, credited(1, key_in(2)), credited(2, key_in(2)))
        (row,) = await probe.connection.fetch(FETCHED, ids)
        await process.drained(5)
        place = Place("mail", 2, receiver.lanes.epochs[2])
        twice = [Due(row["delivery_id"], 0, process.clock.now(), ids[0], row)]
        with pytest.raises(OwnershipLostError):
            await receiver.handle(place, twice)

    assert await probe.numbers() == [1, 2]
