"""Where the mails to an office lead, as long as it has no console: what the page says to type is what is done."""

import io
import shlex
from typing import Final
from uuid import UUID

import pytest
from pydantic import SecretStr
from rich.console import Console

from connectors.checkout.commands import ASKER, _parser
from hub.asking import RefusedError, carry_out
from hub.settings import Settings
from schemas.offers import ReferBusiness
from tests.connectors.checkout.shops import CITY, FUND, SHOP, STAFF, Street, street
from tests.connectors.checkout.test_offers import TEA, tea
from tests.connectors.portal.browser import Browser
from tests.connectors.portal.town import client
from tests.running import SECRET_KEY
from tests.workers.registry.asking import ask

CAPITALS: Final = {"LG_CODE": CITY, "STAFF_ID": str(STAFF), "COMMENT": "産地を書いてください。"}
REFERRAL: Final = UUID(int=7)


async def typed(database_url: str, opened: Street, path: str) -> list[str]:
    """Each command of the page, with its capitals filled in, done; what they show."""
    async with client() as session:
        page = await Browser(session, opened.url).get(path)
    assert page.status == 200, page.text
    assert "操作する画面は、まだありません" in page.words
    said = [line.strip() for line in page.markup.words if line.strip().startswith("mykey-hub offers ")]
    return [await run(database_url, *(CAPITALS.get(word, word) for word in shlex.split(line)[2:])) for line in said]


async def run(database_url: str, *words: str) -> str:
    """What a command shows."""
    settings = Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))
    console = Console(record=True, width=300, file=io.StringIO())
    await carry_out(_parser().parse_args(words), settings, console, ASKER)
    return console.export_text()


async def test_a_mail_s_address_leads_to_how_a_decision_is_registered(database_url: str) -> None:
    async with street(database_url, "portal") as opened:
        shop, fund = opened.party("shop"), opened.party("fund")
        await shop.done("POST", "/offers", tea(revision=3))
        assert "承認依頼中" in await run(database_url, "list", CITY, "--state", "asked")
        done = await typed(database_url, opened, f"/municipal/offers/{SHOP}/{TEA}?revision=3")
        assert done == [f"{TEA}: approved\n", f"{TEA}: sent back\n"], "both of the page, the last word counts"
        told = (await shop.done("GET", f"/offers/{TEA}"))["approvals"]
        assert told == [{"lg_code": CITY, "state": "sent_back", "comment": CAPITALS["COMMENT"]}]
        assert CAPITALS["COMMENT"] in await run(database_url, "list", CITY)
        with pytest.raises(RefusedError):
            await typed(database_url, opened, f"/municipal/offers/{SHOP}/{TEA}?revision=2")

        await ask(opened.process, ReferBusiness(referral_id=REFERRAL, lg_code=CITY, party_id=FUND, business="茶園"))
        page = f"/municipal/referrals/{REFERRAL}"
        with pytest.raises(RefusedError):
            await typed(database_url, opened, page)
        await fund.done("POST", f"/referrals/{REFERRAL}/screening", {"passed": True})
        assert await typed(database_url, opened, page) == [f"{REFERRAL}: consented\n"]
        assert "consented" in await run(database_url, "referrals", CITY)
        with pytest.raises(RefusedError):
            await run(database_url, "consent", CITY, str(UUID(int=8)), "--staff", str(STAFF))
