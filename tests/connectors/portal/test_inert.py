"""Strings that would be code somewhere are only text: in fields shown again, and in names (ASVS 5.0 1.2.1)."""

from typing import Final

import pytest

from connectors.portal.ground.sent import ONCE, TOKEN
from schemas.links import Linkage, PresentParty
from schemas.municipalities import RegisterScheme
from schemas.parties import PartyKind, RegisterParty
from tests.connectors.portal.browser import Page
from tests.connectors.portal.test_guard import address, routes_of
from tests.connectors.portal.town import AIRLINE, CITY, Town
from tests.workers.registry.asking import ask

pytestmark = pytest.mark.asyncio(loop_scope="module")


STRINGS: Final = (
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example></sCrIpT>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</option></select><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '" onfocus="alert(1)" autofocus="',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mi xlink:href='javascript:alert(1)'>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "javascript:alert(1)",
    "<body onload=alert(1)>",
    "<base href='//evil.example/'>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example>",
    "<style>@import '//evil.example'</style>",
    "<form action=//evil.example><input name=password>",
    "<button formaction=//evil.example>x</button>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<object data=//evil.example>",
    "<embed src=//evil.example>",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{{ frame.form_token }}",
    "${7*7}",
    "#{7*7}",
    "%(points)s",
    "{label}",
    "{0.__class__}",
    "<!--",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "&lt;script&gt;",
    "＜script＞alert(1)＜/script＞",
    "<scr\tipt>alert(1)</scr\tipt>",
)
EXPECTED_SCRIPTS: Final = 2
OK: Final = 200


def check_inert(page: Page, text: str) -> None:
    """No element or attribute came of it."""
    elements = page.markup.elements
    assert sum(tag == "script" for tag, _attributes in elements) <= EXPECTED_SCRIPTS, text
    for tag, attributes in elements:
        assert tag not in {"iframe", "object", "embed", "base", "style", "math", "video", "details"}, text
        assert not [name for name in attributes if name.startswith("on")], text
        for name in ("href", "src", "action", "formaction"):
            assert not (attributes.get(name) or "").startswith(("javascript:", "//", "data:")), text


async def test_what_was_typed_is_shown_again_as_text(shared_town: Town) -> None:
    browser, _page = await shared_town.logged_in()
    stranger = shared_town.browser()
    for text in STRINGS:
        asked = await stranger.get("/login")
        again = await stranger.submit(asked, "/login", mykey_id=text, password="x", remember=text)
        assert again.status == 422
        check_inert(again, text)
        assert again.form("/login").fields["mykey_id"] == text
        page = await browser.get(f"/my/move/municipal/amount?to={CITY}")
        again = await browser.submit(page, "/my/move/municipal/amount", points=text)
        assert again.status == 422
        check_inert(again, text)
        assert again.form("/my/move/municipal/amount").fields["points"] == text


async def test_every_field_of_every_form_is_text(shared_town: Town) -> None:
    citizen, _citizen_id = await shared_town.somebody()
    seen: set[str] = set()
    for browser in (citizen, shared_town.browser()):
        for route in routes_of(shared_town, "GET"):
            page = await browser.get(address(route))
            for form in page.markup.forms if page.status == OK else ():
                typed = [name for name in form.fields if name not in {TOKEN, ONCE}]
                if form.action in {"/logout", "/language"} or form.action in seen or not typed:
                    continue
                seen.add(form.action)
                for text in STRINGS[2::9]:
                    sent = form.fields | dict.fromkeys(typed, text)
                    ask = browser.post if form.method == "post" else browser.ask
                    check_inert(await ask(form.action, sent), text)
    assert {"/login", "/my/coupon", "/my/profile/mail", "/my/profile/password"} <= seen


async def test_a_citizens_own_data_are_text(shared_town: Town) -> None:
    for text in STRINGS[:3]:
        browser, _citizen_id = await shared_town.somebody(name=text)
        shown = await browser.get("/my/profile")
        check_inert(shown, text)
        assert "".join(text.split()) in shown.words


async def test_names_are_text(shared_town: Town) -> None:
    browser, _page = await shared_town.logged_in()
    page = await browser.get(f"/my/move/municipal/amount?to={CITY}")
    confirm = await browser.submit(page, "/my/move/municipal/amount", points="5")
    done = await browser.submit(confirm, "/my/move/municipal/confirm")
    assert done.status == 200
    for text in STRINGS[::5]:
        await ask(shared_town.process, RegisterScheme(lg_code=CITY, point_name=text, expiry_rule="none"))
        await ask(shared_town.process, RegisterParty(party_id=AIRLINE, kind=PartyKind.partner, name=text))
        own = PresentParty(party_id=AIRLINE, linkage=Linkage.id_link, page_url="https://airline.example/", about=text)
        await ask(shared_town.process, own)
        for path in ("/my/partners", "/my/move/municipal/list?prefecture=230006"):
            shown = await browser.get(path)
            check_inert(shown, text)
            assert "".join(text.split()) in shown.words
