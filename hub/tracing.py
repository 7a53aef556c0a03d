"""One trace for a request and all that comes of it, after W3C Trace Context, version 00.

The trace id is the correlation id of the message store: the same 16 bytes, once as 32 hexadecimal characters, once as
a UUID. A span is a request or a message; its id is the last half of the request's or message's own id, so that none
has to be drawn or kept. `tracestate` is not carried on: it holds other companies' data, which we would have to keep
with every message and hand to third parties.
"""

import re
from contextvars import ContextVar
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from schemas.ids import CheapUUID
from schemas.message import traceparent

HEADER: Final = "traceparent"
ANSWER_HEADER: Final = "traceresponse"
"""How a server tells its trace: the same value, under the name of W3C's draft on response headers."""

_LOW: Final = (1 << 64) - 1
_SIGN: Final = 1 << 63
_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_FIRST_VERSION: Final = "00"
_NO_VERSION: Final = "ff"
_NO_TRACE: Final = "0" * 32


class Trace(NamedTuple):
    """Where we are: the trace, and the span by which what is said next is caused (signed, as bigint has it)."""

    trace_id: UUID
    span: int

    @classmethod
    def begun_by(cls, made: UUID) -> "Trace":
        """A trace that begins with a request, call or message of this id."""
        return cls(made, span_of(made))

    @property
    def traceparent(self) -> str:
        """As a header says it."""
        return traceparent(self.trace_id, self.span)


class Traced(Protocol):
    """Whatever has a trace: it is asked for only where something comes of it."""

    @property
    def trace(self) -> Trace:
        """What is said because of it is of this trace, and caused by this span."""


TRACE: Final[ContextVar[Trace | None]] = ContextVar("trace", default=None)
"""The trace of what is being done here; set by whatever took it in: a door, a call, an outside message."""


def span_of(made: UUID) -> int:
    """The span of a request or a message, by its id."""
    return ((made.int & _LOW) ^ _SIGN) - _SIGN


def parse(text: str) -> Trace | None:
    """The caller's trace and span; None where this is no traceparent, so that a new trace begins.

    A version after ours is read as far as we know it, as the specification asks.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    version, trace_id, span, more = found.groups()
    if version == _NO_VERSION or (version == _FIRST_VERSION and more is not None):
        return None
    parent = int(span, 16)
    return Trace(CheapUUID(trace_id), (parent ^ _SIGN) - _SIGN) if parent and trace_id != _NO_TRACE else None
