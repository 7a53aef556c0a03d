"""After a log-out the back button shows nothing of what was there (ASVS 5.0 14.3.1)."""

import pytest
from playwright.sync_api import Browser

from tests.journeys.browser.browsing import walking
from tests.journeys.browser.site import Site
from tests.journeys.browser.walks import log_in


@pytest.mark.parametrize("scripts", [True, False])
def test_back_after_log_out_shows_nothing(site: Site, browser: Browser, *, scripts: bool) -> None:
    with walking(browser, site.url, 1280, scripts=scripts) as walker:
        log_in(walker, site.people, "DEMO0001")
        page = walker.page
        for path in ("/my", "/my/history/reserve", "/my/profile"):
            page.goto(f"{site.url}{path}")
        shown = page.inner_text("main")
        walker.press("ログアウトする")
        assert page.url.endswith("/login")
        for _step in range(3):
            page.go_back()
            assert page.url.endswith("/login")
            assert "DEMO0001" not in page.content()
            assert page.inner_text("main") != shown
        cookies = {one["name"] for one in page.context.cookies()}
        assert "mykey-session" not in cookies
