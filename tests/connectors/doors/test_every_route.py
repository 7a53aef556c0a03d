"""What is refused at every route of every API, tried at all of them as the route table has them."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from connectors.partner.audience import LINKS, WEBHOOKS
from hub.web.app import PUBLIC, Route
from hub.web.openapi import openapi
from tests.connectors.doors.examples import BODIES, UNKNOWN, address, body_of, changed, name_of, places, things
from tests.connectors.doors.world import CALLERS, Doors, Told

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROBLEM: Final = "application/problem+json; charset=utf-8"
SERVERS_OWN: Final = ("balance", "status", "partner_id", "posted_at", "id")
NO_POINTS: Final = (True, 1.0, 10.5, "1", "１", None, [1], {"points": 1}, 1 << 63, -1)
NOTHING_POSTED: Final = ("/receipt", "/paper")
"""What the things here have none of; whose they are is asked in test_counter_points."""
NO_TRUTHS: Final = (1, 0, "true", "yes", "1", None, [True])
OTHER_KINDS: Final = (
    "text/plain",
    "application/json; charset=utf-16",
    "application/json; charset=unicode_escape",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "",
)
SHARED: Final = frozenset({("checkout", LINKS), ("checkout", WEBHOOKS)})
"""What shops and funds do at the partners' door; the rest of it is not theirs."""
SOMEBODYS: Final = frozenset({"name", "mail", "email", "phone", "address", "birthday", "birth_date", "mykey_id", "sub"})
EACH_FOR_ITSELF: Final = "POST /api/partner/transfers"
"""Its items are answered one by one (tests/connectors/partner/test_transfers.py); the envelope is as any body."""


def with_json(doors: Doors) -> Iterator[tuple[Route, Any]]:
    for route in doors.routes:
        if route.request is not None:
            yield route, BODIES[name_of(route)]


async def asked(doors: Doors, route: Route, body: Any) -> Told:  # noqa: ANN401 - any JSON
    """By whoever may, about a thing that there is not: what is looked at first is the body."""
    content, headers = body_of(route, body)
    return await doors.ask(doors.caller(route), route.method, address(route), content, headers)


def problem(told: Told, status: int, code: str, what: object) -> Any:  # noqa: ANN401 - any JSON
    assert (told.status, told.json["type"]) == (status, f"/api/#problem-{code}"), (what, told)
    assert told.headers["Content-Type"] == PROBLEM
    return told.json


async def test_every_route_that_takes_a_body_has_an_example_that_is_taken(all_doors: Doors) -> None:
    """So that what is refused below is refused for what is wrong with it."""
    assert {name_of(route) for route, _ in with_json(all_doors)} == BODIES.keys()
    for route, body in with_json(all_doors):
        told = await asked(all_doors, route, body)
        assert told.status in {200, 201, 202, 401, 404, 409}, (route, told)
        assert (told.status == 401) == (route.permission == PUBLIC), (route, told)


async def test_nobody_comes_in_without_proof(all_doors: Doors) -> None:
    """ASVS 8.1.1, 8.2.1: before the body, the query and the thing are looked at."""
    for route in all_doors.routes:
        if route.permission == PUBLIC:
            continue
        for body in (None, b"{"):
            told = await all_doors.ask(None, route.method, address(route) + "?x=1", body)
            problem(told, 401, route.audience.unproven.value, route)


async def test_what_is_ours_to_say_is_taken_from_nobody(all_doors: Doors) -> None:
    """ASVS 15.3.3: in no object of any body."""
    for route, body in with_json(all_doors):
        inside = [] if name_of(route) == EACH_FOR_ITSELF else [path for path in places(body, dict) if path]
        for path in ((), *inside):
            whole = body
            for step in path:
                whole = whole[step]
            if path[-1:] == ("value_digests",):
                continue  # any name of a value may stand there
            for name in SERVERS_OWN:
                if name in whole:
                    continue
                told = await asked(all_doors, route, changed(body, path, whole | {name: 1}))
                found = problem(told, 400, "bad_field", (route, path, name))
                assert name in found["errors"][0]["pointer"]


async def test_whole_numbers_and_truths_are_taken_to_the_letter(all_doors: Doors) -> None:
    """ASVS 15.3.5."""
    for route, body in with_json(all_doors):
        if name_of(route) == EACH_FOR_ITSELF:
            continue
        wrong: list[tuple[Any, Any]] = [(path, one) for path in places(body, int) for one in NO_POINTS]
        wrong += [(path, one) for path in places(body, bool) for one in NO_TRUTHS]
        for path, one in wrong:
            told = await asked(all_doors, route, changed(body, path, one))
            if one is None and told.status != 400:
                continue  # as good as left out
            found = problem(told, 400, "bad_field", (route, path, one))
            assert found["errors"][0]["pointer"].startswith("/" + "/".join(map(str, path))), (route, path, one)


