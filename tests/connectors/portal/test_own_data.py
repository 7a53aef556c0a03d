"""One's own data, coupons and linked services (画面20, 21, 57–61), without JavaScript."""

import asyncio
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Final
from unittest.mock import AsyncMock
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.portal.citizen.coupon_links import CouponLink, signed_text
from connectors.portal.ground.onetime import FormKeys
from hub.errors import TransientError
from hub.keys import Keys
from schemas.citizens import LinkCitizen, ProfileOf
from schemas.grants import COUPON_KEY, Coupon, RegisterCoupons
from schemas.links import PNG_HEAD, Linkage, LinksOf, PresentParty
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from schemas.service_ids import Issuer, IssuerKind, RegisterIssuer, RegisterServiceId
from schemas.values import RESERVE
from tests.connectors.portal.browser import Browser, Page
from tests.connectors.portal.town import AIRLINE, CITY, OTHER_CITY, Town, log_in
from tests.running import SECRET_KEY
from tests.workers.registry.asking import ask
from tests.workers.registry.people import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")

CARD: Final = UUID(int=0xC1)
CODE: Final = "ABCD1234EFGH"
NEW_PASSWORD: Final = "mugi-8251-tsubame"
PNG: Final = PNG_HEAD + b"a picture"


async def through_identity(browser: Browser, page: Page) -> Page:
    """Asked again who it is."""
    assert page.path.startswith("/my/identity"), page.words
    return await browser.submit(page, "/my/identity", password=PASSWORD)


