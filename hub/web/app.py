"""The table of all HTTP routes, and the guard before every handler.

A connector says *what* it serves as a list of `Route`s; how a request is let in is the same for all of them
and is written here once: place in the waiting room, who is asking, how often, with which permission and which
query.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from aiohttp import WSCloseCode, web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, JsonValue, ValidationError

from hub.errors import PermanentError
from hub.web.addresses import PROXIES, Network, address_of
from hub.web.answers import add_headers, begin, observe, refused
from hub.web.backlog import Backlog
from hub.web.limits import AtOnce, RateLimiter, WaitingRoom
from hub.web.problems import ProblemError, Reference, problem_error, problem_response
from hub.web.validation import field_errors
from schemas.parties import NO_LIMITS, PartyLimits
from schemas.problems import FieldError, ProblemCode

PUBLIC: Final = "public"
"""The permission of a route that anybody may call; it too must be said."""

UNREAD_BODY_LIMIT_BYTES: Final = 64 * 1024
"""For aiohttp's own reading, which no handler uses."""
QUERY_FIELDS_LIMIT: Final = 32
FIRST_ERROR: Final = 400

_log: Final = structlog.get_logger()

Query = TypeVar("Query", bound=BaseModel)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RouteTableError(PermanentError):
    """The table of HTTP routes is not in order: nothing is served until it is mended."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, once that is proven."""

    party_id: UUID
    permissions: frozenset[str] = frozenset()
    limits: PartyLimits = NO_LIMITS
    """What was agreed with this one, where it is a party."""


class Authenticate(Protocol):
    """Proves who is asking, without reading the body."""

    async def __call__(self, request: web.Request, /) -> Caller:
        """Raises ProblemError signature or login (401)."""


class Trouble(Protocol):
    """Tells a person that a request was not done; programs get problem details (RFC 9457)."""

    def __call__(self, request: web.Request, error: ProblemError, reference: Reference, /) -> web.Response:
        """The page, or the way to another one. Nothing of the request's body may be read any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Audience:
    """Those who come in by one door.

    A path prefix of their own, one way to prove who they are, their own limits.

    `security` are OpenAPI security scheme objects, by name; `unproven` is the 401 it answers. An audience
    without `authenticate` has public routes only. `rate` and `at_once` count by caller, or on public routes by address;
    `address_rate` counts by address (hub.web.addresses) before anybody is known: what does not get in costs too.
    `trouble` is for an audience of people, and for whatever is asked below its prefix that is nowhere.
    """

    name: str
    prefix: str
    title: str
    title_ja: str
    authenticate: Authenticate | None = None
    security: Mapping[str, JsonValue] = field(default_factory=dict)
    unproven: ProblemCode = ProblemCode.signature
    room: WaitingRoom | None = None
    rate: RateLimiter | None = None
    at_once: AtOnce | None = None
    address_rate: RateLimiter | None = None
    documented: bool = True
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """A webhook, to the address that the operation's body names in `url`: its `type` is `name`; and its `data`."""

    name: str
    data: type[BaseModel]
    summary: str
    summary_ja: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. `path` follows the audience's prefix, in aiohttp's form (`/transfers/{id:[0-9]+}`).

    `permission` must be said, if only `PUBLIC`. `request` and `response` are the JSON bodies; other
    bodies are named by media type in `consumes` and `produces`. `backlog` is the queue that its requests wait in.
    `query` lists the query parameters: any other one is refused. `problems` are those that a caller should be ready for
    beyond what every route can answer. `callbacks` are what is sent later because of it.
    """

    audience: Audience
    method: str
    path: str
    handler: Answer
    summary: str
    summary_ja: str
    permission: str = ""
    backlog: Backlog | None = None
    query: type[BaseModel] | None = None
    request: type[BaseModel] | None = None
    consumes: Sequence[str] = ()
    response: type[BaseModel] | None = None
    produces: Sequence[str] = ()
    status: int = 200
    problems: Sequence[ProblemCode] = ()
    callbacks: Sequence[Callback] = ()

    @property
    def full_path(self) -> str:
        """Prefix and path."""
        return self.audience.prefix + self.path

    @property
    def takes_body(self) -> bool:
        """Whether a body may come."""
        return self.request is not None or bool(self.consumes)


class Closeable(Protocol):
    """A connection that goes on after its answer has begun."""

    async def close(self, code: int) -> None:
        """End it, saying why (RFC 6455 section 7.4)."""


OPEN: Final = web.AppKey("open", set[Closeable])
"""Told to end when the door closes, which would wait for them else."""
AUDIENCES: Final = web.AppKey("audiences", Sequence[Audience])
"""The longest prefix first."""
CALLER: Final = web.RequestKey("caller", Caller)
QUERY: Final = web.RequestKey("query", BaseModel)


def caller_of(request: web.Request) -> Caller:
    """Who is asking; there is one in every handler of a route that is not public."""
    return request[CALLER]


def query_of(request: web.Request, model: type[Query]) -> Query:
    """The route's validated query."""
    query = request[QUERY]
    if not isinstance(query, model):
        raise TypeError(model.__name__)
    return query


