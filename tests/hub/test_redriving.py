"""What operators do to what waits: tried afresh, with a note, or replaced by an edited copy."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from hub import redriving, store
from hub.clock import SystemClock
from hub.database import Database
from hub.errors import PermanentError
from hub.keys import Keys
from hub.redriving import NoSuchDeliveryError, NotParkedError, Parked
from hub.sealing import PURPOSE
from hub.store import DeliveryState, NoSuchMessageError
from hub.tracing import TRACE as TRACE_HERE
from hub.tracing import Trace
from hub.transaction import Transaction
from tests.hub.parts import Probe, at_work, credited, fake, key_in, record, say, scheme
from tests.running import SECRET_KEY
from tests.waiting import wait_until

FILL: Final = """
INSERT INTO hub.delivery (receiver, lane, state, message_ids, attempts, reason, fingerprint)
SELECT 'mail', n % 16, 'parked', ARRAY[gen_random_uuid()], 5, 'KeyError at x.py f', 'abcdefabcdef'
FROM generate_series(1, $1) AS n
"""
TRACE: Final = Trace(UUID(int=5), -5)
TRACES: Final = "SELECT correlation_id, parent_span FROM hub.message WHERE id = ANY ($1)"
SCHEDULE: Final = "UPDATE hub.delivery SET state = 'scheduled', due_at = now() + interval '1 hour' WHERE id = $1"


@pytest.fixture
async def database(probe: Probe) -> AsyncIterator[Database]:
    """The owner's way to the message store."""
    made = Database("operations", probe.url, 2, SystemClock(), Keys(SECRET_KEY.encode()).sealer(PURPOSE))
    await made.open()
    yield made
    await made.close()


async def _park(probe: Probe, *numbers: int) -> list[UUID]:
    """Messages 1 to 3 for mail, of which these are parked; returns their ids."""

    async def handle(messages: Sequence[Any], tx: Transaction) -> None:
        await record("mail", messages, tx)
        if any(message.points in numbers for message in messages):
            raise PermanentError("closed")

    async with at_work(probe.url, fake("registry"), fake("mail", handle)) as process:
        ids = await say(process, *(credited(n, key_in(n)) for n in (1, 2, 3)))
        await wait_until(lambda: _parked(probe, len(numbers)))
        await process.drained(5)
    return ids


async def _parked(probe: Probe, count: int) -> bool:
    return len(await probe.deliveries("parked")) == count


async def _redrive(database: Database, what: Parked) -> list[int]:
    """How many deliveries each batch let go."""
    async with database.transaction() as tx:
        extent = await redriving.extent(tx, what)
        found = []
        while moved := await redriving.redrive(tx, what, extent.last):
            found.append(len(moved))
    assert sum(found) == extent.total
    return found


async def test_one_delivery_is_redriven(probe: Probe, database: Database) -> None:
    ids = await _park(probe, 1, 3)
    first, second = sorted(await store.waiting(database, "parked"), key=lambda one: ids.index(one.message_ids[0]))

    assert await _redrive(database, Parked(delivery_id=first.id)) == [1]

    (again,) = await store.waiting(database, "due")
    assert (again.message_ids, again.attempts, again.since) == ([ids[0]], 0, first.since)
    assert [one.id for one in await store.waiting(database, "parked")] == [second.id]
    async with at_work(probe.url, fake("mail")) as process:
        await process.drained(5)
    assert await probe.numbers() == [2, 1]


async def test_a_scheduled_delivery_can_be_hurried(probe: Probe, database: Database) -> None:
    await _park(probe, 1)
    (waiting,) = await store.waiting(database, "parked")
    await probe.connection.execute(SCHEDULE, waiting.id)

    assert await _redrive(database, Parked(delivery_id=waiting.id)) == [1]

    assert len(await store.waiting(database, "due")) == 1


async def test_a_group_is_redriven_in_batches_and_others_stay(probe: Probe, database: Database) -> None:
    await _park(probe, 1)
    await probe.connection.execute(FILL, 1200)

    assert await _redrive(database, Parked(fingerprint="abcdefabcdef")) == [500, 500, 200]

    assert len(await store.waiting(database, "parked")) == 1


async def test_what_fails_again_is_not_redriven_for_ever(probe: Probe, database: Database) -> None:
    await _park(probe, 1, 2, 3)
    async with database.transaction() as tx:
        extent = await redriving.extent(tx, Parked())
    await probe.connection.execute(FILL, 3)

    async with database.transaction() as tx:
        assert len(await redriving.redrive(tx, Parked(), extent.last)) == 3
        assert await redriving.redrive(tx, Parked(), extent.last) == []

    assert len(await store.waiting(database, "parked")) == 3


async def test_a_note_stays_with_a_delivery_through_a_redrive(probe: Probe, database: Database) -> None:
    await _park(probe, 1)
    (waiting,) = await store.waiting(database, "parked")

    async with database.transaction() as tx:
        await redriving.add_note(tx, waiting.id, "市に確認中")
    assert (await store.parked(database))[0].note == "市に確認中"
    await _redrive(database, Parked(delivery_id=waiting.id))

    assert (await store.waiting(database, "due"))[0].note == "市に確認中"


async def test_a_note_needs_its_delivery(database: Database) -> None:
    with pytest.raises(NoSuchDeliveryError):
        async with database.transaction() as tx:
            await redriving.add_note(tx, 12345, "where?")


async def test_an_edited_copy_goes_to_whoever_has_the_original_parked(probe: Probe, database: Database) -> None:
    async def refuse(*_: object) -> None:
        raise PermanentError("no such municipality")

    async with at_work(probe.url, fake("registry"), fake("ledger"), fake("mail", refuse)) as process:
        TRACE_HERE.set(TRACE)
        (original,) = await say(process, scheme())
        await wait_until(lambda: _parked(probe, 1))
        await process.drained(5)
    edited = scheme().model_copy(update={"point_name": "さっぽろポイント"})

    async with database.transaction() as tx:
        copy_id, receivers = await redriving.replace(tx, original, edited)

    assert receivers == ["mail"], "the ledger had done it"
    assert copy_id != original
    traces = await probe.connection.fetch(TRACES, [original, copy_id])
    assert [(row["correlation_id"], row["parent_span"]) for row in traces] == [TRACE, TRACE]
    way = await store.way_of(database, copy_id)
    assert [(one.id, one.source) for one in way.chain] == [(original, "registry"), (copy_id, "operations")]
    assert [(one.message_id, one.receiver, one.state) for one in way.deliveries] == [
        (original, "ledger", DeliveryState.done),
        (original, "mail", DeliveryState.replaced),
        (copy_id, "mail", DeliveryState.due),
    ]
    assert await probe.deliveries("parked") == []
    async with at_work(probe.url, fake("ledger"), fake("mail")) as process:
        await process.drained(5)
    assert len(await probe.done("ledger")) == len(await probe.done("mail")) == 1


async def test_only_what_is_parked_is_replaced_and_only_once(probe: Probe, database: Database) -> None:
    parked, done, _ = await _park(probe, 1)
    async with database.transaction() as tx:
        await redriving.replace(tx, parked, credited(4))

    for original, refusal in ((parked, NotParkedError), (done, NotParkedError), (uuid4(), NoSuchMessageError)):
        with pytest.raises(refusal):
            async with database.transaction() as tx:
                await redriving.replace(tx, original, credited(5))
    assert len(await probe.deliveries()) == 1