async def test_another_mail_address_is_asked_for_again_and_set_once(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    form = await browser.get("/my/profile/mail")
    bad = await browser.submit(form, "/my/profile/mail", mail="ない")
    assert bad.status == 422
    confirm = await through_identity(
        browser, await browser.submit(form, "/my/profile/mail", mail="ｎｅｗ@mail.example")
    )  # fmt: skip
    assert "one@mail.example" in confirm.words
    done = await asyncio.gather(*(browser.submit(confirm, "/my/profile/mail/confirm") for _ in range(2)))
    assert {page.path.partition("?")[0] for page in done} == {"/my/profile/mail/done"}
    found = (await ask(shared_town.process, ProfileOf(citizen_id=citizen_id))).profile
    assert found is not None
    assert found.mail == "new@mail.example"


async def test_the_base_municipality_and_the_notices_are_changed(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    page = await browser.submit(await browser.get("/my/profile/base"), "/my/profile/base", prefecture="400009")
    assert "筑後市" in page.words
    page = await browser.submit(page, "/my/profile/base/municipality", base_lg_code=OTHER_CITY)
    done = await browser.submit(page, "/my/profile/base/confirm")
    assert "福岡県筑後市" in done.words
    page = await browser.submit(await browser.get("/my/profile/notices"), "/my/profile/notices", choices="on_grant")
    done = await browser.submit(page, "/my/profile/notices/confirm")
    assert "お知らせメールの設定を変更しました。" in done.words
    found = (await ask(shared_town.process, ProfileOf(citizen_id=citizen_id))).profile
    assert found is not None
    assert (found.base_lg_code, found.choices.on_grant, found.choices.on_expiry) == (OTHER_CITY, True, False)
    nowhere = await browser.post(
        "/my/profile/base/municipality?prefecture=400009",
        {**page.markup.forms[-1].fields, "base_lg_code": "131016"},
    )
    assert nowhere.status in {400, 403, 422}


async def test_a_new_password_ends_all_other_sessions(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    found = (await ask(shared_town.process, ProfileOf(citizen_id=citizen_id))).profile
    assert found is not None
    other = shared_town.browser()
    assert (await log_in(other, found.mykey_id)).path == "/my"
    form = await browser.get("/my/profile/password")
    for old, new in ((PASSWORD, "short"), ("not this one, no", NEW_PASSWORD)):
        refused = await browser.submit(form, "/my/profile/password", old_password=old, new_password=new)
        assert refused.status == 422
        assert PASSWORD not in refused.text
    done = await browser.submit(form, "/my/profile/password", old_password=PASSWORD, new_password=NEW_PASSWORD)
    assert "パスワードを変更しました。" in done.words
    assert (await browser.get("/my")).path == "/my"
    assert (await other.get("/my")).path == "/login"


async def test_two_clicks_at_once_change_the_password_once(shared_town: Town) -> None:
    browser, _citizen_id = await shared_town.somebody()
    form = await browser.get("/my/profile/password")
    sent = [
        browser.submit(form, "/my/profile/password", old_password=PASSWORD, new_password=NEW_PASSWORD) for _ in range(2)
    ]
    done = await asyncio.gather(*sent)
    assert {(page.status, page.path.partition("?")[0]) for page in done} == {(200, "/my/profile/password/done")}
    assert len({page.path for page in done}) == 1
    assert (await browser.get("/my")).path == "/my"


async def test_a_password_whose_change_cannot_be_kept_is_not_changed(
    shared_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, citizen_id = await shared_town.somebody()
    found = (await ask(shared_town.process, ProfileOf(citizen_id=citizen_id))).profile
    assert found is not None
    form = await browser.get("/my/profile/password")
    with monkeypatch.context() as patched:
        patched.setattr(FormKeys, "keep", AsyncMock(side_effect=TransientError("away")))
        told = await browser.submit(form, "/my/profile/password", old_password=PASSWORD, new_password=NEW_PASSWORD)
    assert (told.status, "操作は行われていません。" in told.words) == (503, True)
    assert (await log_in(shared_town.browser(), found.mykey_id)).path == "/my"


async def test_a_coupon_filled_in_by_a_link_is_used_once(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    await _coupons(shared_town)
    page = await browser.get(await _signed_link(shared_town))
    assert 'value="abcd-1234-efgh"' in page.text
    hostile = await browser.get("/my/coupon?code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&partner=%27")
    assert "<script>alert" not in hostile.text
    assert (await browser.get("/my/coupon?points=%3Cscript%3E")).status == 400
    assert "99,999ポイント" in page.words
    confirm = await browser.submit(page, "/my/coupon", partner=str(CARD))
    assert "移行ポイント数40ポイント" in confirm.words
    done = await asyncio.gather(*(browser.submit(confirm, "/my/coupon/confirm") for _ in range(3)))
    assert len({page.path for page in done}) == 1
    assert "1,500ポイントから1,540ポイント" in done[0].words
    assert (await shared_town.balance(citizen_id))[RESERVE] == 1_540
    again = await browser.submit(page, "/my/coupon", partner=str(CARD))
    unknown = await browser.submit(page, "/my/coupon", partner=str(CARD), code="ZZZZ1234ZZZZ")
    assert again.status == unknown.status == 422
    assert "このクーポン番号は利用できません" in again.words
    assert "このクーポン番号は利用できません" in unknown.words


async def test_a_link_that_nobody_signed_fills_no_code_in(shared_town: Town) -> None:
    browser, _citizen_id = await shared_town.somebody()
    await _coupons(shared_town)
    link = await _signed_link(shared_town)
    for spoilt in (link.replace("99999", "99998"), link.partition("&sig=")[0], f"/my/coupon?partner={CARD}&code=abcd"):
        page = await browser.get(spoilt)
        assert page.status == 200
        assert 'value="abcd' not in page.text
        assert "99,99" not in page.words
        assert "協力会社のものと確かめられないため" in page.words
        assert f'value="{CARD}" selected' in page.text


async def test_whoever_guesses_coupons_is_slowed_down(shared_town: Town) -> None:
    browser, _citizen_id = await shared_town.somebody()
    await _coupons(shared_town, "RIGHT1234567")
    page = await browser.get("/my/coupon")
    statuses = [
        (await browser.submit(page, "/my/coupon", partner=str(CARD), code=f"GUESS{number:04}")).status
        for number in range(6)
    ]
    assert statuses == [422] * 5 + [429]
    right = await browser.submit(page, "/my/coupon", partner=str(CARD), code="RIGHT1234567")
    assert right.status == 429, "a good number is answered like any other by then"
    assert "15分ほど待ってから" in right.words


async def test_services_are_shown_and_a_link_is_ended(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    await _coupons(shared_town)
    await ask(shared_town.process, LinkCitizen(citizen_id=citizen_id, party_id=AIRLINE, link_id=f"al-{citizen_id}"))
    page = await browser.get("/my/services")
    assert page.words.index("航空会社") < page.words.index("カード会社")
    assert "航空会社連携済み" in page.words
    assert "2017年10月2日" in (await browser.get(f"/my/services/{AIRLINE}")).words
    logo = await browser.get(f"/parties/{CARD}/logo")
    assert (logo.status, logo.headers["Content-Type"]) == (200, "image/png")
    assert (await browser.get(f"/parties/{AIRLINE}/logo")).status == 404
    assert (await browser.get(f"/my/services/{uuid4()}")).status == 404
    confirm = await browser.get(f"/my/services/{AIRLINE}/unlink")
    done = await browser.submit(confirm, f"/my/services/{AIRLINE}/unlink")
    assert "航空会社との連携を解除しました。" in done.words
    assert (await ask(shared_town.process, LinksOf(citizen_id=citizen_id))).links == []


async def test_a_shop_and_a_fund_are_linked_to_use_points_there(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    for kind in (PartyKind.shop, PartyKind.fund):
        party_id = uuid4()
        await ask(shared_town.process, RegisterParty(party_id=party_id, kind=kind, name=f"利用先{kind}"))
        page = PresentParty(party_id=party_id, linkage=Linkage.id_link, page_url="https://shop.example/")
        await ask(shared_town.process, page)
        await ask(shared_town.process, LinkCitizen(citizen_id=citizen_id, party_id=party_id, link_id=str(party_id)))
        shown = await browser.get(f"/my/services/{party_id}")
        assert "買い物や支援に、自治体ポイントを利用できます" in shown.words
        assert not [word for word in ("ポイントを移す手順", "ポイント移行", "協力会社") if word in shown.words]
        confirm = await browser.get(f"/my/services/{party_id}/unlink")
        assert "このサービスではポイントを利用できなくなります" in confirm.words
        assert "受け取ったポイント" not in confirm.words
    partners = await browser.get(f"/my/services/{AIRLINE}")
    assert "ポイントを移す手順" in partners.words


async def test_service_ids_are_listed_by_issuer(shared_town: Town) -> None:
    browser, citizen_id = await shared_town.somebody()
    assert "登録されているサービスIDはありません" in (await browser.get("/my/service-ids")).words
    issuer = Issuer(issuer_id="000777", name="中央図書館", kind=IssuerKind.library, lg_code=CITY, pattern="[0-9]{6}")
    await ask(shared_town.process, RegisterIssuer(issuer=issuer))
    registering = RegisterServiceId(
        citizen_id=citizen_id, issuer_id="000777", number="123456", terminal_id="T232343ABCDEF", operation_id=uuid4()
    )
    await ask(shared_town.process, registering)
    assert "中央図書館図書館123456登録済み" in (await browser.get("/my/service-ids")).words


async def test_my_page_speaks_english(shared_town: Town) -> None:
    browser, _citizen_id = await shared_town.somebody()
    page = await browser.get("/my/profile")
    await browser.submit(page, "/language", lang="en")
    page = await browser.get("/my/profile")
    assert 'lang="en"' in page.text
    assert "Basemunicipality" in page.words
    assert "利用者情報" not in page.words


async def test_pages_of_one_citizen_are_not_anothers(shared_town: Town) -> None:
    mine, _mine = await shared_town.somebody()
    others, _others = await shared_town.somebody()
    form = await mine.get("/my/profile/notices")
    confirm = await mine.submit(form, "/my/profile/notices", choices="on_grant")
    assert (await others.get(confirm.path)).status == 404


async def _coupons(shared_town: Town, code: str = CODE) -> None:
    process = shared_town.process
    await ask(process, RegisterParty(party_id=CARD, kind=PartyKind.partner, name="カード会社"))
    page = PresentParty(party_id=CARD, linkage=Linkage.coupon, page_url="https://card.example/", logo=PNG)
    await ask(process, page)
    code_hash = Keys(SECRET_KEY.encode()).hasher(COUPON_KEY).hash(code.encode())
    coupon = Coupon(
        code_hash=code_hash, points=40, pool=RESERVE, last=process.clock.business_date() + timedelta(days=9)
    )
    await ask(process, RegisterCoupons(party_id=CARD, coupons=(coupon,)))


async def _signed_link(shared_town: Town) -> str:
    """As the card company makes it."""
    key = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    public = key.public_key().public_bytes_raw()
    registered = RegisterPartyKey(party_id=CARD, key_id="card-1", algorithm=KeyAlgorithm.ed25519, key_bytes=public)
    await ask(shared_town.process, registered)
    until = str(int(shared_town.process.clock.now().timestamp()) + 600)
    link = CouponLink(partner=str(CARD), code="abcd-1234-efgh", points="99999", until=until, key="card-1")
    signature = urlsafe_b64encode(key.sign(signed_text(link))).decode().rstrip("=")
    return f"/my/coupon?{urlencode({**link.model_dump(), 'sig': signature})}"
