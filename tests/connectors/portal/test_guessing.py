"""Coupons are guessed in vain (画面20), and nobody is kept from entering theirs by it."""

from typing import Final
from uuid import UUID

import pytest

from connectors.portal.ground import guesses
from schemas.links import Linkage, PresentParty
from schemas.parties import PartyKind, RegisterParty
from tests.connectors.portal.browser import Browser
from tests.connectors.portal.town import Town
from tests.workers.registry.asking import ask

CARD: Final = UUID(int=0xC1)
TRIES: Final = 20


async def test_whoever_guesses_on_and_on_keeps_nobody_else_out(
    portal_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "SOURCE_LIMIT", 7)
    monkeypatch.setattr(guesses, "GLOBAL_LIMIT", 9)
    await ask(portal_town.process, RegisterParty(party_id=CARD, kind=PartyKind.partner, name="カード会社"))
    await ask(
        portal_town.process, PresentParty(party_id=CARD, linkage=Linkage.coupon, page_url="https://card.example/")
    )
    one, _citizen_id = await portal_town.somebody()
    other, _citizen_id = await portal_town.somebody()
    assert await guessed(one, TRIES) == [422] * guesses.CITIZEN_LIMIT + [429] * (TRIES - guesses.CITIZEN_LIMIT)
    assert await guessed(other, 1) == [422]


async def guessed(browser: Browser, count: int) -> list[int]:
    """How so many codes that nobody gave out are answered."""
    page = await browser.get("/my/coupon")
    codes = (f"GUESS{number:04}" for number in range(count))
    return [(await browser.submit(page, "/my/coupon", partner=str(CARD), code=code)).status for code in codes]
