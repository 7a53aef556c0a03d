"""The route table and the guard: who is let in, with which query, and what every answer has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientPayloadError, ClientSession, web
from multidict import CIMultiDict
from pydantic import BaseModel

from hub.errors import DeadlineExceededError, TransientError
from hub.tracing import TRACE, Trace
from hub.web.app import PUBLIC, Audience, Caller, Route, RouteTableError, caller_of, check_routes, make_app, query_of
from hub.web.bodies import read_json
from hub.web.limits import RateLimiter, WaitingRoom
from hub.web.pages import PageQuery
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode
from tests.hub.web.serving import HOST, MEMBER, PARTY, audience, exchange, route, serving


async def nothing(_request: web.Request) -> web.Response:
    return web.json_response({})


async def who(request: web.Request) -> web.Response:
    return web.json_response({"party": str(caller_of(request).party_id)})


async def page(request: web.Request) -> web.Response:
    return web.json_response(query_of(request, PageQuery).model_dump())


async def body(request: web.Request) -> web.Response:
    await read_json(request, 100)
    return web.json_response({})


async def fails(request: web.Request) -> web.StreamResponse:
    match request.match_info["how"]:
        case "bug":
            raise RuntimeError("SELECT secret FROM /srv/hub")
        case "later":
            raise TransientError(retry_after_s=7)
        case "unknown":
            raise DeadlineExceededError
        case "redirect":
            raise web.HTTPSeeOther("/elsewhere")
        case "model":
            PageQuery.model_validate({"limit": "x"})
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"half of ")
    raise RuntimeError("too late")


def table(group: Audience) -> list[Route]:
    public = audience(name="open", prefix="/api", authenticate=None)
    return [
        route(audience=group, method="GET", path="/who", handler=who),
        route(audience=group, method="GET", path="/page", handler=page, query=PageQuery),
        route(audience=group, method="POST", path="/body", handler=body, consumes=("application/json",)),
        route(audience=group, method="GET", path="/fails/{how}", handler=fails),
        route(audience=public, method="GET", path="/open", handler=nothing, permission=PUBLIC),
    ]


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with serving(table(audience())) as (_, made):
        yield made


async def ask(client: ClientSession, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, Any]]:
    sent = MEMBER | {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.request(method, path, headers=sent, allow_redirects=False) as answer:
        return answer.status, await answer.json()


# the table


def test_a_route_without_a_permission_stops_the_start() -> None:
    with pytest.raises(RouteTableError, match="GET /api/test/x: no permission"):
        make_app([route(audience=audience(), method="GET", path="/x", handler=nothing, permission="")])


def test_a_permission_that_nobody_can_prove_stops_the_start() -> None:
    with pytest.raises(RouteTableError, match="nobody can prove"):
        check_routes([route(audience=audience(authenticate=None), method="GET", path="/x", handler=nothing)])


def test_a_route_declared_twice_stops_the_start() -> None:
    with pytest.raises(RouteTableError, match="twice"):
        make_app([route(audience=audience(), method="GET", path="/x", handler=nothing)] * 2)


def test_two_audiences_at_one_prefix_stop_the_start() -> None:
    routes = [route(audience=audience(), method=method, path="/x", handler=nothing) for method in ("GET", "PUT")]
    with pytest.raises(RouteTableError, match="two audiences"):
        make_app(routes)


# who is let in


@pytest.mark.loopback
async def test_anonymous_calls_of_every_guarded_route_are_401() -> None:
    routes = table(audience())
    async with serving(routes) as (_, client):
        for one in routes:
            async with client.request(one.method, one.full_path.replace("{how}", "bug")) as answer:
                assert answer.status == (200 if one.permission == PUBLIC else 401), one.full_path


@pytest.mark.loopback
async def test_the_caller_is_known_and_needs_the_permission(client: ClientSession) -> None:
    assert await ask(client, "/api/test/who") == (200, {"party": str(PARTY)})
    assert (await ask(client, "/api/test/who", Test_Caller="t.read"))[0] == 403
    async with client.head("/api/test/who", headers=MEMBER) as answer:
        assert answer.status == 200


@pytest.mark.loopback
@pytest.mark.parametrize("path", ["/", "/api", "/api/test", "/api/test/whom", "/api/test/who/", "/api/../etc/passwd"])
async def test_unknown_addresses_are_problems(client: ClientSession, path: str) -> None:
    status, problem = await ask(client, path)
    assert (status, problem["type"]) == (404, "/api/#problem-not_found")


@pytest.mark.loopback
@pytest.mark.parametrize("method", ["POST", "DELETE", "TRACE", "PURGE"])
async def test_unknown_methods_are_problems(client: ClientSession, method: str) -> None:
    status, problem = await ask(client, "/api/test/who", method)
    assert (status, problem["type"]) == (405, "/api/#problem-method_not_allowed")


@pytest.mark.loopback
async def test_what_a_proxy_would_say_has_no_effect() -> None:
    seen: list[str | None] = []

    async def look(request: web.Request) -> web.Response:
        seen.append(request.remote)
        return web.json_response({"scheme": request.scheme, "host": request.host})

    group = audience(rate=RateLimiter(0.001, 2))
    async with serving([route(audience=group, method="GET", path="/look", handler=look)]) as (door, client):
        for number in range(3):
            status, answer = await ask(
                client,
                "/api/test/look",
                X_Forwarded_For=f"203.0.113.{number}",
                X_Real_IP="203.0.113.9",
                X_Forwarded_Proto="https",
                X_Forwarded_Host="evil.example",
                Forwarded="for=203.0.113.9;host=evil.example;proto=https",
                X_Client_Cert="CN=other",
            )
            assert status == (200 if number < 2 else 429)
            if status == 200:
                assert answer == {"scheme": "http", "host": f"{HOST}:{door.port}"}
    assert seen == [HOST, HOST]


# the query


@pytest.mark.loopback
async def test_a_query_is_validated(client: ClientSession) -> None:
    assert await ask(client, "/api/test/page?limit=7&cursor=a%2Bb") == (200, {"limit": 7, "cursor": "a+b"})
    assert await ask(client, "/api/test/page") == (200, {"limit": 100, "cursor": None})


@pytest.mark.loopback
@pytest.mark.parametrize(
    "query,pointer",
    [
        ("limit=1&limit=2", "?limit"),
        ("limit=1&l%69mit=2", "?limit"),
        ("offset=1", "?offset"),
        ("limit=0", "?limit"),
        ("limit=1001", "?limit"),
        ("limit=１２", "?limit"),
        ("limit=%EF%BC%91", "?limit"),
        ("limit=+7", "?limit"),
        ("limit=1_0", "?limit"),
        ("limit=1.0", "?limit"),
        ("limit=", "?limit"),
        ("limit=99999999999999999999", "?limit"),
        ("limit", None),
        ("&", None),
        ("cursor=%ff", None),
        ("&".join(f"a{number}=1" for number in range(40)), None),
        (f"cursor={'a' * 600}", "?cursor"),
    ],
)
async def test_other_queries_are_refused(client: ClientSession, query: str, pointer: str | None) -> None:
    status, problem = await ask(client, f"/api/test/page?{query}")
    assert (status, problem["type"]) == (400, "/api/#problem-bad_query")
    assert [error["pointer"] for error in problem["errors"]] == ([pointer] if pointer else [])


@pytest.mark.loopback
async def test_a_route_without_a_query_takes_none(client: ClientSession) -> None:
    assert (await ask(client, "/api/test/who?a=1"))[0] == 400
    assert (await ask(client, "/api/open?a=1"))[0] == 400


# bodies


@pytest.mark.loopback
async def test_a_body_where_none_is_expected_is_refused(client: ClientSession) -> None:
    async with client.get("/api/test/who", headers=MEMBER, data=b"{}") as answer:
        assert (answer.status, (await answer.json())["type"]) == (400, "/api/#problem-body_not_expected")


@pytest.mark.loopback
async def test_other_expectations_are_refused(client: ClientSession) -> None:
    assert (await ask(client, "/api/test/body", "POST", Expect="a-miracle"))[0] == 417


@pytest.mark.loopback
async def test_a_whole_address_as_target_is_refused() -> None:
    async with serving(table(audience())) as (door, _):
        for host in ("evil.example", f"{HOST}:{door.port}"):
            sent = f"GET http://{host}/api/open HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
            answer = await exchange(door.port, sent.encode())
            assert b" 400 " in answer.partition(b"\r\n")[0]


# errors and headers


@pytest.mark.loopback
@pytest.mark.parametrize(
    "how,status,code,wait",
    [
        ("bug", 500, "internal", None),
        ("model", 500, "internal", None),
        ("later", 503, "unavailable", "7"),
        ("unknown", 503, "outcome_unknown", "1"),
    ],
)
async def test_errors_are_problems_that_keep_our_secrets(
    client: ClientSession, how: str, status: int, code: str, wait: str | None
) -> None:
    async with client.get(f"/api/test/fails/{how}", headers=MEMBER) as answer:
        text = await answer.text()
        assert (answer.status, answer.headers.get("Retry-After")) == (status, wait)
    assert f"#problem-{code}" in text
    assert not any(word in text for word in ("SELECT", "/srv", "Traceback", "RuntimeError", "limit"))


@pytest.mark.loopback
async def test_half_an_answer_is_cut_off_not_mended(client: ClientSession) -> None:
    async with client.get("/api/test/fails/late", headers=MEMBER) as answer:
        with pytest.raises(ClientPayloadError):
            await answer.read()


@pytest.mark.loopback
@pytest.mark.parametrize(
    "path", ["/api/open", "/nowhere", "/api/test/who", "/api/test/fails/bug", "/api/test/fails/redirect"]
)
async def test_every_answer_has_the_security_headers_and_an_id_of_ours(client: ClientSession, path: str) -> None:
    ids = set()
    for _ in range(2):
        async with client.get(path, headers=MEMBER | {"X-Request-Id": "theirs"}, allow_redirects=False) as answer:
            ids.add(answer.headers["X-Request-Id"])
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Server"] == "mykey-hub"
            assert answer.charset == "utf-8"
    assert len(ids) == 2
    assert "theirs" not in ids


# limits


@pytest.mark.loopback
async def test_more_than_the_room_holds_are_asked_to_come_again() -> None:
    inside, leave = asyncio.Event(), asyncio.Event()

    async def stay(_request: web.Request) -> web.Response:
        inside.set()
        await leave.wait()
        return web.json_response({})

    group = audience(room=WaitingRoom(1))
    async with serving([route(audience=group, method="GET", path="/stay", handler=stay)]) as (_, client):
        first = asyncio.create_task(ask(client, "/api/test/stay"))
        await inside.wait()
        async with client.get("/api/test/stay", headers=MEMBER) as answer:
            assert answer.status == 503
            assert 1 <= int(answer.headers["Retry-After"]) <= 4, "not all at the same time"
            assert (await answer.json())["type"] == "/api/#problem-busy"
        leave.set()
        assert (await first)[0] == 200
        assert (await ask(client, "/api/test/stay"))[0] == 200


@pytest.mark.loopback
async def test_those_who_do_not_get_in_are_counted_too() -> None:
    looked: list[str] = []

    async def look(_request: web.Request) -> Caller:
        looked.append("key")
        raise ProblemError(ProblemCode.login)

    group = audience(address_rate=RateLimiter(0.001, 2), authenticate=look)
    async with serving([route(audience=group, method="GET", path="/x", handler=nothing)]) as (_, client):
        assert [(await ask(client, "/api/test/x"))[0] for _ in range(4)] == [401, 401, 429, 429]
    assert len(looked) == 2


@pytest.mark.loopback
async def test_what_comes_of_a_request_is_found_by_its_id() -> None:
    async with _telling_its_trace() as client, client.get("/api/test/x", headers=MEMBER) as answer:
        request_id = UUID(answer.headers["X-Request-Id"])
        assert await answer.text() == answer.headers["traceresponse"] == Trace.begun_by(request_id).traceparent


@pytest.mark.loopback
async def test_a_callers_trace_is_gone_on_with_under_a_reference_of_our_own() -> None:
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    headers = {"TraceParent": given, "tracestate": "congo=t61rcWkgMzE"}
    async with _telling_its_trace() as client, client.get("/api/test/x", headers=MEMBER | headers) as answer:
        request_id = UUID(answer.headers["X-Request-Id"])
        assert await answer.text() == f"00-4bf92f3577b34da6a3ce929d0e0e4736-{request_id.hex[16:]}-01"
        assert "tracestate" not in answer.headers


@pytest.mark.loopback
@pytest.mark.parametrize("given", [["00-xyz"], [f"00-{5:032x}-{1:016x}-01", f"00-{6:032x}-{1:016x}-01"]])
async def test_a_broken_trace_or_two_begin_a_new_one(given: list[str]) -> None:
    headers = CIMultiDict([*MEMBER.items(), *(("traceparent", one) for one in given)])
    async with _telling_its_trace() as client, client.get("/api/test/x", headers=headers) as answer:
        request_id = UUID(answer.headers["X-Request-Id"])
        assert await answer.text() == Trace.begun_by(request_id).traceparent


@pytest.mark.loopback
async def test_a_problem_tells_the_callers_trace() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = MEMBER | {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    async with _telling_its_trace() as client, client.get("/api/test/nowhere", headers=headers) as answer:
        problem = await answer.json(content_type=None)
    assert problem["trace_id"] == trace
    assert problem["request_id"] == answer.headers["X-Request-Id"] != str(UUID(trace))


@asynccontextmanager
async def _telling_its_trace() -> AsyncIterator[ClientSession]:
    """A door whose handler answers with the traceparent of what it would say."""

    async def show(_request: web.Request) -> web.Response:
        trace = TRACE.get()
        assert trace is not None
        return web.Response(text=trace.traceparent)

    async with serving([route(audience=audience(), method="GET", path="/x", handler=show)]) as (_, client):
        yield client


class Other(BaseModel):
    """A query that no route of the test has."""


@pytest.mark.loopback
async def test_a_handler_that_asks_for_another_query_is_our_bug() -> None:
    async def confused(request: web.Request) -> web.Response:
        query_of(request, Other)
        return web.json_response({})

    async with serving([route(audience=audience(), method="GET", path="/x", handler=confused)]) as (_, client):
        assert (await ask(client, "/api/test/x"))[0] == 500
