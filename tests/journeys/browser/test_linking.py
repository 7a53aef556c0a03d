"""An account is linked in a real browser: out to another site, back, and the session is still there (画面57)."""

import pytest
from playwright.sync_api import Browser

from tests.journeys.browser.browsing import walking
from tests.journeys.browser.site import Site
from tests.journeys.browser.walks import log_in

WHO = {True: "DEMO0001", False: "DEMO0002"}


@pytest.mark.parametrize("scripts", [True, False])
def test_an_account_is_linked_and_the_link_is_ended(site: Site, browser: Browser, *, scripts: bool) -> None:
    who = WHO[scripts]
    with walking(browser, site.url, 390, scripts=scripts) as walker:
        log_in(walker, site.people, who)
        page = walker.page
        walker.go("/my/services")
        walker.lead(page.locator(".mk-partner", has_text="電力会社").get_by_role("link").last)
        walker.see("link")
        page.get_by_role("button", name="IDを連携する").click()
        page.wait_for_url("http://localhost:*/authorize*")
        page.get_by_label("会員ID").fill("denki")
        page.get_by_label("パスワード").fill("akari")
        page.get_by_role("button", name="ログイン").click()
        page.wait_for_url(f"{site.url}/my/identity*")
        walker.identify(site.people[who])
        walker.at("/my/link/confirm")
        walker.see("link-confirm", "57")
        walker.press("連携する")
        walker.at("/my/link/done")
        walker.see("link-done", "57")
        walker.follow("連携を見る")
        walker.follow("連携を解除する")
        walker.press("連携を解除する")
        assert walker.faults == []
