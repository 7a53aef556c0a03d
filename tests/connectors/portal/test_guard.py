"""What every answer has, what every POST needs, and that reading changes nothing (ASVS 5.0 3.3–3.5, 4.1, 14.2)."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

import pytest

from connectors.portal.ground.sent import BODY_LIMIT_BYTES, FIELDS_LIMIT
from hub.web.app import PUBLIC, Route
from tests.connectors.portal.browser import Page
from tests.connectors.portal.town import AIRLINE, CITY, CITY_EVENT, FIRST, Town
from tests.workers.registry.asking import dump_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
EXAMPLES: Final = {"event_id": str(CITY_EVENT), "lg_code": CITY, "party_id": str(AIRLINE), "referral_id": str(AIRLINE)}
QUERIES: Final = {
    "to": CITY,
    "form": str(CITY_EVENT),
    "holder": CITY,
    "act": "mail",
    "prefecture": "230006",
    "id": str(CITY_EVENT),
}


def routes_of(town: Town, method: str) -> Iterator[Route]:
    component = next(one for one in town.process.components if one.name == "portal")
    return (route for route in component.routes if route.method == method)


def address(route: Route) -> str:
    """The route with examples for its parameters."""
    path = re.sub(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}", lambda found: EXAMPLES.get(found[1], "x"), route.full_path)
    required = [name for name, info in route.query.model_fields.items() if info.is_required()] if route.query else []
    query = {name: QUERIES[name] for name in required}
    return f"{path}?{urlencode(query)}" if query else path


def check_headers(page: Page) -> str:
    """As on every answer; returns the nonce."""
    policy = page.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert int(page.headers["Strict-Transport-Security"].split("=")[1].split(";")[0]) >= 31_536_000
    for cookie in page.cookies:
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    found = re.search(r"script-src 'nonce-([A-Za-z0-9_-]{22})'", policy)
    assert found is not None
    return found[1]


async def test_every_answer_has_the_headers_and_a_nonce_of_its_own(shared_town: Town) -> None:
    browser, home = await shared_town.logged_in()
    pages = [
        home,
        await shared_town.browser().get("/login"),
        await shared_town.browser().get("/my", follow=False),
        await browser.get("/nowhere"),
        await browser.get("/my/history/municipal/131016"),
        await browser.get("/logout"),
        await browser.get("/my?x=1"),
        await browser.post("/login", {}),
        await browser.post("/login", {}, FORM),
    ]
    assert [page.status for page in pages] == [200, 200, 303, 404, 404, 405, 400, 403, 403]
    assert len({check_headers(page) for page in pages}) == len(pages)
    for page in pages[3:]:
        assert page.headers["X-Request-Id"] in page.words
        assert "エラー：" in page.text


async def test_every_post_needs_a_token_and_an_origin_of_ours(shared_town: Town) -> None:
    browser, page = await shared_town.logged_in()
    token = page.form("/logout").fields["form_token"]
    own = {"Origin": browser.url, "Sec-Fetch-Site": "same-origin"}
    foreign = [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": browser.url, "Sec-Fetch-Site": "cross-site"},
        {"Origin": browser.url, "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": browser.url.replace("http:", "https:")},
        {"Origin": browser.url + "0"},
    ]
    posts = list(routes_of(shared_town, "POST"))
    assert len(posts) >= 5
    for route in posts:
        for headers in foreign:
            assert (await browser.post(address(route), {"form_token": token}, headers)).status == 403, (route, headers)
        for wrong in ("", "A" * 65, token[:-1] + ("A" if token[-1] != "A" else "B"), token[1:]):
            assert (await browser.post(address(route), {"form_token": wrong}, own)).status == 403, route
        assert (await browser.post(address(route), {}, own)).status == 403, route
    assert (await browser.get("/my")).path == "/my"


async def test_pages_that_need_a_log_in_have_none_without(shared_town: Town) -> None:
    stranger = shared_town.browser()
    for route in routes_of(shared_town, "GET"):
        if route.permission != PUBLIC:
            page = await stranger.get(address(route), follow=False)
            assert (page.status, page.headers.get("Location")) == (303, "/login"), route


async def test_reading_changes_nothing(shared_town: Town, shared_database_url: str) -> None:
    browser, _page = await shared_town.logged_in()

    async def dumps() -> list[bytes]:
        return [await dump_of(shared_database_url, "portal"), await dump_of(shared_database_url, "ledger")]

    before = await dumps()
    for route in routes_of(shared_town, "GET"):
        page = await browser.get(address(route), follow=False)
        assert page.status in {200, 303, 404, 422}, (route, page.text)
    assert await dumps() == before


BAD_BODIES: Final = (
    (b"a=" + b"1" * BODY_LIMIT_BYTES, FORM, 413),
    (b"&".join(b"f%d=1" % number for number in range(FIELDS_LIMIT + 2)), FORM, 400),
    (b"mykey_id=" + b"1" * 9_000, FORM, 400),
    (b"mykey_id=%00", FORM, 400),
    (b"mykey_id=%ff", FORM, 400),
    (b"mykey_id=\xe3\x81\x82", FORM, 400),
    (b"{}", {"Content-Type": "application/json"}, 415),
    (b"x", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    (b"x", {"Content-Type": "text/plain"}, 415),
    (b"x", FORM | {"Content-Encoding": "gzip"}, 415),
)


async def test_what_no_form_of_ours_sends_is_refused(shared_town: Town) -> None:
    own = {"Origin": shared_town.url, "Sec-Fetch-Site": "same-origin"}
    for body, headers, status in BAD_BODIES:
        async with shared_town.session.post(f"{shared_town.url}/login", data=body, headers=own | headers) as answer:
            assert answer.status == status, body[:40]
            assert answer.content_type == "text/html"
            assert answer.headers["X-Request-Id"] in await answer.text()


async def test_fields_that_a_form_does_not_have_are_refused(shared_town: Town) -> None:
    browser = shared_town.browser()
    page = await browser.get("/login")
    refused = await browser.submit(page, "/login", mykey_id=FIRST, password="x", is_admin="yes")
    assert refused.status == 400


async def test_nothing_secret_stands_in_an_address(shared_town: Town) -> None:
    browser, _page = await shared_town.logged_in()
    secrets = {FIRST, str(shared_town.first), *browser.cookies.values()}
    for route in routes_of(shared_town, "GET"):
        page = await browser.get(address(route), follow=False)
        told = [*page.markup.links, page.headers.get("Location", ""), *(form.action for form in page.markup.forms)]
        assert not [one for one in told for secret in secrets if secret in one], route
