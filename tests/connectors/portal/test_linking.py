"""A citizen links accounts in a browser; partners' providers are real ones on loopback (画面57)."""

import pytest

from tests.connectors.partner.town import transfer
from tests.connectors.portal.street import CARD_COMPANY, POWER_COMPANY, Parties
from tests.connectors.portal.town import AIRLINE
from tests.waiting import wait_until
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
