"""A citizen links accounts in a browser; partners' providers are real ones on loopback (画面57)."""

from functools import partial
from typing import Final

import pytest
from aiohttp import web

from schemas.links import Linkage, PresentParty
from tests.connectors.partner.town import transfer
from tests.connectors.portal.street import CARD_COMPANY, POWER_COMPANY, Parties, serving_at
from tests.connectors.portal.town import AIRLINE
from tests.waiting import wait_until
from tests.workers.registry.asking import ask
from tests.workers.registry.people import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_linked_member_moves_points_in_from_the_partners_own_page(street: Parties) -> None:
    browser, citizen_id = await street.town.somebody()
    confirm = await street.to_confirm(browser)
    assert "もう一度ご本人であることを確認します" in confirm.words
    assert await street.link_id("member-000000001") is None
    done = await street.confirmed(browser, confirm)
    assert "ID連携が完了しました。" in done.words
    link_id = await street.link_id("member-000000001")
    assert link_id is not None
    item = {**transfer("J-1"), "link_id": link_id}
    assert (await street.partner().batch(item))[0]["status"] == "posted"
    assert (await street.town.balance(citizen_id))["reserve"] == 2_500


async def test_the_airlines_next_key_is_found(street: Parties) -> None:
    browser, _citizen_id = await street.town.somebody()
    street.card_company.rotate()
    done = await street.linked(browser, CARD_COMPANY, "third")
    assert "ID連携が完了しました。" in done.words


async def test_a_click_more_and_a_look_back_change_nothing(street: Parties) -> None:
    browser, _citizen_id = await street.town.somebody()
    confirm = await street.to_confirm(browser, login="third")
    page = await browser.submit(confirm, "/my/identity", password=PASSWORD)
    first = await browser.submit(page, "/my/link/confirm")
    second = await browser.submit(page, "/my/link/confirm")
    assert first.path == second.path
    assert "ID連携が完了しました。" in second.words
    assert (await browser.get(page.path)).path == first.path


async def test_an_end_gives_the_tokens_back(street: Parties) -> None:
    browser, _citizen_id = await street.town.somebody()
    await street.linked(browser, CARD_COMPANY)
    assert await street.link_id("member-000000001", CARD_COMPANY) is not None
    held = set(street.card_company.tokens)
    page = await browser.get(f"/my/services/{CARD_COMPANY}/unlink")
    await browser.submit(page, f"/my/services/{CARD_COMPANY}/unlink")
    assert await street.link_id("member-000000001", CARD_COMPANY) is None
    await wait_until(lambda: len(street.card_company.tokens) == len(held) - 1, deadline_s=10)
    again = await street.linked(browser, CARD_COMPANY)
    assert "ID連携が完了しました。" in again.words
    await browser.submit(
        await browser.get(f"/my/services/{CARD_COMPANY}/unlink"), f"/my/services/{CARD_COMPANY}/unlink"
    )


async def test_a_party_without_openid_connect_answers_by_its_signed_api(street: Parties) -> None:
    browser, _citizen_id = await street.town.somebody()
    url = await street.begin(browser, POWER_COMPANY)
    assert url.startswith("http://127.0.0.1:1/members/login?linking=")
    linking = url.partition("linking=")[2]
    told = {"linking": linking, "subject": "K-0001"}
    await street.post("/membership-answers", told, AIRLINE, 404)
    guessed = await browser.get(f"/my/link/callback/{POWER_COMPANY}?state={linking}&code=guessed")
    assert guessed.status == 409, "a guess ends the linking, and links nobody"
    linking = (await street.begin(browser, POWER_COMPANY)).partition("linking=")[2]
    told = {"linking": linking, "subject": "K-0001"}
    return_to = (await street.post("/membership-answers", told, POWER_COMPANY))["return_to"]
    await street.post("/membership-answers", told, POWER_COMPANY, 404)
    confirm = await browser.get(return_to.removeprefix(street.town.url))
    done = await street.confirmed(browser, confirm)
    assert "ID連携が完了しました。" in done.words
    assert await street.link_id("K-0001", POWER_COMPANY) is not None
    assert await street.link_id("K-0001", AIRLINE) is None


