"""Every screen of My Page in a real browser, at 1280 px with scripts and at 390 px without: nothing is wrong on any."""

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.browser.browsing import PICTURES, TAKES_PICTURES, Walker, markup_faults, tab_to, walking
from tests.journeys.browser.passing import WINDOWS, Results, numbers_of
from tests.journeys.browser.site import Site
from tests.journeys.browser.walks import MAILED, MAKER, WALKS, log_in

SCREENS: Final = {1, *range(12, 22), *range(40, 64)}
"""画面 of the source that are My Page's, or lead to it."""
pytestmark = pytest.mark.timeout(300)  # the first of them waits for the walks through all screens

JAPANESE: Final = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (!node.parentElement.closest("[lang=ja], script, .mk-person")) found.push(node.textContent.trim());
  }
  return found.filter(text => /[\\u3040-\\u30ff]/.test(text));
}"""


@pytest.mark.parametrize("name", WALKS)
@pytest.mark.parametrize("width", [width for width, _ in WINDOWS])
def test_nothing_is_wrong_on_any_page_of_the_walk(walked: Results, name: str, width: int) -> None:
    found = next(one for (walk, at), one in walked.items() if (walk, at) == (name, width))
    assert not found.faults
    assert found.seen


def test_every_screen_of_the_source_was_seen_at_both_widths(walked: Results) -> None:
    for width, _ in WINDOWS:
        assert SCREENS - numbers_of(walked, width) == set()


def test_the_markup_of_all_pages_is_valid(walked: Results) -> None:
    assert walked
    assert markup_faults(PICTURES) == []


def test_the_eye_sees_what_is_wrong(site: Site, browser: Browser, tmp_path: Path) -> None:
    with walking(browser, site.url, 390, scripts=True) as walker:
        walker.go("/privacy")
        walker.page.evaluate(
            """() => {
              const main = document.querySelector("main");
              main.insertAdjacentHTML("beforeend", '<h1>Two</h1><div id="wide">x</div>');
              main.insertAdjacentHTML("beforeend", '<p class="govuk-button"><b class="mk-required">pale words</b></p>');
              document.getElementById("wide").style.width = "800px";
              document.body.insertAdjacentHTML("beforeend", '<img src="https://elsewhere.invalid/x.png">');
            }"""
        )
        walker.see("spoilt")
        told = "\n".join(walker.faults)
        for word in ("2 main headings", "color-contrast", "image-alt", "not Japanese: pale", "px wide", "policy:"):
            assert word in told
    (tmp_path / "bad.html").write_text("<!DOCTYPE html><html><p><div></p></html>", "utf-8")
    assert markup_faults(tmp_path)


def test_the_keyboard_alone_is_enough(site: Site, browser: Browser) -> None:
    with walking(browser, site.url, 1280, scripts=True) as walker:
        page = walker.page
        walker.go("/login")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.innerText") == "本文へ移動"
        tab_to(page, "マイキーID")
        page.keyboard.type(MAKER)
        tab_to(page, "パスワード")
        page.keyboard.type(site.people[MAKER])
        page.keyboard.press("Enter")
        page.wait_for_url("**/my")
        walker.go("/my/move/municipal")
        tab_to(page, "ポイント（")
        page.keyboard.press("Enter")
        page.wait_for_url("**/amount**")
        tab_to(page, "移行ポイント数")
        page.keyboard.type("10")
        page.keyboard.press("Enter")
        page.wait_for_url("**/confirm**")
        tab_to(page, "実行")
        page.keyboard.press("Enter")
        page.wait_for_url("**/done**")
        tab_to(page, "ログアウトする")
        page.keyboard.press("Enter")
        page.wait_for_url("**/login")
        assert not walker.faults


def _confirm_ten_points(walker: Walker) -> None:
    walker.go("/my/move/municipal")
    walker.lead(walker.page.locator("main .mk-choices__link").first)
    walker.page.get_by_role("textbox").first.fill("10")
    walker.press("確認")


def _reserve(page: Page) -> str:
    return page.locator(".mk-balance").first.locator(".mk-points__number").inner_text()


def test_a_double_click_back_and_reload_act_once(site: Site, browser: Browser) -> None:
    with walking(browser, site.url, 390, scripts=False) as walker:
        page = walker.page
        log_in(walker, site.people, MAKER)
        before = int(_reserve(page).replace(",", ""))
        _confirm_ten_points(walker)
        page.get_by_role("button", name="実行").dblclick()
        page.wait_for_url("**/done**")
        receipt = page.locator(".mk-receipt__number").inner_text()
        page.go_back()
        page.wait_for_url("**/done**")
        page.reload()
        assert page.locator(".mk-receipt__number").inner_text() == receipt
        walker.go("/my")
        assert int(_reserve(page).replace(",", "")) == before - 10
        assert not walker.faults


def test_on_a_phone_with_scripts_the_menu_folds(site: Site, browser: Browser) -> None:
    with walking(browser, site.url, 390, scripts=True) as walker:
        log_in(walker, site.people, MAKER)
        entry = walker.page.get_by_role("navigation").get_by_role("link", name="利用者情報")
        walker.see("home-folded", "19")
        assert not entry.is_visible()
        walker.toggle("メニュー")
        walker.see("home-unfolded", "19")
        walker.lead(entry)
        walker.at("/my/profile")
        walker.go("/login")
        walker.at("/my")
        assert not walker.faults


def test_the_password_can_be_shown(site: Site, browser: Browser) -> None:
    with walking(browser, site.url, 390, scripts=True) as walker:
        walker.go("/login")
        field = walker.page.get_by_label("パスワード", exact=False).first
        field.fill("kawasemi")
        walker.toggle("パスワードを表示する")
        assert field.get_attribute("type") == "text"
        walker.see("log-in-shown", "18")
        assert not walker.faults


def test_buttons_and_fields_show_in_forced_colours(site: Site, browser: Browser) -> None:
    with walking(browser, site.url, 1280, scripts=True, forced_colors="active", color_scheme="dark") as walker:
        for path in ("/", "/login"):
            walker.go(path)
            for one in walker.page.locator(".govuk-button, .govuk-input").all():
                assert one.evaluate("one => getComputedStyle(one).borderTopStyle") == "solid"
        log_in(walker, site.people, MAKER)
        if TAKES_PICTURES:
            walker.page.screenshot(path=str(PICTURES / "forced-colours.png"), full_page=True)


def test_english_pages_are_english(site: Site, browser: Browser) -> None:
    with walking(browser, site.url, 1280, scripts=False) as walker:
        walker.go("/")
        walker.press("English")
        for path in ("/", "/login", "/accessibility", "/privacy", *MAILED.values()):
            walker.go(path)
            assert walker.page.locator("html").get_attribute("lang") == "en"
            assert walker.page.evaluate(JAPANESE) == []


def test_english_pages_fit_too(site: Site, browser: Browser) -> None:
    with walking(browser, site.url, 390, scripts=True) as walker:
        log_in(walker, site.people, MAKER)
        walker.press("English")
        for path in ("", "/services", "/history/reserve", "/move/event", "/profile", "/service-ids", "/revoke"):
            walker.go(f"/my{path}")
            assert [*walker._narrowest(), *walker._rules()] == []
        assert not walker.faults
