"""A MyKey ID by the card: made, logged in with, changed, revoked (画面12–18, 62, 63), without JavaScript."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest
import pytest_asyncio

from reader_agent import desk
from schemas.citizens import CitizenBehind
from schemas.mykey_ids import CreateMyKeyId, RevokeMyKeyId
from tests.connectors.portal.away import away_after, unheard
from tests.connectors.portal.browser import Browser, Page
from tests.connectors.portal.cards import PASSWORD, CardTown, Reader, card_town
from tests.connectors.portal.town import FIRST, NOW, credit, log_in, portal
from tests.connectors.terminal.agents import DEADLINE_S
from tests.connectors.terminal.counters import ticket_of
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import JpkiCard
from tests.waiting import wait_until
from tests.workers.registry.asking import ask

pytestmark = pytest.mark.asyncio(loop_scope="module")

RELEASED: Final = """
SELECT count(*) FROM terminal.job WHERE terminal_id = $1 AND kind = 'release' AND sent_at IS NOT NULL
"""
TAKEN: Final = "このマイキーIDは使用中か、過去に使用されています。"
SHOWN: Final = re.compile(r'class="mk-code">([0-9A-Z]{8})<')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cards(
    shared_database_url: str, tmp_path_factory: pytest.TempPathFactory, card_authority: CardAuthority
) -> AsyncIterator[CardTown]:
    async with card_town(shared_database_url, tmp_path_factory.mktemp("cards"), card_authority) as opened:
        yield opened


async def is_logged_out(browser: Browser) -> None:
    """Wait until My Page leads to the log-in."""

    async def is_out() -> bool:
        return (await browser.get("/my")).path == "/login"

    await wait_until(is_out, DEADLINE_S)


def candidate(page: Page) -> str:
    """The MyKey ID that a page shows first."""
    return str(SHOWN.findall(page.text)[0])


async def test_a_mykey_id_is_made_once_and_its_citizen_is_logged_in(cards: CardTown) -> None:
    browser = cards.town.browser()
    confirm = await cards.to_confirm(browser, cards.readers[0], "ｎｅｗ0-0001", name="氏名 一", choices="on_expiry")
    assert "NEW00001" in confirm.words
    assert "ポイントが失効した場合" in confirm.words
    short = await browser.submit(confirm, "/create/confirm", password="mugi")
    assert short.status == 422
    assert "12文字以上" in short.words
    sent = [browser.submit(confirm, "/create/confirm", password=PASSWORD) for _ in range(3)]
    pages = await asyncio.gather(*sent)
    assert {(page.status, page.path.partition("?")[0]) for page in pages} == {(200, "/create/done")}
    assert "マイキーIDの作成・登録が完了しました。" in pages[0].words
    assert (await ask(cards.town.process, CitizenBehind(mykey_id="NEW00001"))).citizen_id is not None
    assert "NEW00001" in (await browser.get("/my/profile")).words
    again = await browser.get(confirm.path)
    assert again.path == pages[0].path
    other = cards.town.browser()
    refused = await other.submit(await other.get("/create"), "/create", card=cards.readers[0].card)
    assert refused.status == 422
    assert (await other.get(confirm.path)).status == 404


async def test_taking_the_card_out_leaves_nothing_of_a_new_mykey_id_behind(cards: CardTown) -> None:
    reader, browser = cards.readers[8], cards.town.browser()
    confirm = await cards.to_confirm(browser, reader, "NEW00008")
    details = next(link for link in confirm.markup.links if link.startswith("/create/details"))
    done = await browser.submit(confirm, "/create/confirm", password=PASSWORD)
    assert "カードを取り外すと、ログアウトします。" in done.words
    assert (await browser.get(done.path)).status == 200
    reader.slot.remove()
    await is_logged_out(browser)
    assert [(await browser.get(path)).status for path in (done.path, confirm.path, details)] == [404, 404, 404]


async def test_what_fails_after_a_mykey_id_was_made_does_not_say_that_nothing_was_done(
    cards: CardTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = cards.town.browser()
    confirm = await cards.to_confirm(browser, cards.readers[10], "NEW00010")
    with monkeypatch.context() as patched:
        away_after(patched, CreateMyKeyId)
        done = await browser.submit(confirm, "/create/confirm", password=PASSWORD)
    assert "マイキーIDの作成・登録が完了しました。" in done.words
    assert "カードを取り外すと" not in done.words
    assert (await browser.get("/my")).path == "/login"
    assert (await log_in(browser, "NEW00010", password=PASSWORD)).path == "/my"


async def test_a_mykey_id_whose_answer_was_lost_is_pressed_again(
    cards: CardTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = cards.town.browser()
    confirm = await cards.to_confirm(browser, cards.readers[12], "NEW00012")
    with monkeypatch.context() as patched:
        unheard(patched, CreateMyKeyId)
        lost = await browser.submit(confirm, "/create/confirm", password=PASSWORD)
    assert (lost.status, "二重に処理されることはありません。" in lost.words) == (503, True)
    done = await browser.submit(confirm, "/create/confirm", password=PASSWORD)
    assert "カードを取り外すと、ログアウトします。" in done.words
    assert "NEW00012" in (await browser.get("/my/profile")).words


async def test_a_browser_that_goes_away_has_nobody_asked_for_a_pin_any_more(cards: CardTown) -> None:
    reader, browser = cards.readers[7], cards.town.browser()
    page = await browser.get("/create")
    reader.citizen.waits = True
    leaving = asyncio.create_task(browser.submit(page, "/create", card=reader.card))
    await wait_until(lambda: reader.citizen.asked)
    leaving.cancel()
    reader.citizen.waits = False

    async def is_released() -> bool:
        async with cards.town.process.database_of("terminal").reading() as reading:
            return bool(await reading.fetch_value(RELEASED, reader.card))

    await wait_until(is_released)
    assert (await browser.submit(page, "/create", card=reader.card)).status == 200


async def test_it_is_chosen_by_the_two_buttons(cards: CardTown) -> None:
    browser = cards.town.browser()
    page = await browser.submit(await browser.get("/create"), "/create", card=cards.readers[1].card)
    for left in (2, 1, 0):
        page = await browser.submit(page, "/create/id/check", mykey_id=FIRST)
        assert TAKEN in page.words
        assert (f"あと{left}回" in (await browser.get(page.path)).words) == (left > 0)
    assert "自分で決めることはできなくなりました" in page.words
    offers = []
    for _ in range(3):
        page = await browser.submit(page, "/create/id/offer")
        offers.append(candidate(page))
    assert len(set(offers)) == 3
    assert "自動生成は3回までです" in page.words
    assert [form.action for form in page.markup.forms if "/create/id" in form.action] == ["/create/id/take"]


async def test_an_earlier_candidate_is_refused_where_it_is_chosen(cards: CardTown) -> None:
    browser = cards.town.browser()
    page = await browser.submit(await browser.get("/create"), "/create", card=cards.readers[1].card)
    pages = []
    for _ in range(3):
        page = await browser.submit(page, "/create/id/offer")
        pages.append(page)
    refused = await browser.submit(pages[0], "/create/id/take")
    assert refused.path.startswith("/create/id")
    assert "確認できる回数を超えました" in refused.words
    assert candidate(pages[0]) not in refused.words
    last = await browser.submit(refused, "/create/id/offer")
    assert candidate(last) == candidate(pages[2])
    assert (await browser.submit(last, "/create/id/take")).path.startswith("/create/place")


async def test_the_card_logs_in_and_its_removal_logs_out(cards: CardTown) -> None:
    reader = cards.readers[2]
    await cards.create(reader, "NEW00003")
    browser = cards.town.browser()
    page = await browser.submit(await browser.get("/login/card"), "/login/card", card=reader.card)
    assert page.path == "/my"
    empty = cards.town.browser()
    refused = await empty.submit(await empty.get("/login/card"), "/login/card", card=cards.readers[1].card)
    assert refused.status == 422
    assert "マイキーID" in refused.words
    reader.slot.remove()
    await is_logged_out(browser)


async def test_a_mykey_id_is_changed_by_its_own_card_alone(cards: CardTown) -> None:
    reader = cards.readers[3]
    browser, _done = await cards.create(reader, "NEW00004")
    others = await browser.submit(await browser.get("/my/mykey-id"), "/my/mykey-id", card=cards.readers[0].card)
    assert others.status == 422
    page = await browser.submit(await browser.get("/my/mykey-id"), "/my/mykey-id", card=reader.card)
    page = await browser.submit(page, "/my/mykey-id/id/offer")
    new = candidate(page)
    confirm = await browser.submit(page, "/my/mykey-id/id/take")
    assert "元に戻せません" in confirm.words
    pages = await asyncio.gather(*(browser.submit(confirm, "/my/mykey-id/confirm") for _ in range(2)))
    assert {page.path.partition("?")[0] for page in pages} == {"/my/mykey-id/done"}
    assert (await ask(cards.town.process, CitizenBehind(mykey_id="NEW00004"))).citizen_id is None
    assert (await log_in(cards.town.browser(), new, password=PASSWORD)).path == "/my"


async def test_a_forgotten_password_is_replaced_by_the_card(cards: CardTown) -> None:
    reader, browser, new = cards.readers[9], cards.town.browser(), "hotaru-3390-yanagi"
    await cards.create(reader, "NEW00009")
    assert "パスワードを忘れたとき" in (await browser.get("/login")).words
    await browser.submit(await browser.get("/login/card"), "/login/card", card=reader.card)
    form = await browser.get("/my/profile/password")
    others = await browser.submit(form, "/my/profile/password/card", card=cards.readers[1].card)
    assert (others.status, "ご本人のカードをお使いください" in others.words) == (422, True)
    page = await browser.submit(form, "/my/profile/password/card", card=reader.card)
    assert page.path.startswith("/my/profile/password/new"), page.words
    short = await browser.submit(page, "/my/profile/password/new", new_password="mugi")
    assert (short.status, "12文字以上" in short.words) == (422, True)
    sent = [browser.submit(short, "/my/profile/password/new", new_password=new) for _ in range(2)]
    pages = await asyncio.gather(*sent)
    assert {one.path.partition("?")[0] for one in pages} == {"/my/profile/password/done"}
    assert (await browser.get(page.path)).path == pages[0].path
    assert (await log_in(cards.town.browser(), "NEW00009", password=new)).path == "/my"
    assert (await log_in(cards.town.browser(), "NEW00009", password=PASSWORD)).status == 422


async def let_go(reader: Reader) -> JpkiCard:
    """Wait until the terminal has powered the card off, which stays where it is."""
    card = reader.slot.card(reader.slot.present()[0])
    assert isinstance(card, JpkiCard)
    await wait_until(lambda: not card.is_verified(), DEADLINE_S)
    return card


async def test_whoever_takes_long_types_the_pin_once_more_and_has_a_mykey_id(
    cards: CardTown, card_authority: CardAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "HOLD_LIMIT_S", 0.2)
    reader, browser = cards.readers[6], cards.town.browser()
    confirm = await cards.to_confirm(browser, reader, "NEW00006")
    card = await let_go(reader)
    assert len(reader.citizen.asked) == 1
    reader.slot.insert(JpkiCard(card_authority.issue(issued_at=NOW - timedelta(days=400))))
    other = await browser.submit(confirm, "/create/confirm", password=PASSWORD)
    assert other.status == 422
    assert "同じカードをセットして" in other.words
    reader.slot.remove()
    none = await browser.submit(other, "/create/confirm", password=PASSWORD)
    assert "同じカードをセットして" in none.words
    assert (await ask(cards.town.process, CitizenBehind(mykey_id="NEW00006"))).citizen_id is None
    reader.slot.insert(card)
    done = await browser.submit(none, "/create/confirm", password=PASSWORD)
    assert done.path.startswith("/create/done"), done.words
    assert len(reader.citizen.asked) == 3
    page = await browser.submit(await browser.get("/my/mykey-id"), "/my/mykey-id", card=reader.card)
    page = await browser.submit(page, "/my/mykey-id/id/offer")
    confirm = await browser.submit(page, "/my/mykey-id/id/take")
    await let_go(reader)
    changed = await browser.submit(confirm, "/my/mykey-id/confirm")
    assert changed.path.startswith("/my/mykey-id/done"), changed.words
    assert (await log_in(cards.town.browser(), candidate(page), password=PASSWORD)).path == "/my"


async def test_a_mykey_id_is_revoked_after_showing_what_is_lost(cards: CardTown) -> None:
    browser, _done = await cards.create(cards.readers[4], "NEW00005")
    found = await ask(cards.town.process, CitizenBehind(mykey_id="NEW00005"))
    assert found.citizen_id is not None
    await ask(cards.town.process, credit(found.citizen_id, "new5", 321))
    stolen = browser.copy()
    shown = await browser.get("/my/revoke")
    assert "321ポイント" in shown.words
    asked = await browser.submit(shown, "/my/revoke")
    assert asked.path.startswith("/my/identity")
    wrong = await browser.submit(asked, "/my/identity", password="not this one, no")
    assert wrong.status == 422
    confirm = await browser.submit(asked, "/my/identity", password=PASSWORD)
    assert confirm.path.startswith("/my/revoke/confirm")
    assert "元に戻せません" in confirm.words
    done, second = await asyncio.gather(*(browser.submit(confirm, "/my/revoke/confirm") for _ in range(2)))
    late = await browser.submit(confirm, "/my/revoke/confirm")
    for page in (done, second, late):
        assert "マイキーIDを失効しました。" in page.words
        assert "321ポイント" in page.words
        assert page.path.startswith("/revoked")
    assert [(await one.get("/my")).path for one in (browser, stolen)] == ["/login", "/login"]
    assert (await log_in(cards.town.browser(), "NEW00005", password=PASSWORD)).status == 422
    assert (await cards.town.browser().get(done.path)).status == 404


async def test_a_revocation_whose_answer_was_lost_is_pressed_again(
    cards: CardTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, _done = await cards.create(cards.readers[11], "NEW00011")
    asked = await browser.submit(await browser.get("/my/revoke"), "/my/revoke")
    confirm = await browser.submit(asked, "/my/identity", password=PASSWORD)
    others = cards.town.browser()
    others.cookies["mykey-guest"] = browser.cookies["mykey-guest"]
    assert (await others.submit(confirm, "/my/revoke/confirm")).path == "/login"
    with monkeypatch.context() as patched:
        unheard(patched, RevokeMyKeyId)
        lost = await browser.submit(confirm, "/my/revoke/confirm")
    assert (lost.status, "二重に処理されることはありません。" in lost.words) == (503, True)
    done = await browser.submit(confirm, "/my/revoke/confirm")
    assert "マイキーIDを失効しました。" in done.words


async def test_without_the_demo_a_terminals_ticket_opens_the_card_way_once(
    cards: CardTown, shared_database_url: str
) -> None:
    """No virtual card is to be had, and no log-in offered."""
    reader, folder, clock = cards.readers[5], cards.demo.parent, cards.town.process.clock
    components = ("registry", "ledger", "portal")
    async with portal(
        shared_database_url, folder, clock, *components, public_url=cards.town.url
    ) as (_process, url):  # fmt: skip
        browser = cards.town.browser(url)
        browser.origin = cards.town.url
        page = await browser.get("/create")
        assert "新しいカード" not in page.text
        assert "デモ" not in (await browser.get("/")).words
        at_s = int(clock.now().timestamp())
        for wrong in ("", "T232343ABCDEF", ticket_of(reader.terminal, at_s=at_s - 120), reader.card):
            assert (await browser.submit(page, "/create", card=wrong)).status == 422
        used, ticket = (ticket_of(reader.terminal, at_s=at_s) for _ in range(2))
        reader.citizen.pin = "9999"
        refused = await browser.submit(page, "/create", card=used)
        assert (refused.status, refused.form("/create").fields["card"]) == (422, "")
        reader.citizen.pin = "1234"
        again = await browser.submit(refused, "/create", card=used)
        assert "新しいチケットを表示して" in again.words
        opened = await browser.submit(page, "/create", card=ticket)
        assert opened.path.startswith("/create/id"), opened.words
        assert (await browser.submit(page, "/create", card=ticket)).status == 422
