"""Moving points and looking at them, as a browser without JavaScript does (画面19, 40–56)."""

import asyncio
import re
from typing import Final

import pytest

from hub.web.pages import encode_cursor
from schemas.history import HistoryPlace
from tests.connectors.portal.browser import Browser, Page
from tests.connectors.portal.town import CITY, CITY_EVENT, FIRST, OTHER_CITY, PREFECTURE, PREFECTURE_EVENT, Town, credit
from tests.workers.registry.asking import ask

pytestmark = pytest.mark.asyncio(loop_scope="module")


RECEIPT: Final = r"171002-[0-9A-Z]{4}-[0-9A-Z]{4}"


async def to_confirm(browser: Browser, target: str, points: str, way: str = "municipal") -> Page:
    page = await browser.get(f"/my/move/{way}/amount?to={target}")
    return await browser.submit(page, f"/my/move/{way}/amount", points=points)


def told_at(page: Page, field_id: str) -> bool:
    """Whether a fault is told at the field, for whoever hears the page too, and in the summary."""
    (described,) = [
        (attributes.get("aria-describedby") or "").split()
        for _tag, attributes in page.markup.elements
        if attributes.get("id") == field_id
    ]
    return f"{field_id}-error" in described and f"#{field_id}" in page.markup.links


async def test_home_tells_what_is_held_and_when_it_moves(shared_town: Town) -> None:
    browser, _citizen_id = await shared_town.somebody()
    page = await browser.get("/my")
    assert "留保ポイント1,500ポイント" in page.words
    assert "2017年10月22日を過ぎると" in page.words or "2017年10月23日を過ぎると" in page.words
    assert "市ポイント基本自治体愛知県高浜市" not in page.words
    assert page.words.count("基本自治体") >= 1