async def test_nothing_is_said_twice(all_doors: Doors) -> None:
    """ASVS 15.3.7: no key of a body, no parameter of a query."""
    for route, body in with_json(all_doors):
        for name, value in body.items():
            text = json.dumps(body)[:-1] + f", {json.dumps(name)}: {json.dumps(value)}}}"
            told = await all_doors.ask(all_doors.caller(route), route.method, address(route), text.encode())
            assert problem(told, 400, "bad_json", route)["errors"][0]["code"] == "duplicate_key"
    for route in all_doors.routes:
        content, headers = body_of(route)
        path = address(route)
        first = path.partition("?")[2].partition("&")[0] or "x=1"
        for query in (first, "x=1"):
            twice = f"{path}&{query}" if "?" in path else f"{path}?{query}&{query}"
            told = await all_doors.ask(all_doors.caller(route), route.method, twice, content, headers)
            problem(told, 400, "bad_query", route)


async def test_other_kinds_of_bodies_are_refused(all_doors: Doors) -> None:
    """ASVS 4.1.1."""
    for route in all_doors.routes:
        if not route.takes_body:
            told = await all_doors.ask(all_doors.caller(route), route.method, address(route), b"{}")
            problem(told, 400, "body_not_expected", route)
            continue
        if route.audience.name == "counter":
            await all_doors.open_counters()  # a browser may ask only so often
        content, headers = body_of(route)
        for kind in OTHER_KINDS:
            if kind.partition(";")[0] in route.consumes:
                continue
            given = {**headers, "Content-Type": kind}
            told = await all_doors.ask(all_doors.caller(route), route.method, address(route), content, given)
            problem(told, 415, "media_type", (route, kind))
        told = await all_doors.ask(
            all_doors.caller(route), route.method, address(route), content, {**headers, "Content-Encoding": "gzip"}
        )
        problem(told, 415, "media_type", route)


async def test_nobody_hears_of_what_is_anothers(all_doors: Doors) -> None:
    """ASVS 8.2.2: word for word what is heard of a thing that never was."""
    ours = await things(all_doors)
    tried = 0
    for route in all_doors.routes:
        if "{" not in route.full_path:
            continue
        other = CALLERS[route.audience.name][1]
        content, headers = body_of(route)
        told = await all_doors.ask(other, route.method, address(route, ours), content, headers)
        never = await all_doors.ask(other, route.method, address(route), content, headers)
        text = never.essence[1]
        for name, value in UNKNOWN.items():
            text = text.replace(value, ours[name]) if f"{{{name}" in route.full_path else text
        assert told.essence == (never.status, text), route
        assert told.status == 404 or "refusal" in told.json, (route, told)
        if route.method == "GET" and not route.path.endswith(NOTHING_POSTED):
            own = await all_doors.ask(all_doors.caller(route), "GET", address(route, ours))
            assert own.status == 200, (route, "its owner hears of it", own)
        tried += 1
    assert tried >= 20


async def test_a_caller_of_one_door_is_nobody_at_the_others(all_doors: Doors) -> None:
    for route in all_doors.routes:
        if route.permission == PUBLIC:
            continue
        content, headers = body_of(route)
        for name, (caller, _) in CALLERS.items():
            if name == route.audience.name or (name, route.permission) in SHARED:
                continue
            told = await all_doors.ask(caller, route.method, address(route), content, headers)
            half = name == "checkout" and route.audience.name == "partner"
            status, code = (403, "forbidden") if half else (401, route.audience.unproven.value)
            problem(told, status, code, (route, caller))


async def test_every_answer_says_what_it_is_and_is_kept_nowhere(all_doors: Doors) -> None:
    """ASVS 4.1.1, 3.4.4, 14.3.2: right answers and problems alike."""
    for route in all_doors.routes:
        content, headers = body_of(route)
        for caller in (all_doors.caller(route), None):
            if "sessions" in route.path or route.method == "DELETE":
                continue
            told = await all_doors.ask(caller, route.method, address(route), content, headers)
            kind = told.headers["Content-Type"]
            assert kind in {"application/json; charset=utf-8", PROBLEM}, (route, kind)
            assert told.headers["X-Content-Type-Options"] == "nosniff"
            assert told.headers["Cache-Control"] == "no-store"
            assert "access-control-allow-origin" not in {name.lower() for name in told.headers}


async def test_every_door_has_its_limits_and_every_route_its_permission(opened: Doors) -> None:
    """ASVS 2.4.1, 8.1.1. What the limits do is tried in tests/hub/web/test_limits.py."""
    for route in opened.routes:
        assert route.permission
        assert route.audience.room is not None, route
        assert route.audience.rate is not None, route


async def test_outside_companies_are_told_nothing_of_a_person(opened: Doors) -> None:
    """ASVS 8.2.3, 15.3.1: by the document, which is a golden file (docs/contracts/openapi.json)."""
    routes = [route for route in opened.routes if route.audience.name in {"partner", "checkout", "street"}]
    document = openapi(routes)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            told = json.dumps({status: one for status, one in operation["responses"].items() if status < "300"})
            for name in SOMEBODYS & set(_properties(document, told)):
                pytest.fail(f"{path} tells {name}")


def _properties(document: Any, text: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    """All property names of all schemas that are referred to from here."""
    waiting = [name for name in document["components"]["schemas"] if f'/{name}"' in text]
    seen = set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        schema = document["components"]["schemas"][name]
        yield from schema.get("properties", {})
        waiting += [other for other in document["components"]["schemas"] if f'/{other}"' in json.dumps(schema)]
