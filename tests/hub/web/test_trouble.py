"""People are told of trouble by pages of their own; programs, and people where a page fails, by problem details."""

import pytest
from aiohttp import web

from hub.web.app import PUBLIC
from hub.web.problems import ProblemError, Reference
from schemas.problems import ProblemCode
from tests.hub.web.serving import MEMBER, audience, route, serving

pytestmark = pytest.mark.loopback


def page(_request: web.Request, error: ProblemError, reference: Reference) -> web.Response:
    if error.code is ProblemCode.forbidden:
        raise RuntimeError("the page is broken")
    return web.Response(text=f"{error.code} {reference.request_id}", status=error.status, content_type="text/html")


async def fails(_request: web.Request) -> web.Response:
    raise RuntimeError("SELECT secret")


async def nothing(_request: web.Request) -> web.Response:
    return web.Response()


PEOPLE = audience(name="people", prefix="", trouble=page)
PROGRAMS = audience(name="programs", prefix="/api")
ROUTES = [
    route(audience=PEOPLE, method="GET", path="/bug", handler=fails, permission=PUBLIC),
    route(audience=PEOPLE, method="GET", path="/mine", handler=nothing),
    route(audience=PROGRAMS, method="GET", path="/bug", handler=fails, permission=PUBLIC),
]


async def test_each_audience_is_told_in_its_own_way() -> None:
    async with serving(ROUTES) as (_door, client):
        for path, status, code in (
            ("/bug", 500, "internal"),
            ("/nowhere", 404, "not_found"),
            ("/apis", 404, "not_found"),
            ("/bug?x=1", 400, "bad_query"),
            ("/mine", 401, "login"),
        ):
            async with client.get(path) as answer:
                assert answer.status == status
                assert answer.content_type == "text/html"
                assert await answer.text() == f"{code} {answer.headers['X-Request-Id']}"
        for path in ("/api/bug", "/api/nowhere", "/api"):
            async with client.get(path) as answer:
                assert answer.content_type == "application/problem+json"


async def test_a_page_that_fails_itself_is_a_problem_all_the_same() -> None:
    async with serving(ROUTES) as (_door, client), client.get("/mine", headers={"Test-Caller": "none"}) as answer:
        assert answer.status == 403
        assert answer.content_type == "application/problem+json"
    async with serving(ROUTES) as (_door, client), client.get("/mine", headers=MEMBER) as answer:
        assert answer.status == 200
