"""A trace goes through the store and through a broker, and is the same after either."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from hub.deliveries import FETCH, STORED, Due, Stored
from hub.outages import BEGIN, FIRST_HELD
from hub.outbox import MESSAGE_COLUMNS
from hub.tracing import TRACE, Trace, span_of
from hub.transaction import Transaction
from hub.transports.rabbitmq.cloud_events import batch_of, messages_in
from hub.transports.receiver import envelope_of
from schemas.citizens import CitizenRegistered, MailChoices
from schemas.message import Envelope
from tests.hub.parts import Probe, at_work, credited, fake, key_in, notice, say
from tests.hub.transports.conftest import Start
from tests.waiting import wait_until

STORE: Final = "SELECT * FROM hub.message ORDER BY id"
HOLD: Final = "UPDATE hub.delivery SET state = 'held', destination = 'airline'"
WITH_MESSAGES: Final = ("type", "source", "subject", "correlation_id", "parent_span", "time", "body")
CALLER: Final = Trace(UUID(int=7), -7)


async def test_the_trace_of_a_message_goes_to_another_process(start: Start, probe: Probe) -> None:
    seen: list[tuple[Envelope, Trace | None]] = []

    async def notify(messages: Sequence[Any], tx: Transaction) -> None:
        for about, message in enumerate(messages):
            tx.send(notice(message.points, message.citizen_id), about)

    async def send(envelope: Envelope) -> None:
        seen.append((envelope, TRACE.get()))

    async with start(fake("registry")) as saying, start(fake("mail", notify, outside=send)) as hearing:
        await wait_until(lambda: _owns_all(probe))
        TRACE.set(CALLER)
        (event_id,) = await say(saying, credited(1, key_in(1)))
        TRACE.set(None)
        await wait_until(lambda: bool(seen))
        await hearing.drained(5)

    event, command = await probe.connection.fetch(STORE)
    assert (event["id"], event["correlation_id"], event["parent_span"]) == (event_id, *CALLER)
    assert (command["correlation_id"], command["parent_span"]) == (CALLER.trace_id, span_of(event_id))
    ((envelope, trace),) = seen
    assert trace == Trace(CALLER.trace_id, span_of(command["id"]))
    assert envelope.traceparent == trace.traceparent


async def test_what_a_broker_brings_is_what_the_store_has(probe: Probe) -> None:
    async with at_work(probe.url, fake("registry")) as process:
        sealer = process.database_of("registry").sealer
        await say(process, notice(1, key_in(1)))
        for trace in (CALLER, Trace(uuid4(), 1)):
            TRACE.set(trace)
            await say(process, notice(2, key_in(1)), credited(3), registered())
        TRACE.set(None)
    kept = await probe.connection.fetch(STORE)
    ids = [row["id"] for row in kept]

    brought = messages_in(batch_of([tuple(row[name] for name in MESSAGE_COLUMNS) for row in kept]))
    read = {row["id"]: row for row in await probe.connection.fetch(STORED, ids)}

    assert list(brought) == ids
    assert {row["parent_span"] for row in read.values()} == {None, CALLER.span, 1}
    for one in ids:
        assert set(brought[one]) == set(WITH_MESSAGES)
        assert dict(brought[one]) == {name: read[one][name] for name in WITH_MESSAGES}
        by_broker, by_store = (_due(one, row) for row in (brought[one], read[one]))
        assert by_broker.trace == by_store.trace
        assert envelope_of(by_broker, sealer) == envelope_of(by_store, sealer)


async def test_what_is_due_and_what_is_held_tells_who_caused_it(probe: Probe) -> None:
    async with at_work(probe.url, fake("registry")) as process:
        TRACE.set(CALLER)
        await say(process, notice(1, key_in(1)))
        TRACE.set(None)
    (delivery,) = await probe.deliveries()
    receiver, lane = delivery["receiver"], delivery["lane"]
    (kept,) = await probe.connection.fetch(STORE)

    (due,) = await probe.connection.fetch(FETCH, receiver, lane, 0, 10, 10)
    await probe.connection.execute(HOLD)
    await probe.connection.execute(BEGIN, receiver, "airline", "OutsideDownError", 0.0)
    (held,) = await probe.connection.fetch(FIRST_HELD, receiver, "airline", [lane])

    for row in (due, held):
        assert {name: row[name] for name in WITH_MESSAGES} == {name: kept[name] for name in WITH_MESSAGES}
    assert kept["parent_span"] == CALLER.span


def registered() -> CitizenRegistered:
    """Personal, so that its body is sealed."""
    return CitizenRegistered(citizen_id=uuid4(), name="花子", mail="hanako@mail.example", choices=MailChoices())


def _due(message_id: UUID, row: Stored) -> Due:
    return Due(1, 0, row["time"], message_id, row)


async def _owns_all(probe: Probe) -> bool:
    return bool(await probe.owners("mail")) and bool(await probe.owners("mail.outside"))
