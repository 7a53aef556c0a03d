"""A trace is taken from a caller, or begun, and goes along with all that comes of it."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
import structlog

from hub import logs
from hub.ids import uuid7
from hub.tracing import TRACE, Trace, parse, span_of
from hub.transaction import Transaction
from schemas.message import Envelope
from schemas.points import PostingAnswer
from tests.hub.parts import Probe, at_work, credit, credited, fake, key_in, notice, posted, say

ID: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN: Final = "00f067aa0ba902b7"
MESSAGES: Final = "SELECT id, type, correlation_id, parent_span FROM hub.message ORDER BY id"


@pytest.mark.parametrize(
    "text",
    [
        f"00-{ID}-{SPAN}-01",
        f"00-{ID}-{SPAN}-00",
        f"00-{ID}-{SPAN}-ff",
        f"cc-{ID}-{SPAN}-01",
        f"cc-{ID}-{SPAN}-01-what-the-future-holds",
    ],
)
def test_a_callers_trace_is_gone_on_with(text: str) -> None:
    assert parse(text) == Trace(UUID(ID), int(SPAN, 16))


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"00-{ID}-{SPAN}",
        f"00-{ID}-{SPAN}-01-",
        f"00-{ID}-{SPAN}-01-more",
        f"00-{ID}-{SPAN}-01\n",
        f" 00-{ID}-{SPAN}-01",
        f"cc-{ID}-{SPAN}-01.what",
        f"ff-{ID}-{SPAN}-01",
        f"0-{ID}-{SPAN}-01",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{ID}-{SPAN.upper()}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID[1:]}-{SPAN}-01",
        f"00-{ID}-{SPAN}-0",
        f"00-{ID}-{SPAN}-0x",
        f"00-{ID[:-1]}４-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(text: str) -> None:
    assert parse(text) is None


def test_a_trace_is_said_as_it_was_heard() -> None:
    for text in (f"00-{ID}-{SPAN}-01", f"00-{ID}-f{SPAN[1:]}-01"):
        trace = parse(text)
        assert trace is not None
        assert trace.traceparent == text


def test_a_span_is_the_last_half_of_an_id_as_postgresql_has_it() -> None:
    made = uuid7()

    assert span_of(made) == int.from_bytes(made.bytes[8:], "big", signed=True)
    assert span_of(UUID(int=5)) == 5


def test_an_envelope_tells_the_trace_and_the_message_as_what_causes_the_next() -> None:
    message_id, trace_id = uuid7(), uuid4()
    envelope = Envelope(message_id, "mail", "t", datetime.now(UTC), message_id, trace_id, credited(1))

    assert envelope.traceparent == f"00-{trace_id.hex}-{message_id.hex[16:]}-01"
    assert parse(envelope.traceparent) == Trace(trace_id, span_of(message_id))


async def test_every_message_tells_what_caused_it(probe: Probe) -> None:
    async def notify(messages: Sequence[Any], tx: Transaction) -> None:
        for about in range(len(messages)):
            tx.send(notice(1), about)

    async with at_work(probe.url, fake("partner"), fake("mail", notify)) as process:
        (first,) = await say(process, credited(1))
        await process.drained(5)

    root, child = await probe.connection.fetch(MESSAGES)
    assert (root["id"], root["correlation_id"], root["parent_span"]) == (first, first, None)
    assert (child["correlation_id"], child["parent_span"]) == (first, span_of(first))


async def test_what_is_said_in_a_request_is_of_its_trace(probe: Probe) -> None:
    trace = Trace(UUID(ID), 5)
    async with at_work(probe.url, fake("partner")) as process:
        TRACE.set(trace)
        await say(process, credited(1))
        await process.bus.send([credit(1)])

    assert [Trace(*row[2:]) for row in await probe.connection.fetch(MESSAGES)] == [trace, trace]


async def test_what_an_outside_handler_asks_is_of_its_messages_trace(probe: Probe) -> None:
    async with at_work(probe.url, fake("registry")) as process:

        async def ask(_envelope: Envelope) -> None:
            await process.bus.call(credit(1), 5.0)

        async def saying(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer]:
            tx.emit(credited(1))
            return [posted(1) for _ in messages]

        async with at_work(probe.url, fake("mail", outside=ask)), at_work(probe.url, fake("ledger", saying)) as ledger:
            (first,) = await say(process, notice(1))
            await ledger.drained(5)
            await _until(probe, 2)

    _, child = await probe.connection.fetch(MESSAGES)
    assert (child["correlation_id"], child["parent_span"]) == (first, span_of(first))


async def _until(probe: Probe, count: int) -> None:
    async with asyncio.timeout(5):
        while await probe.connection.fetchval("SELECT count(*) FROM hub.message") < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_lane_works_in_the_name_of_nobody_who_woke_it(probe: Probe) -> None:
    seen: list[dict[str, Any]] = []

    async def look(messages: Sequence[Any], _tx: Transaction) -> list[PostingAnswer]:
        seen.append(structlog.contextvars.get_contextvars() | {"trace": TRACE.get()})
        return [posted(1) for _ in messages]

    async with at_work(probe.url, fake("ledger", look)) as process:
        TRACE.set(Trace(UUID(ID), 5))
        with structlog.contextvars.bound_contextvars(request_id="r1"):
            await process.bus.call(credit(1, key_in(1)), 5.0)

    assert seen == [{"trace": None}]


def test_a_line_of_the_log_names_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    structlog.get_logger().info("before")
    TRACE.set(Trace(UUID(ID), 5))
    structlog.get_logger().info("within")

    before, within = map(json.loads, capsys.readouterr().err.splitlines())
    assert "trace_id" not in before
    assert within["trace_id"] == ID
    TRACE.set(None)
