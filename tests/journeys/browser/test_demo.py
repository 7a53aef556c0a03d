"""What the demo offers, without a browser: its people can log in by a click, by typing, and by their cards."""

import pytest
from aiohttp import ClientSession, DummyCookieJar

from tests.connectors.portal.browser import Browser, Page
from tests.journeys.browser.site import Site


def cards_of(page: Page) -> list[str]:
    """What the page offers to choose from."""
    return [
        given.get("value") or ""
        for tag, given in page.markup.elements
        if tag == "input" and given.get("name") == "card"
    ]


@pytest.mark.timeout(120)
async def test_whoever_is_offered_can_be(site: Site) -> None:
    assert sorted(site.people) == ["DEMO0001", "DEMO0002", "DEMO0003"]
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        front = await Browser(session, site.url).get("/")
        offered = [form.fields["mykey_id"] for form in front.markup.forms if "mykey_id" in form.fields]
        assert offered == sorted(site.people)
        for mykey_id, password in site.people.items():
            browser = Browser(session, site.url)
            page = await browser.submit(await browser.get("/login"), "/login", mykey_id=mykey_id, password=password)
            assert page.path == "/my", page.words
            assert mykey_id in (await browser.get("/my/profile")).words
        by_card = Browser(session, site.url)
        page = await by_card.get("/login/card")
        assert len(cards_of(page)) == 6
        page = await by_card.submit(page, "/login/card", card=cards_of(page)[3])
        assert page.path == "/my", page.words
        assert "DEMO0001" in (await by_card.get("/my/profile")).words
