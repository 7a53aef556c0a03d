"""Coupons are guessed in vain (画面20), and nobody is kept from entering theirs by it."""

from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from connectors.portal.ground import guesses
from schemas.links import Linkage, PresentParty
from schemas.parties import PartyKind, RegisterParty
from tests.connectors.portal.browser import Browser, Page
from tests.connectors.portal.street import CARD_COMPANY, parties
from tests.connectors.portal.town import Town
from tests.waiting import wait_until
from tests.workers.registry.asking import ask, rows_of

CARD: Final = UUID(int=0xC1)
TRIES: Final = 20
PAUSE: Final = "INSERT INTO hub.pause (component, operator, reason) VALUES ('ledger', 'root', 'repair')"


async def test_whoever_guesses_on_and_on_keeps_nobody_else_out(
    portal_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SOURCE_LIMIT", 7)
    monkeypatch.setattr(guesses, "GLOBAL_LIMIT", 9)
    await with_coupons(portal_town)
    one, _citizen_id = await portal_town.somebody()
    other, _citizen_id = await portal_town.somebody()
    assert await guessed(one, TRIES) == [422] * guesses.CITIZEN_LIMIT + [429] * (TRIES - guesses.CITIZEN_LIMIT)
    assert await guessed(other, 1) == [422]


async def test_a_partner_that_is_away_uses_up_nobodys_tries(database_url: str, tmp_path: Path) -> None:
    async with parties(database_url, tmp_path) as street:
        await street.put("/coupon-check", {"url": "http://127.0.0.1:1/coupons"}, CARD_COMPANY)
        page = PresentParty(
            party_id=CARD_COMPANY, linkage=Linkage.coupon, page_url="https://card.example/", asks_coupons=True
        )
        await ask(street.town.process, page)
        browser, _citizen_id = await street.town.somebody()
        answers = await entered(browser, guesses.CITIZEN_LIMIT + 1, CARD_COMPANY)
    assert {(one.status, "サービスにつながりません" in one.words) for one in answers} == {(422, True)}
    assert await tries(database_url) == [0, 0, 0]


async def test_what_nobody_could_look_up_uses_up_no_tries(portal_town: Town, database_url: str) -> None:
    await with_coupons(portal_town)
    browser, _citizen_id = await portal_town.somebody()
    pauses = portal_town.process.pauses
    await rows_of(database_url, PAUSE)
    await wait_until(lambda: pauses.has("ledger"))
    assert await guessed(browser, guesses.CITIZEN_LIMIT + 1) == [503] * (guesses.CITIZEN_LIMIT + 1)
    assert await tries(database_url) == [0, 0, 0]
    await rows_of(database_url, "DELETE FROM hub.pause")
    await wait_until(lambda: not pauses.has("ledger"))
    assert await guessed(browser, 1) == [422]
    assert await tries(database_url) == [1, 1, 1]


async def with_coupons(town: Town) -> None:
    await ask(town.process, RegisterParty(party_id=CARD, kind=PartyKind.partner, name="カード会社"))
    await ask(town.process, PresentParty(party_id=CARD, linkage=Linkage.coupon, page_url="https://card.example/"))


async def tries(database_url: str) -> list[int]:
    """By citizen, by source, and all together, in whatever order."""
    return [row["tries"] for row in await rows_of(database_url, "SELECT tries FROM portal.guess")]


async def guessed(browser: Browser, count: int) -> list[int]:
    """How so many codes that nobody gave out are answered."""
    return [answer.status for answer in await entered(browser, count, CARD)]


async def entered(browser: Browser, count: int, party_id: UUID) -> list[Page]:
    """What comes of so many codes."""
    page = await browser.get("/my/coupon")
    codes = (f"GUESS{number:04}" for number in range(count))
    return [await browser.submit(page, "/my/coupon", partner=str(party_id), code=code) for code in codes]
