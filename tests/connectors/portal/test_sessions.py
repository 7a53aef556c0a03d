"""Sessions: fixation, theft, tabs, ends that are seen everywhere, cookies (ASVS 5.0 3.3, 7.2–7.4; mission IV.2)."""

import re
from datetime import timedelta
from pathlib import Path

from hub.clock import AdjustableClock
from schemas.logins import Confirm, EndSessions
from tests.connectors.portal.browser import Browser
from tests.connectors.portal.town import AIRLINE, CITY, FIRST, SECOND, Town, log_in, portal, town
from tests.workers.registry.asking import ask
from tests.workers.registry.people import PASSWORD

SESSION = "mykey-session"
VISIT = "mykey-visit"


async def test_a_session_that_was_planted_is_not_the_one_that_logs_in(portal_town: Town) -> None:
    victim = portal_town.browser()
    victim.cookies = {SESSION: "A" * 22, VISIT: "B" * 22}
    page = await log_in(victim)
    assert page.path == "/my"
    assert victim.cookies[SESSION] != "A" * 22
    assert victim.cookies[VISIT] != "B" * 22


async def test_nobody_logs_in_over_a_session_that_is_alive(portal_town: Town) -> None:
    attacker, _page = await portal_town.logged_in(SECOND)
    victim = portal_town.browser()
    asked = await victim.get("/login")
    victim.cookies[SESSION] = attacker.cookies[SESSION]
    refused = await victim.submit(asked, "/login", mykey_id=FIRST, password=PASSWORD)
    assert refused.status == 403
    assert victim.cookies[SESSION] == attacker.cookies[SESSION]


async def test_stolen_cookies_are_worth_nothing_after_log_out(portal_town: Town) -> None:
    browser, page = await portal_town.logged_in()
    thief = browser.copy()
    assert (await thief.get("/my", follow=False)).status == 200
    out = await browser.submit(page, "/logout", follow=False)
    assert out.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert SESSION not in browser.cookies
    assert (await thief.get("/my")).path == "/login"
    assert "ログアウトしました" in (await browser.get("/login")).words
    assert "ログアウトしました" not in (await browser.get("/login")).words


async def test_reading_never_logs_out(portal_town: Town) -> None:
    browser, _page = await portal_town.logged_in()
    assert (await browser.get("/logout")).status == 405
    assert (await browser.get("/my")).path == "/my"


async def test_a_form_in_another_tab_stays_good_when_the_session_gets_a_new_id(portal_town: Town) -> None:
    browser, _page = await portal_town.logged_in()
    tab = await browser.get(f"/my/move/municipal/amount?to={CITY}")
    confirm = Confirm(session=browser.cookies[SESSION], source="203.0.113.9", password=PASSWORD)
    old, fresh = browser.cookies[SESSION], (await ask(portal_town.process, confirm)).session
    assert fresh is not None
    browser.cookies[SESSION] = fresh
    assert (await browser.submit(tab, "/my/move/municipal/amount", points="1")).status == 200
    thief = browser.copy()
    thief.cookies[SESSION] = old
    assert (await thief.get("/my")).path == "/login"


async def test_a_tab_of_somebody_else_acts_for_nobody(portal_town: Town) -> None:
    browser, page = await portal_town.logged_in()
    tab = await browser.get(f"/my/move/municipal/amount?to={CITY}")
    await browser.submit(page, "/logout")
    gone = await browser.submit(tab, "/my/move/municipal/amount", points="1")
    assert gone.path == "/login"
    await log_in(browser, SECOND)
    stale = await browser.submit(tab, "/my/move/municipal/amount", points="1")
    assert stale.status == 403
    assert "この画面は古くなっています" in stale.words


async def test_an_end_is_seen_by_all_processes_at_once(
    portal_town: Town, database_url: str, tmp_path: Path, clock: AdjustableClock
) -> None:
    browser, _page = await portal_town.logged_in()
    async with portal(database_url, tmp_path, clock, "portal") as (_process, url):
        elsewhere = browser.copy()
        elsewhere.url = elsewhere.origin = url
        assert (await elsewhere.get("/my")).path == "/my"
        assert (await elsewhere.get("/my")).path == "/my"
        await ask(portal_town.process, EndSessions(subject_id=portal_town.first))
        assert (await elsewhere.get("/my")).path == "/login"
        assert (await browser.get("/my")).path == "/login"


