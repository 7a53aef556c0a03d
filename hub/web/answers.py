"""What every answer of every door has: a reference number, security headers, a line in the log, a count."""

import secrets
from collections.abc import Mapping
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import Histogram

from hub import telemetry
from hub.tracing import ANSWER_HEADER, HEADER, TRACE, parse
from hub.web.problems import ProblemError, Reference, problem_error
from schemas.problems import ProblemCode

REFERENCE: Final = web.RequestKey("reference", Reference)
HSTS_MAX_AGE_S: Final = 63_072_000
SERVER_ERROR: Final = 500
SWITCHED: Final = 101
"""A WebSocket, which lasts for hours: no measure of how long an answer takes."""
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": f"max-age={HSTS_MAX_AGE_S}; includeSubDomains",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
}
"""On every answer, unless its handler set one of them itself (a page's own nonce policy)."""

_SECONDS: Final = Histogram(
    "mykey_http_seconds",
    "Time from a request's header to the end of its answer.",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)

_log: Final = structlog.get_logger()


def new_nonce() -> str:
    """A nonce for one page."""
    return secrets.token_urlsafe(16)


def page_policy(nonce: str) -> str:
    """The Content-Security-Policy of a page whose one style sheet and script carry `nonce`."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )


def begin(request: web.Request) -> Reference:
    """Give the request its reference number, and go on with the caller's trace or begin one."""
    given = request.headers.getall(HEADER, [])
    reference = Reference.new(parse(given[0]) if len(given) == 1 else None)
    TRACE.set(reference.trace)
    request[REFERENCE] = reference
    structlog.contextvars.bind_contextvars(request_id=str(reference.request_id))
    return reference


def refused(request: web.Request, error: Exception) -> ProblemError:
    """The problem to answer with.

    What we did not expect is logged in full and told as a reference number only.
    """
    problem = problem_error(error)
    if isinstance(error, web.RequestPayloadError | ConnectionError) and request.transport is None:
        raise ConnectionResetError("client gone") from error
    if problem.code is ProblemCode.internal:
        _log.error("web_request_failed", method=request.method, route=route_of(request), exc_info=error)
    elif problem.status >= SERVER_ERROR:
        _log.warning(
            "web_request_put_off",
            code=problem.code.value,
            route=route_of(request),
            reason=type(error).__name__,
        )
    if request.writer.output_size > 0:
        # Half of another answer is on the wire: only a cut connection can still tell that it is not whole.
        raise ConnectionResetError("answer begun") from error
    return problem


def route_of(request: web.Request) -> str:
    """The route's pattern, never the address itself: that may hold ids. Unknown addresses are all one."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def observe(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    """Count and log an answer, by its route."""
    route = route_of(request)
    if telemetry.sink is not None:
        telemetry.sink(_span(request, route, response.status))
    if response.status != SWITCHED:
        _SECONDS.labels(request.method if route != "unknown" else "any", route, str(response.status)).observe(seconds)
    _log.info(
        "web_request_done",
        method=request.method,
        route=route,
        status=response.status,
        ms=round(seconds * 1e3, 1),
    )


def _span(request: web.Request, route: str, status: int) -> telemetry.Span:
    reference = request[REFERENCE]
    return telemetry.Span(
        name=f"{request.method} {route}",
        kind="server",
        trace=reference.trace,
        parent=reference.caller_span,
        began_ns=reference.began_ns,
        attributes={
            "http.request.method": request.method,
            "http.route": route,
            "http.response.status_code": status,
            "mykey.request_id": str(reference.request_id),
        },
        error=str(status) if status >= SERVER_ERROR else None,
    )


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Before any answer of the application leaves (aiohttp's signal)."""
    dress(response, request[REFERENCE])


def dress(response: web.StreamResponse, reference: Reference) -> None:
    """Our request id and trace, the security headers, a charset; no word about our software's versions."""
    response.headers["X-Request-Id"] = str(reference.request_id)
    response.headers[ANSWER_HEADER] = reference.trace.traceparent
    response.headers["Server"] = "mykey-hub"
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if response.content_type.startswith("text/") and response.charset is None:
        response.charset = "utf-8"