def while_open(route: Route, check: Callable[[], None]) -> Route:
    """The same route, whose handler is called only where `check` raises nothing."""

    async def handler(request: web.Request) -> web.StreamResponse:
        check()
        return await route.handler(request)

    return replace(route, handler=handler)


def json_response(answer: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A model as JSON in UTF-8, encoded once by pydantic."""
    return json_text_response(answer.model_dump_json(by_alias=True).encode(), status=status, headers=headers)


def json_text_response(text: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON in UTF-8 that has been written already."""
    return web.Response(
        body=text,
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def make_app(
    routes: Sequence[Route], proxies: Sequence[Network] = (), watching: Sequence[Middleware] = ()
) -> web.Application:
    """The application that serves these routes, one sub-application for each audience.

    What comes from `proxies` is somebody else's, whose address they tell. `watching` stand right behind the door: they
    see each request before anybody is let in, and what it comes to.

    Raises RouteTableError: a route without a permission, or with one that nobody can prove; two routes of
    one method and path; two audiences of one prefix.
    """
    check_routes(routes)
    app = web.Application(middlewares=[door, *watching], client_max_size=UNREAD_BODY_LIMIT_BYTES)
    app[PROXIES] = proxies
    app.on_response_prepare.append(add_headers)
    app[OPEN] = set()
    app.on_shutdown.append(_hang_up)
    # The longest prefix first: aiohttp takes the first sub-application whose prefix fits.
    app[AUDIENCES] = sorted(_audiences(routes), key=lambda one: len(one.prefix), reverse=True)
    for audience in app[AUDIENCES]:
        served = [route for route in routes if route.audience is audience]
        if audience.prefix:
            app.add_subapp(audience.prefix, _register(web.Application(), served))
        else:
            _register(app, served)
    return app


async def _hang_up(app: web.Application) -> None:
    await asyncio.gather(*(one.close(WSCloseCode.GOING_AWAY) for one in app[OPEN]))


def check_routes(routes: Iterable[Route]) -> None:
    """Raises RouteTableError with the first fault of the table."""
    seen: set[tuple[str, str]] = set()
    for route in routes:
        name = f"{route.method} {route.full_path}"
        if not route.permission:
            raise RouteTableError(f"{name}: no permission is declared")
        if route.permission != PUBLIC and route.audience.authenticate is None:
            raise RouteTableError(f"{name}: nobody can prove to have the permission {route.permission}")
        if (route.method, route.full_path) in seen:
            raise RouteTableError(f"{name}: declared twice")
        seen.add((route.method, route.full_path))


def _audiences(routes: Iterable[Route]) -> list[Audience]:
    found: dict[str, Audience] = {}
    for route in routes:
        if found.setdefault(route.audience.prefix, route.audience) is not route.audience:
            raise RouteTableError(f"{route.audience.prefix or '/'}: two audiences")
    return list(found.values())


def _register(app: web.Application, routes: Iterable[Route]) -> web.Application:
    for route in routes:
        handler = partial(_guarded, route)
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            app.router.add_route(method, route.path, handler, expect_handler=_wait_to_continue)
    return app


async def _wait_to_continue(_request: web.Request) -> None:
    """Say nothing yet: `hub.web.bodies` answers `Expect: 100-continue` when the body is wanted."""


@web.middleware
async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every request: with what the handler returns, or with the problem that came of it."""
    reference = begin(request)
    started = time.perf_counter()
    try:
        response = await handler(request)
    except web.HTTPException as error:
        if error.status < FIRST_ERROR:
            raise
        response = _told(request, problem_error(error), reference)
    except Exception as error:  # noqa: BLE001 - the web door: whatever happened becomes an answer, here only
        response = _told(request, refused(request, error), reference)
    observe(request, response, time.perf_counter() - started)
    return response


def _told(request: web.Request, error: ProblemError, reference: Reference) -> web.Response:
    """A page for people, where the path is theirs; problem details for all others, and where the page fails too."""
    trouble = next(
        (
            one.trouble
            for one in request.config_dict[AUDIENCES]
            if request.path == one.prefix or request.path.startswith(f"{one.prefix}/")
        ),
        None,
    )
    if trouble is None:
        return problem_response(error, reference)
    try:
        return trouble(request, error, reference)
    except Exception:  # noqa: BLE001 - the web door: whoever was to be told something is told it in any case
        _log.exception("web_trouble_page_failed", code=error.code.value)
        return problem_response(error, reference)


async def _guarded(route: Route, request: web.Request) -> web.StreamResponse:
    """Let in, or not. Nothing of the body is read here, and nothing is read before the caller is known."""
    audience = route.audience
    queue = route.backlog.place() if route.backlog else nullcontext()
    place: AbstractAsyncContextManager[None] = audience.room.place() if audience.room else nullcontext()
    with queue:
        async with place:
            _check_header(request)
            if audience.address_rate is not None:
                audience.address_rate.check(address_of(request))
            who = await _who(route, request)
            limits = request[CALLER].limits if CALLER in request else NO_LIMITS
            with audience.at_once.place(who, limit=limits.requests_at_once) if audience.at_once else nullcontext():
                if request.body_exists and not route.takes_body:
                    raise ProblemError(ProblemCode.body_not_expected)
                request[QUERY] = _query(route, request.rel_url.raw_query_string)
                return await route.handler(request)


async def _who(route: Route, request: web.Request) -> Hashable:
    """Whoever is asking, by what limits are counted: the party, or on public routes the address."""
    audience = route.audience
    if route.permission == PUBLIC or audience.authenticate is None:
        if audience.rate is not None:
            audience.rate.check(address_of(request))
        return address_of(request)
    caller = await audience.authenticate(request)
    request[CALLER] = caller
    if audience.rate is not None:
        audience.rate.check(caller.party_id, rate_per_s=caller.limits.requests_per_s)
    if route.permission not in caller.permissions:
        raise ProblemError(ProblemCode.forbidden)
    return caller.party_id


def _check_header(request: web.Request) -> None:
    if not request.raw_path.startswith("/"):
        raise ProblemError(ProblemCode.bad_request, "Send the path, not a whole address.", "パスだけを送ってください。")
    if request.headers.get("Expect", "100-continue").lower() != "100-continue":
        raise ProblemError(ProblemCode.expectation)


class _NoQuery(BaseModel, extra="forbid"):
    """No parameters."""


def _query(route: Route, raw: str) -> BaseModel:
    """Each parameter once, none unknown, in UTF-8."""
    model = route.query or _NoQuery
    try:
        pairs = parse_qsl(
            raw,
            keep_blank_values=True,
            strict_parsing=bool(raw),
            errors="strict",
            max_num_fields=QUERY_FIELDS_LIMIT,
        )
    except ValueError as error:
        raise ProblemError(
            ProblemCode.bad_query, "The query is not well-formed.", "クエリーの形式が不正です。"
        ) from error
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ProblemError(ProblemCode.bad_query, errors=[_doubled(pairs)])
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ProblemError(ProblemCode.bad_query, errors=field_errors(error, query=True)) from error


def _doubled(pairs: Sequence[tuple[str, str]]) -> FieldError:
    names = [name for name, _ in pairs]
    name = next(name for name in names if names.count(name) > 1)
    return FieldError(
        pointer=f"?{name}"[:100],
        code="duplicate",
        detail="Say it once.",
        detail_ja="1回だけ指定してください。",
    )