async def test_reserve_points_move_to_a_municipality_once(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    start = await browser.get("/my/move/municipal")
    assert f"/my/move/municipal/amount?to={CITY}" in start.markup.links
    chosen = await browser.get("/my/move/municipal/list?prefecture=400009")
    assert f"/my/move/municipal/amount?to={OTHER_CITY}" in chosen.markup.links
    confirm = await to_confirm(browser, OTHER_CITY, "３００")
    assert confirm.status == 200
    assert "元に戻せません" in confirm.words
    done = await browser.submit(confirm, "/my/move/municipal/confirm")
    assert "ポイントの移行が完了しました。" in done.words
    assert "1,500ポイントから1,200ポイント" in done.words
    again = await browser.submit(confirm, "/my/move/municipal/confirm")
    assert again.path == done.path
    assert re.findall(RECEIPT, again.words) == re.findall(RECEIPT, done.words) != []
    back = await browser.get(confirm.path)
    assert back.path == done.path
    assert await shared_town.balance(citizen_id) == {"reserve": 1_200, f"scheme:{OTHER_CITY}": 300}


async def test_two_clicks_at_once_act_once(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    confirm = await to_confirm(browser, CITY, "100")
    pages = await asyncio.gather(*(browser.submit(confirm, "/my/move/municipal/confirm") for _ in range(4)))
    assert {page.status for page in pages} == {200}
    assert (await shared_town.balance(citizen_id))["reserve"] == 1_400


async def test_more_than_there_is_can_be_mended(shared_town: Town) -> None:
    browser, _citizen_id = await shared_town.somebody()
    wrong = await to_confirm(browser, CITY, "1,501")
    assert wrong.status == 422
    assert "エラー：" in wrong.text
    assert "留保ポイント残高（1,500ポイント）以下" in wrong.words
    assert 'value="1,501"' in wrong.text
    confirm = await browser.submit(wrong, "/my/move/municipal/amount", points="1400")
    rest, other = await to_confirm(browser, CITY, "100"), await to_confirm(browser, CITY, "101")
    await browser.submit(confirm, "/my/move/municipal/confirm")
    refused = await browser.submit(other, "/my/move/municipal/confirm")
    assert refused.status == 409
    assert "ポイントが足りません" in refused.words
    assert told_at(refused, "points")
    await browser.submit(rest, "/my/move/municipal/confirm")
    nothing_left = await browser.submit(other, "/my/move/municipal/confirm")
    assert "ポイントが足りません" in nothing_left.words
    assert "#points" not in nothing_left.markup.links, "there is no such field any more"


async def test_no_prefecture_is_told_at_the_field(shared_town: Town) -> None:
    browser, _page = await shared_town.logged_in(FIRST)
    for way in ("municipal", "event"):
        asked = await browser.get(f"/my/move/{way}")
        page = await browser.ask(f"/my/move/{way}/list", asked.form(f"/my/move/{way}/list").fields | {"prefecture": ""})
        assert page.status == 422
        assert told_at(page, "prefecture")


async def test_reserve_points_move_to_events(shared_town: Town) -> None:
    browser, _citizen_id = await shared_town.somebody()
    listed = await browser.get(f"/my/move/event/list?prefecture={PREFECTURE}")
    assert f"/my/move/event/amount?to={PREFECTURE_EVENT}" in listed.markup.links
    municipal = await browser.get(f"/my/move/event/municipality?holder={CITY}")
    assert f"/my/move/event/amount?to={CITY_EVENT}" in municipal.markup.links
    confirm = await to_confirm(browser, str(CITY_EVENT), "200", "event")
    done = await browser.submit(confirm, "/my/move/event/confirm")
    assert "市の催し" in done.words
    home = await browser.get("/my")
    assert "市の催し" in home.words
    assert "200ポイント有効期限2017年12月2日" in home.words


async def test_histories_tell_where_points_came_from_and_the_balance_after_each(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    confirm = await to_confirm(browser, CITY, "300")
    await browser.submit(confirm, "/my/move/municipal/confirm")
    reserve = await browser.get("/my/history/reserve")
    assert "航空会社" in reserve.words
    assert "移行市ポイント（北名古屋市）（移行元：航空会社）−300ポイント1,200ポイント" in reserve.words
    assert "+500ポイント1,500ポイント" in reserve.words
    municipal = await browser.get("/my/history/municipal")
    assert f"/my/history/municipal/{CITY}" in municipal.markup.links
    scheme = await browser.get(f"/my/history/municipal/{CITY}")
    assert "留保ポイントから移行航空会社+300ポイント300ポイント" in scheme.words
    assert (await browser.get("/my/history/municipal/131016")).status == 404
    for number in range(25):
        await ask(shared_town.process, credit(citizen_id, f"more-{number}", 1))
    first = await browser.get("/my/history/reserve")
    following = next(link for link in first.markup.links if "after=" in link)
    last = await browser.get(following)
    assert "航空会社+1,000ポイント1,000ポイント" in last.words
    assert not any("after=" in link for link in last.markup.links)
    for block, place in ((2**63, 0), (-1, 0), (0, 2**31), (0, -1), (2**70, 0)):
        made_up = encode_cursor(HistoryPlace(block=block, number=place))
        assert (await browser.get(f"/my/history/reserve?after={made_up}")).status == 400, (block, place)


async def test_partners_are_listed_with_the_way_in(shared_town: Town) -> None:
    browser, _page = await shared_town.logged_in(FIRST)
    partners = await browser.get("/my/partners")
    assert "航空会社です。" in partners.words
    assert "https://airline.example/" in partners.markup.links


async def test_nobody_sees_another_ones_form_or_receipt(shared_town: Town) -> None:
    mine, _page = await shared_town.logged_in()
    confirm = await to_confirm(mine, CITY, "100")
    done = await mine.submit(confirm, "/my/move/municipal/confirm")
    other, _other_page = await shared_town.logged_in("TANAKA01")
    assert (await other.get(confirm.path)).status == 404
    assert (await other.get(done.path)).status == 404
