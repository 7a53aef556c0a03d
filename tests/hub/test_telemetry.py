"""What an OpenTelemetry collector is told, and that nobody is told anything while it is off."""

import asyncio
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from hub import telemetry
from hub.errors import PermanentError
from hub.ids import uuid7
from hub.telemetry import LINKS_LIMIT, NoTelemetryError, exporting, run_span
from hub.tracing import Trace
from hub.transaction import Transaction
from schemas.message import Envelope
from schemas.points import PostingAnswer
from tests.hub.collector import attributes, collecting
from tests.hub.parts import Probe, at_work, credit, fake, key_in, notice, posted, say
from tests.hub.web.serving import MEMBER, audience, route, serving

DEADLINE_S: Final = 5.0
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER: Final = "00f067aa0ba902b7"
TRACEPARENT: Final = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


async def _post(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer]:
    for about, message in enumerate(messages):
        tx.send(notice(message.points, message.citizen_id), about)
    return [posted(message.points) for message in messages]


async def _send(envelope: Envelope) -> None:
    if getattr(envelope.message, "points", 0) == 13:
        raise PermanentError("someone@mail.example is not there")


async def test_a_request_and_all_that_comes_of_it_is_one_trace(probe: Probe) -> None:
    with collecting() as collector:
        async with (
            exporting(collector.url, uuid4()),
            at_work(probe.url, fake("ledger", _post), fake("mail", outside=_send)) as process,
        ):

            async def use(_request: web.Request) -> web.Response:
                await process.bus.call(credit(1), DEADLINE_S)
                return web.json_response({})

            points = route(audience=audience(), method="POST", path="/points/{id}", handler=use)
            async with serving([points]) as (_, client):
                await client.post("/api/test/points/5", headers=MEMBER | TRACEPARENT)
            await process.drained(DEADLINE_S)

    request = collector.named("POST /api/test/points/{id}")
    call, run, mail = (collector.named(name) for name in ("call CreditPoints", "ledger call", "mail outside"))
    assert {span.trace_id.hex() for span in (request, call, run, mail)} == {TRACE}
    assert request.parent_span_id.hex() == CALLER
    assert {call.parent_span_id, run.parent_span_id} == {request.span_id}
    assert mail.parent_span_id == b""
    said = await probe.connection.fetchval("SELECT id FROM hub.message")
    assert mail.span_id == said.bytes[8:], "the mail's span is the message's own"
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(run)["messaging.batch.message_count"] == 1
    began, ended = request.start_time_unix_nano, request.end_time_unix_nano
    assert began <= call.start_time_unix_nano <= call.end_time_unix_nano <= ended <= time.time_ns()
    assert {one["service.name"] for one in collector.resources} == {"mykey-hub"}


async def test_what_failed_is_told_by_its_kind_never_by_its_words(probe: Probe) -> None:
    with collecting() as collector:
        async with exporting(collector.url, uuid4()), at_work(probe.url, fake("mail", outside=_send)) as process:
            (said,) = await say(process, notice(13))
            await process.drained(DEADLINE_S)

    failed = collector.named("mail outside")
    assert failed.status.code == failed.status.STATUS_CODE_ERROR
    assert attributes(failed)["error.type"] == "PermanentError"
    assert failed.trace_id == said.bytes
    assert failed.span_id != said.bytes[8:], "the next try will be a span too"
    assert b"mail.example" not in failed.SerializeToString()


async def test_a_run_for_several_traces_links_to_them(probe: Probe) -> None:
    with collecting() as collector:
        async with exporting(collector.url, uuid4()), at_work(probe.url, fake("ledger", _post)) as process:
            calls = [process.bus.call(credit(n, key_in(1)), DEADLINE_S) for n in (1, 2, 3)]
            await asyncio.gather(*calls)

    runs = [span for span in collector.spans if span.name == "ledger call"]
    calls_told = {span.trace_id for span in collector.spans if span.name == "call CreditPoints"}
    linked = {link.trace_id for span in runs for link in span.links} | {span.trace_id for span in runs}
    assert len(calls_told) == 3
    assert calls_told <= linked
    assert sum(int(attributes(span)["messaging.batch.message_count"]) for span in runs) == 3


def test_a_run_has_at_most_so_many_links() -> None:
    span = run_span("ledger", "call", [Trace.begun_by(uuid7()) for _ in range(500)], 5, None)

    assert len(span.links) == LINKS_LIMIT
    assert span.parent is None


def test_a_delivered_run_of_one_trace_is_part_of_it() -> None:
    trace_id = uuid7()
    one = run_span("mail", "delivery", [Trace(trace_id, 5)], 5, None)
    many = run_span("mail", "delivery", [Trace(trace_id, 5), Trace(trace_id, 6)], 5, None)

    assert (one.trace, one.links) == (Trace(trace_id, 5), ())
    assert many.trace.trace_id == trace_id
    assert list(many.links) == [Trace(trace_id, 5), Trace(trace_id, 6)]


@pytest.mark.loopback
async def test_a_collector_that_is_away_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "EXPORT_LIMIT_S", 0.5)
    began_s = time.monotonic()
    async with exporting("http://127.0.0.1:9/v1/traces", uuid4()):
        assert telemetry.sink is not None
        telemetry.sink(run_span("ledger", "call", [Trace.begun_by(uuid7())], 5, None))
    assert time.monotonic() - began_s < 5


@pytest.mark.loopback
async def test_a_collector_that_says_nothing_does_not_hold_the_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "EXPORT_LIMIT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        async with exporting(url, uuid4()):
            assert telemetry.sink is not None
            for _ in range(2_000):
                telemetry.sink(run_span("ledger", "call", [Trace.begun_by(uuid7())], 5, None))
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 3 * telemetry.EXPORT_LIMIT_S


async def test_while_it_is_off_nobody_is_told_and_nothing_is_imported() -> None:
    program = "import sys, hub.serving; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
    async with exporting(None, uuid4()):
        assert telemetry.sink is None


async def test_without_the_extra_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(NoTelemetryError, match=r"install '\.\[otel\]'` in the checkout"):
        async with exporting("http://127.0.0.1:9/v1/traces", UUID(int=1)):
            pass
