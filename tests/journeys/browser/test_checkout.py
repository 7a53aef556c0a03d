"""A shop sends a citizen here (mission I.7): choice, confirmation, done, and what they say when it cannot be."""

import asyncio
import shutil
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar
from uuid import UUID

import pytest
from playwright.sync_api import Browser

from schemas.points import UsePoints
from tests.connectors.checkout.buyers import BUYER, checkout
from tests.connectors.checkout.shops import CITY, PAGE, POOL, SHOP, Street, points_in, street
from tests.journeys.browser.browsing import PICTURES, Walker, Width, markup_faults, tab_to, walking
from tests.journeys.browser.walks import log_in
from tests.workers.registry.asking import ask
from tests.workers.registry.offices import authorities
from tests.workers.registry.people import PASSWORD, created

T = TypeVar("T")

LIMIT_S: Final = 60.0
PEOPLE: Final = {BUYER: PASSWORD}
POINTS: Final = "９０"


@dataclass
class Shopping:
    """A hub at work on a loop of its own, and what a shop and a counter do there meanwhile."""

    opened: Street
    citizen_id: UUID
    loop: asyncio.AbstractEventLoop
    _numbers: "count[int]"

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(LIMIT_S)

    def order(self, **changes: object) -> str:
        """Where the shop sends the citizen, below the hub's address."""
        asked = checkout(f"2017-{next(self._numbers):06}") | changes
        url: str = self.wait(self.opened.party().done("POST", "/checkouts", asked))["url"]
        return url.removeprefix(self.opened.url)

    def balance(self) -> int:
        """In points of the city."""
        return self.wait(self.opened.balance_of(self.citizen_id))

    def spend(self, points: int) -> None:
        """At a counter, meanwhile."""
        number = next(self._numbers)
        used = UsePoints(
            party_id=SHOP,
            command_id=f"counter-{number}",
            request_hash=bytes(16),
            citizen_id=self.citizen_id,
            pool=POOL,
            points=points,
            store_id=UUID(int=0xB1),
            lg_code=CITY,
        )
        assert self.wait(ask(self.opened.process, used)).status == "posted"

    def fill(self) -> None:
        """A thousand more."""
        self.wait(ask(self.opened.process, points_in(self.citizen_id, f"more-{next(self._numbers)}")))


@contextmanager
def shopping(database_url: str, folder: Path) -> Iterator[Shopping]:
    """Opened in a thread, because the browser is waited for in this one."""
    loop = asyncio.new_event_loop()
    ready: Future[Shopping] = Future()
    ended = asyncio.Event()

    async def serve() -> None:
        issuer = authorities(folder, 1)[0]
        async with street(database_url, "portal", card_anchors=folder) as opened:
            citizen_id = await created(opened.process, issuer.card(1), BUYER, base_lg_code=CITY)
            ready.set_result(Shopping(opened, citizen_id, loop, count(1)))
            await ended.wait()

    serving = asyncio.run_coroutine_threadsafe(serve(), loop)
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield ready.result(LIMIT_S)
    finally:
        loop.call_soon_threadsafe(ended.set)
        serving.result(LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT_S)
        loop.close()


@pytest.fixture(scope="module")
def shop(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shopping]:
    with shopping(shared_database_url, tmp_path_factory.mktemp("shop")) as made:
        yield made


@contextmanager
def visiting(browser: Browser, shop: Shopping, width: Width, *, scripts: bool) -> Iterator[Walker]:
    """A window whose pages lie in a folder of their own, and in which pages may say that it cannot be."""
    shop.fill()
    with walking(browser, shop.opened.url, width, scripts=scripts) as walker:
        walker.name = f"checkout-{walker.name}"
        walker.refusals |= {"404", "409"}
        yield walker


def chosen(walker: Walker, points: str = POINTS) -> None:
    """The form of the choice, filled in and sent."""
    walker.page.get_by_label("北名古屋市").check()
    walker.fill("利用ポイント数", points)
    walker.press("確認")


def way_back(walker: Walker) -> str:
    """Where the shop's link leads."""
    return walker.page.locator(f"main a[href^='{PAGE}']").get_attribute("href") or ""


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wrong_on_any_page_on_the_way(
    shop: Shopping, browser: Browser, width: Width, *, scripts: bool
) -> None:
    with visiting(browser, shop, width, scripts=scripts) as walker:
        shutil.rmtree(PICTURES / walker.name, ignore_errors=True)
        path, before = shop.order(), shop.balance()
        walker.go(path)
        walker.at("/login")
        walker.see("log-in")
        walker.fill("マイキーID", BUYER)
        walker.page.get_by_label("パスワード", exact=False).first.fill(PASSWORD)
        walker.press("ログイン")
        walker.at("/my/checkout")
        walker.see("choice")
        assert "mykey_outcome=cancelled" in way_back(walker)
        chosen(walker, "401")
        walker.see("choice-faults")
        chosen(walker)
        walker.at("/my/checkout/confirm")
        walker.see("confirm")
        walker.press("利用")
        walker.at("/my/checkout/done")
        walker.see("done")
        assert "mykey_outcome=authorized&mykey_points=90&" in way_back(walker)
        assert shop.balance() == before - 90
        _what_cannot_be(walker, shop, path)
        assert walker.faults == []
    assert markup_faults(PICTURES / walker.name) == []


def _what_cannot_be(walker: Walker, shop: Shopping, path: str) -> None:
    walker.go(path)
    walker.see("over")
    walker.go(shop.order(item_ids=["tea"]))
    walker.see("nothing-to-use")
    path = shop.order()
    walker.go(path)
    chosen(walker)
    shop.spend(shop.balance() - 10)
    walker.press("利用")
    walker.see("refused")
    walker.follow("選び直す")
    walker.at("/my/checkout")


def test_the_keyboard_alone_is_enough(shop: Shopping, browser: Browser) -> None:
    with visiting(browser, shop, 1280, scripts=True) as walker:
        page = walker.page
        walker.go(shop.order())
        tab_to(page, "マイキーID")
        page.keyboard.type(BUYER)
        tab_to(page, "パスワード")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/my/checkout?**")
        tab_to(page, "北名古屋市")
        page.keyboard.press("Space")
        tab_to(page, "利用ポイント数")
        page.keyboard.type("10")
        page.keyboard.press("Enter")
        page.wait_for_url("**/confirm**")
        tab_to(page, "利用|")  # the button, not the menu
        page.keyboard.press("Enter")
        page.wait_for_url("**/done**")
        tab_to(page, "ショップへ戻る")
        assert page.evaluate("() => document.activeElement.href").startswith(PAGE)
        assert walker.faults == []


def test_a_double_click_back_and_reload_use_points_once(shop: Shopping, browser: Browser) -> None:
    with visiting(browser, shop, 390, scripts=False) as walker:
        page = walker.page
        log_in(walker, PEOPLE, BUYER)
        before = shop.balance()
        walker.go(shop.order())
        chosen(walker)
        page.get_by_role("button", name="利用", exact=True).dblclick()
        page.wait_for_url("**/done**")
        receipt = page.locator(".mk-receipt__number").inner_text()
        page.go_back()
        page.wait_for_url("**/done**")
        page.reload()
        assert page.locator(".mk-receipt__number").inner_text() == receipt
        assert shop.balance() == before - 90
        assert walker.faults == []