async def test_a_session_ends_by_idleness_and_says_so(portal_town: Town, clock: AdjustableClock) -> None:
    browser, _page = await portal_town.logged_in()
    clock.move_to(clock.now() + timedelta(minutes=31))
    left = await browser.get("/my/history/reserve")
    assert left.path == "/login"
    assert left.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "安全のため、ログアウトしました" in left.words
    assert SESSION not in browser.cookies
    again = await browser.submit(left, "/login", mykey_id=FIRST, password=PASSWORD)
    assert again.path == "/my/history/reserve"


async def test_a_second_click_that_comes_with_the_old_session_does_not_log_out(portal_town: Town) -> None:
    browser, page = await portal_town.logged_in()
    confirm = Confirm(session=browser.cookies[SESSION], source="203.0.113.9", password=PASSWORD)
    late = browser.copy()
    fresh = (await ask(portal_town.process, confirm)).session
    assert fresh is not None
    browser.cookies[SESSION] = fresh
    answer = await late.post("/my/move/municipal/confirm", page.form("/logout").fields)
    assert answer.status == 303
    assert not [cookie for cookie in answer.cookies if SESSION in cookie]
    assert (await browser.get(answer.headers["Location"])).path == "/my"


async def test_a_log_in_leads_where_one_wanted_to_go_and_nowhere_else(portal_town: Town) -> None:
    browser = portal_town.browser()
    asked = await browser.get("/my/history/reserve")
    assert asked.path == "/login"
    page = await browser.submit(asked, "/login", mykey_id="my-choice", password=PASSWORD)
    assert page.path == "/my/history/reserve"
    for forged in ("aHR0cHM6Ly9ldmlsLmV4YW1wbGUv", "Ly9ldmlsLmV4YW1wbGUv", "L2xvZ291dA", "L215LwpYOiAx", "%", "_w"):
        other = portal_town.browser()
        asked = await other.get("/login")
        other.cookies["mykey-next"] = forged
        assert (await other.submit(asked, "/login", mykey_id=FIRST, password=PASSWORD)).path == "/my"


async def test_a_page_with_an_id_in_its_address_is_gone_back_to(portal_town: Town) -> None:
    browser, path = portal_town.browser(), f"/my/history/municipal/{CITY}"
    asked = await browser.get(path)
    page = await browser.submit(asked, "/login", mykey_id=FIRST, password=PASSWORD)
    assert page.path == path
    for address in (path, f"{path}?after=", f"/my/services/{AIRLINE}", f"/municipal/referrals/{AIRLINE}"):
        shown = await browser.get(address)
        assert (await browser.submit(shown, "/language", lang="en")).path == address
    for elsewhere in (f"/parties/{AIRLINE}/logo", f"/my/link/callback/{AIRLINE}?state=x", f"{path}0", f"{path}\n"):
        fields = page.form("/language").fields | {"back": elsewhere, "lang": "ja"}
        assert (await browser.post("/language", fields)).headers["Location"] == "/", elsewhere
    for unkept in (f"/parties/{AIRLINE}/logo", f"/my/link/callback/{AIRLINE}?state=x"):
        stranger = portal_town.browser()
        asked = await stranger.get(unkept)
        assert (await stranger.submit(asked, "/login", mykey_id=FIRST, password=PASSWORD)).path == "/my"


async def test_a_wrong_password_says_the_same_as_a_wrong_id(portal_town: Town) -> None:
    texts = set()
    for mykey_id, password in ((FIRST, "wrong wrong quince"), ("NOBODY99", PASSWORD)):
        page = await log_in(portal_town.browser(), mykey_id, password=password)
        assert page.status == 422
        assert "wrong wrong" not in page.text
        texts.add(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", page.words))
    assert len(texts) == 1


async def test_cookies_of_a_portal_in_production(database_url: str, tmp_path: Path) -> None:
    async with town(database_url, tmp_path, public_url="https://hub.example") as opened:
        browser = Browser(opened.session, opened.url, "https://hub.example")
        asked = await browser.get("/login")
        page = await browser.submit(asked, "/login", mykey_id=FIRST, password=PASSWORD, remember="yes", follow=False)
        assert page.status == 303
        assert {"__Host-mykey-session", "__Host-mykey-visit", "__Host-mykey-device"} <= browser.cookies.keys()
        out = await browser.submit(await browser.get("/my"), "/logout", follow=False)
        for one in (*asked.cookies, *page.cookies, *out.cookies):
            assert one.startswith("__Host-")
            for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
                assert part in one.split("; ")
            assert "Domain" not in one
        assert "__Host-mykey-device" in browser.cookies
        from_loopback = Browser(opened.session, opened.url)
        assert (await log_in(from_loopback)).status == 403
