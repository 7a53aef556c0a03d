"""The message store for operators: found by what people know, one message's way, what is parked, redrive."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from hub import store
from hub.clock import SystemClock
from hub.database import Database
from hub.errors import PermanentError
from hub.keys import Keys
from hub.sealing import PURPOSE
from hub.store import DeliveryState, NoSuchMessageError, Search
from hub.transaction import Transaction
from schemas.citizens import CheckMyKeyId
from tests.hub.parts import Probe, at_work, credited, fake, key_in, posted, record, say, scheme
from tests.waiting import wait_until


@pytest.fixture
async def database(probe: Probe) -> AsyncIterator[Database]:
    """The owner's way to the message store."""
    sealer = Keys(b"only for tests: 0123456789abcdef").sealer(PURPOSE)
    made = Database("hub", probe.url, 1, SystemClock(), sealer)
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


async def test_messages_are_found_by_whatever_is_known_of_them(probe: Probe, database: Database) -> None:
    key = uuid4()
    async with at_work(probe.url, fake("registry")) as process:
        first, second = await say(process, credited(1, key), credited(2))
        (third,) = await say(process, scheme())

    async def found(**wanted: Any) -> list[UUID]:  # noqa: ANN401 - as Search has them
        return [one.id for one in await store.search(database, Search(**wanted))]

    now = datetime.now(UTC)
    assert await found() == [third, second, first]
    assert await found(limit=1) == [third]
    assert await found(type=scheme().TYPE) == [third]
    assert await found(subject=key) == [first]
    assert await found(correlation_id=second) == [second]
    assert await found(business_key="c2") == [second]
    assert await found(subject=key, business_key="c2") == []
    assert await found(since=now - timedelta(hours=1), until=now + timedelta(hours=1)) == [third, second, first]
    assert await found(since=now + timedelta(hours=1)) == []
    assert await found(until=now - timedelta(hours=1)) == []


async def test_a_body_is_shown_unless_it_may_be_personal(probe: Probe, database: Database) -> None:
    event = credited(1)
    personal = CheckMyKeyId(enrolment_id=uuid4(), mykey_id="KLMN0123")
    async with at_work(probe.url, fake("registry")) as process:
        shown, masked = await say(process, event, personal)
        (unknown,) = await say(process, credited(2))
    await probe.connection.execute("UPDATE hub.message SET type = 'jp.mykey.gone.v1' WHERE id = $1", unknown)

    bodies = {one.id: one.data for one in await store.search(database, Search())}

    assert bodies[shown] == event.model_dump(mode="json")
    assert bodies[masked] is None
    assert bodies[unknown] is None


async def test_the_way_of_a_message_is_all_that_came_of_it_and_what_still_waits(
    probe: Probe, database: Database
) -> None:
    async def saying(messages: Sequence[Any], tx: Transaction) -> list[Any]:
        for number in range(len(messages)):
            tx.emit(credited(9), number)
        return [posted(1) for _ in messages]

    async with at_work(probe.url, fake("registry"), fake("ledger", saying)) as process:
        (began,) = await say(process, scheme())
        await say(process, credited(5))
        await process.drained(5)

    way = await store.way_of(database, began)

    assert way.message.id == began
    assert [one.type for one in way.chain] == [scheme().TYPE, credited(9).TYPE]
    assert sorted((one.receiver, one.state) for one in way.waiting) == [("mail", "due"), ("mail", "due")]
    assert (await store.way_of(database, way.chain[1].id)).chain == way.chain
    by_ledger, *others = way.deliveries
    assert (by_ledger.receiver, by_ledger.state) == ("ledger", DeliveryState.done)
    assert [(one.receiver, one.state) for one in others] == [("mail", DeliveryState.due)] * 2


async def test_an_unknown_message_is_said_to_be_unknown(database: Database) -> None:
    with pytest.raises(NoSuchMessageError):
        await store.way_of(database, uuid4())


async def test_what_is_parked_is_grouped_by_kind_of_failure(probe: Probe, database: Database) -> None:
    await _park(probe, 1, 3)

    (group,) = await store.parked(database)

    assert (group.receiver, group.messages) == ("mail", 2)
    assert group.reason == "PermanentError: closed"
    assert group.types == [credited(1).TYPE]
    assert len(await store.waiting(database, "parked", group.fingerprint)) == 2
    assert await store.waiting(database, "parked", "0" * 12) == []


async def test_counts_are_of_messages_by_receiver(probe: Probe, database: Database) -> None:
    await _park(probe, 1)
    async with at_work(probe.url, fake("registry")) as process:
        await say(process, *(credited(n, key_in(1)) for n in range(10)), scheme())

    found = {one.receiver: (one.due, one.scheduled, one.parked) for one in await store.counts(database)}

    assert found == {"ledger": (1, 0, 0), "mail": (11, 0, 1)}


async def test_how_long_the_oldest_waits_is_asked_of_what_is_due(probe: Probe, database: Database) -> None:
    await _park(probe, 1)

    (mail,) = await store.counts(database)

    assert (mail.parked, mail.oldest) == (1, None), "what is parked waits for a person"