async def test_a_refusal_at_the_partner_is_told(street: Parties) -> None:
    browser, _citizen_id = await street.town.somebody()
    page = await street.to_confirm(browser, login="nobody")
    assert page.status == 409
    assert "手続きが中止されたため" in page.words


GOOD: Final = {"points": 70, "to": "reserve"}


async def test_a_coupon_that_was_used_elsewhere_meanwhile_is_not_credited(street: Parties) -> None:
    says: list[dict[str, object] | None] = [GOOD]

    async def check(_request: web.Request) -> web.Response:
        return web.Response(status=404) if says[0] is None else web.json_response(says[0])

    browser, citizen_id = await street.town.somebody()
    before = (await street.town.balance(citizen_id))["reserve"]
    async with serving_at("/coupons", check) as url:
        await _answers_online(street, url)
        form = await browser.get("/my/coupon")
        typed = partial(browser.submit, form, "/my/coupon", partner=str(CARD_COMPANY), code="ELSEWHERE001")
        confirm = await typed()
        for says[0] in (None, {**GOOD, "points": 60}):
            at_confirm = await browser.submit(confirm, "/my/coupon/confirm")
            assert (at_confirm.status, "このクーポン番号は利用できません" in at_confirm.words) == (409, True)
            at_entry = await typed()
            assert (at_entry.status, "このクーポン番号は利用できません" in at_entry.words) == (422, True)
    away = await browser.submit(confirm, "/my/coupon/confirm")
    assert (away.status, "時間をおいて" in away.words) == (409, True)
    away = await typed()
    assert (away.status, "時間をおいて" in away.words) == (422, True)
    assert (await street.town.balance(citizen_id))["reserve"] == before
    async with serving_at("/coupons", check) as url:
        says[0] = GOOD
        await _answers_online(street, url)
        await browser.submit(confirm, "/my/coupon/confirm")
    assert (await street.town.balance(citizen_id))["reserve"] == before + 70


async def _answers_online(street: Parties, url: str) -> None:
    answer = await street.put("/coupon-check", {"url": url}, CARD_COMPANY)
    assert answer["public_key"].startswith("whpk_")
    page = PresentParty(
        party_id=CARD_COMPANY, linkage=Linkage.coupon, page_url="https://card.example/", asks_coupons=True
    )
    await ask(street.town.process, page)


async def test_a_coupon_is_asked_for_where_its_partner_answers_online(street: Parties) -> None:
    asked: list[dict[str, object]] = []

    async def check(request: web.Request) -> web.Response:
        asked.append({"body": await request.json(), "signature": request.headers["webhook-signature"]})
        good = asked[-1]["body"]["data"]["code"] == "GOODCODE0001"  # type: ignore[index]
        return web.json_response(GOOD) if good else web.Response(status=404)

    async with serving_at("/coupons", check) as url:
        await _answers_online(street, url)
        browser, citizen_id = await street.town.somebody()
        form = await browser.get("/my/coupon")
        wrong = await browser.submit(form, "/my/coupon", partner=str(CARD_COMPANY), code="WRONGCODE001")
        assert (wrong.status, "このクーポン番号は利用できません" in wrong.words) == (422, True)
        confirm = await browser.submit(form, "/my/coupon", partner=str(CARD_COMPANY), code="good-code-0001")
        assert "移行ポイント数70ポイント" in confirm.words
        await browser.submit(confirm, "/my/coupon/confirm")
        assert (await street.town.balance(citizen_id))["reserve"] == 1_570
        used = await browser.submit(form, "/my/coupon", partner=str(CARD_COMPANY), code="good-code-0001")
        assert used.status == 422
    away = await browser.submit(form, "/my/coupon", partner=str(CARD_COMPANY), code="WRONGCODE002")
    assert "サービスにつながりません" in away.words
    assert str(asked[0]["signature"]).startswith("v1a,")
