"""Spans for an OpenTelemetry collector, by OTLP over HTTP: off, unless MYKEY_OTLP_URL is set.

A request, a call, a run of messages and something done outside is one span, told when it has ended; messages have none
of their own, there are too many. Their ids are those of `hub.tracing`. A run that works for one trace is part of it;
one that works for several is a trace of its own, with links to them. Only here is the extra `otel` imported, and only
where it is asked for: while it is off, a place that could tell a span asks whether `sink` is None, and nothing else.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

from hub.errors import PermanentError
from hub.ids import uuid7
from hub.tracing import TRACE, Trace, span_of
from schemas.message import Message

SERVICE: Final = "mykey-hub"
EXPORT_LIMIT_S: Final = 5.0
"""How long one export may take, and how long the end of the process waits for the collector."""
LINKS_LIMIT: Final = 128
"""The most links of one span; OpenTelemetry's own default."""

COMPONENT: Final = "mykey.component"
MESSAGES: Final = "messaging.batch.message_count"

_LOW: Final = (1 << 64) - 1


class NoTelemetryError(PermanentError):
    """MYKEY_OTLP_URL is set, but the extra is not installed: `pip install '.[otel]'` in the checkout, or unset it."""


@dataclass(frozen=True, slots=True)
class Span:
    """What has ended just now; times in ns since 1970. `error` is the name of what failed, never its words."""

    name: str
    kind: Literal["server", "client", "consumer"]
    trace: Trace
    began_ns: int
    parent: int | None = None
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    links: Sequence[Trace] = ()
    error: str | None = None
    ended_ns: int = field(default_factory=time.time_ns)


Sink = Callable[[Span], None]
sink: Sink | None = None
"""Who wants to hear of spans. Nobody, mostly."""
OFF: Final[AbstractContextManager[None]] = nullcontext()
"""For `with`, where nobody does."""


@contextmanager
def call(messages: Sequence[Message], trace: Trace) -> Iterator[None]:
    """Calls made together: a span under the request's, or, where nobody's trace is gone on with, the trace's first."""
    is_first = TRACE.get() is None
    made = trace if is_first else Trace(trace.trace_id, span_of(uuid7()))
    name = f"call {type(messages[0]).__name__}" if messages else "call"
    with _timed(name, made, None if is_first else trace.span, {MESSAGES: len(messages)}):
        yield


@contextmanager
def outside(component: str, trace: Trace) -> Iterator[None]:
    """A message done outside: the span is the message's own, so that what it asks for is caused by it.

    A failed try has one of its own: the message will have another.
    """
    with _timed(f"{component} outside", trace, None, {COMPONENT: component, MESSAGES: 1}):
        yield


@contextmanager
def _timed(name: str, trace: Trace, parent: int | None, attributes: Mapping[str, str | int]) -> Iterator[None]:
    began_ns = time.time_ns()
    failed: BaseException | None = None
    try:
        yield
    except BaseException as error:
        failed = error
        raise
    finally:
        if sink is not None:
            made = trace if failed is None else Trace(trace.trace_id, span_of(uuid7()))
            sink(Span(name, "client", made, began_ns, parent=parent, attributes=attributes, error=_name(failed)))


def run_span(component: str, way: str, traces: Sequence[Trace], began_ns: int, error: BaseException | None) -> Span:
    """A run of messages through a component's handlers."""
    distinct = list(dict.fromkeys(traces))
    trace_ids = {trace.trace_id for trace in distinct}
    made = uuid7()
    trace = Trace(trace_ids.pop(), span_of(made)) if len(trace_ids) == 1 else Trace.begun_by(made)
    parent = None
    if len(distinct) == 1 and way == "call":
        parent = distinct[0].span
    elif len(traces) == 1 and error is None:
        trace = traces[0]  # so that what it said is caused by this very span
    return Span(
        name=f"{component} {way}",
        kind="consumer",
        trace=trace,
        parent=parent,
        began_ns=began_ns,
        attributes={COMPONENT: component, MESSAGES: len(traces)},
        links=distinct[:LINKS_LIMIT] if len(distinct) > 1 else (),
        error=_name(error),
    )


def _name(error: BaseException | None) -> str | None:
    return None if error is None else type(error).__qualname__


@asynccontextmanager
async def exporting(url: str | None, instance: UUID) -> AsyncIterator[None]:
    """Send spans to the collector at `url` (such as http://127.0.0.1:4318/v1/traces) meanwhile; None: to nobody.

    What the collector does not take in time is dropped; the work goes on. Raises NoTelemetryError.
    """
    global sink  # noqa: PLW0603 - one exporter a process, asked for at every span
    if url is None:
        yield
        return
    sink, close = _exporter(url, instance)
    try:
        yield
    finally:
        sink = None
        # In a thread of its own: one that waits for a silent collector for longer keeps no process from ending.
        closing = threading.Thread(target=close, daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, EXPORT_LIMIT_S)


def _exporter(url: str, instance: UUID) -> tuple[Sink, Callable[[], None]]:
    try:
        from opentelemetry import trace as otel  # noqa: PLC0415 - an extra, see above
        from opentelemetry.context import Context  # noqa: PLC0415 - the same
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - the same
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.id_generator import IdGenerator  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415 - the same
    except ImportError as error:
        raise NoTelemetryError from error

    class Ids(IdGenerator):
        """Gives the span that is being made the ids it has already."""

        given = Trace(UUID(int=1), 1)

        def generate_trace_id(self) -> int:
            return self.given.trace_id.int

        def generate_span_id(self) -> int:
            return self.given.span & _LOW

    ids = Ids()
    resource = Resource.create({"service.name": SERVICE, "service.instance.id": str(instance)})
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=EXPORT_LIMIT_S)))
    tracer = provider.get_tracer(SERVICE)
    kinds = {kind.name.lower(): kind for kind in otel.SpanKind}

    def context_of(trace_id: UUID, span: int) -> otel.SpanContext:
        flags = otel.TraceFlags(otel.TraceFlags.SAMPLED)
        return otel.SpanContext(trace_id.int, span & _LOW, is_remote=True, trace_flags=flags)

    def tell(span: Span) -> None:
        ids.given = span.trace
        context = Context()
        if span.parent is not None:
            caller = otel.NonRecordingSpan(context_of(span.trace.trace_id, span.parent))
            context = otel.set_span_in_context(caller, context)
        made = tracer.start_span(
            span.name,
            context,
            kinds[span.kind],
            attributes={**span.attributes, **({} if span.error is None else {"error.type": span.error})},
            links=[otel.Link(context_of(*link)) for link in span.links],
            start_time=span.began_ns,
        )
        if span.error is not None:
            made.set_status(otel.StatusCode.ERROR)
        made.end(span.ended_ns)

    return tell, provider.shutdown
