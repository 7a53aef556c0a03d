"""The mails' HTML part looks like the portal, and nothing is wrong with it either."""

from importlib.resources import files
from string import Template
from typing import Final

from playwright.sync_api import Browser

from connectors.mail.texts import Filling, read_words
from tests.journeys.browser.browsing import AXE, AXE_RUN, NARROWEST

FILLED: Final = Filling(
    name="試験 花子",
    pool="特定支援イベントポイント（とても長い名前の自治体）",
    points="1,234,567",
    day="2017年11月1日",
    last_day="2018年10月31日",
    unsubscribe_url=f"https://hub.example/mail/unsubscribe/{'a' * 44}",
)


def _pages() -> dict[str, str]:
    page = Template((files("connectors.mail") / "texts" / "page.html").read_text("utf-8"))
    form = '<form method="post"><button type="submit">停止する</button></form>'
    letters = {name: words.html.substitute(FILLED.escaped()) for name, words in read_words().items()}
    return letters | {"page": page.substitute(title="お知らせメールの停止", main=form, nonce="n")}


def test_nothing_is_wrong_with_any_mail_on_the_narrowest_screen(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": NARROWEST, "height": 700}, reduced_motion="reduce")
    page.set_content("<title>empty</title>")
    page.evaluate(AXE.read_text("utf-8"))
    for name, html in _pages().items():
        page.set_content(html)
        assert page.evaluate(AXE_RUN) == [], name
        assert page.evaluate("() => document.documentElement.scrollWidth") == NARROWEST, name
    page.close()
