"""`mykey-hub offers`: from the office's application to what it approves and consents to."""

import io
from uuid import UUID

import pytest
from pydantic import SecretStr
from rich.console import Console

from connectors.checkout import commands
from hub.asking import RefusedError, carry_out
from hub.settings import Settings
from schemas.municipalities import RegisterScheme
from tests.connectors.checkout.shops import CITY, FUND, OFFICE, PAGE, SHOP, STAFF, Shop, Street
from tests.running import SECRET_KEY
from tests.workers.registry.asking import ask

TOWN = "402117"
TEA = {
    "offer_id": "tea",
    "title": "茶",
    "merchant": "茶園",
    "page_url": f"{PAGE}tea",
    "lg_codes": [TOWN],
    "revision": 1,
}


async def run(database_url: str, *words: str) -> str:
    """What a command shows."""
    settings = Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))
    console = Console(record=True, width=240, file=io.StringIO())
    await carry_out(commands._parser().parse_args(words), settings, console, commands.ASKER)
    return console.export_text()


async def test_an_office_applies_is_asked_and_decides(open_street: Street, shop: Shop, database_url: str) -> None:
    await ask(open_street.process, RegisterScheme(lg_code=TOWN, point_name="ポイント", expiry_rule="none"))
    assert (await shop.done("POST", "/offers", TEA))["refusal"]["code"] == "not_applied"
    for _ in range(2):
        await run(database_url, "apply", TOWN, str(SHOP), "direct", "--mail", OFFICE)
    with pytest.raises(RefusedError):
        await run(database_url, "apply", TOWN, str(UUID(int=1)), "direct", "--mail", OFFICE)
    assert (await shop.done("POST", "/offers", TEA))["asked"] == [TOWN]
    shown = await run(database_url, "list", TOWN)
    assert "承認依頼中" in shown
    assert "there are more" not in shown
    decide = (TOWN, str(SHOP), "tea", "1", "--staff", str(STAFF))
    approve = ("approve", *decide, "--id", str(UUID(int=0xD1)))
    await run(database_url, *approve)
    assert (await shop.done("GET", "/offers/tea"))["approvals"][0]["state"] == "approved"
    await run(database_url, "send-back", *decide, "--comment", "産地を書いてください。")
    await run(database_url, *approve)
    assert (await shop.done("GET", "/offers/tea"))["approvals"][0]["state"] == "sent_back", (
        "the colleague's word stands"
    )


async def test_a_list_that_ends_early_says_so(
    open_street: Street, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_street.url
    monkeypatch.setattr(commands, "PAGES_LIMIT", 1)
    monkeypatch.setattr(commands, "asked", lambda model, **values: model(**values | {"limit": 1}))
    assert "there are more than these 1" in await run(database_url, "list", CITY)


async def test_an_office_refers_a_business_once_and_consents(open_street: Street, database_url: str) -> None:
    fund = open_street.party("fund")
    with pytest.raises(RefusedError):
        await run(database_url, "refer", TOWN, str(FUND), "茶園")
    await run(database_url, "apply", TOWN, str(FUND), "direct", "--mail", OFFICE)
    shown = [await run(database_url, "refer", TOWN, str(FUND), "茶園") for _ in range(2)]
    assert shown[0] == shown[1]
    referral_id = shown[0].split()[0]
    await fund.done("POST", f"/referrals/{referral_id}/screening", {"passed": True})
    await run(database_url, "consent", TOWN, referral_id, "--staff", str(STAFF))
    assert "consented" in await run(database_url, "referrals", TOWN)
