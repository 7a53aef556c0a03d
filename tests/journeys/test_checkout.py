"""A citizen pays at a shop with part points, gets part of them back, invests at a fund, and ends the link.

The shop and the fund are processes of their own, on the interface of docs/checkout.md only.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from aiohttp import ClientSession

from hub.process import HubProcess
from schemas.citizens import LinkCitizen
from schemas.links import Linkage, PresentParty, UnlinkCitizen
from schemas.offers import DecideOffer
from schemas.points import BalanceOf
from tests.connectors.checkout.shops import CITY, FUND, POOL, SHOP, STAFF, Street, points_in, street
from tests.connectors.portal.browser import Browser
from tests.connectors.portal.town import client, log_in
from tests.workers.registry.asking import ask
from tests.workers.registry.offices import authorities
from tests.workers.registry.people import created

STOP_LIMIT_S: Final = 10.0
BUYER: Final = "BUYER001"
LINK: Final = "investor-7"


async def test_pay_at_the_shop_and_invest_at_the_fund(database_url: str, tmp_path: Path) -> None:
    issuer = authorities(tmp_path, 1)[0]
    async with (
        street(database_url, "portal", card_anchors=tmp_path) as opened,
        peer(opened, "shop", tmp_path) as shop,
        peer(opened, "fund", tmp_path) as fund,
        client() as session,
    ):
        buyer = await created(opened.process, issuer.card(1), BUYER, base_lg_code=CITY)
        await ask(opened.process, points_in(buyer, "buyer"))
        await shown(opened.process, SHOP, shop)
        await offered(opened.process, SHOP, shop, "apples")
        await offered(opened.process, FUND, fund, "brewery")
        browser = Browser(session, opened.url)
        await log_in(browser, BUYER)

        order = {"order_id": "o-1", "title": "りんご 10kg", "at_most": 800, "item_ids": ["apples"], "price": 600}
        url = (await asked("POST", f"{shop}/buy", order))["url"]
        path = url.removeprefix(opened.url)
        confirm = await browser.submit(await browser.get(path), path, pool=POOL, points="700")
        done = await browser.submit(confirm, "/my/checkout/confirm")
        back = next(link for link in done.markup.links if link.startswith(shop))
        bought = await asked("GET", back)
        assert (bought["state"], bought["points"], bought["captured"]) == ("captured", 700, 600)
        assert await asked("GET", back) == bought
        assert await balance(opened.process, buyer) == 400
        returned = await asked("POST", f"{shop}/refund", {"order_id": "o-1", "refund_id": "r-1", "points": 250})
        assert returned["refunded"] == 250

        await ask(opened.process, LinkCitizen(citizen_id=buyer, party_id=FUND, link_id=LINK))
        told = await asked("GET", f"{fund}/balance?link_id={LINK}")
        assert told["pools"] == [{"pool": POOL, "points": 650}]
        units = {"order_id": "u-1", "link_id": LINK, "points": 500, "pool": POOL, "item_ids": ["brewery"]}
        assert (await asked("POST", f"{fund}/pay", units))["captured"] == 500
        assert (await ask(opened.process, UnlinkCitizen(citizen_id=buyer, party_id=FUND))).code is None
        assert "404" in (await asked("GET", f"{fund}/balance?link_id={LINK}"))["refused"]
        over = await asked("POST", f"{fund}/pay", units | {"order_id": "u-2", "points": 1})
        assert over["refusal"]["code"] == "unknown_link"
        assert await balance(opened.process, buyer) == 150


async def shown(process: HubProcess, party_id: UUID, origin: str) -> None:
    """Its own site is where citizens come back to."""
    page = PresentParty(party_id=party_id, linkage=Linkage.id_link, page_url=f"{origin}/")
    assert (await ask(process, page)).code is None


async def offered(process: HubProcess, party_id: UUID, origin: str, offer_id: str) -> None:
    """The shop posts it by its interface, the city approves it."""
    offer = {"offer_id": offer_id, "title": offer_id, "merchant": "商店", "page_url": f"{origin}/{offer_id}"}
    posted = await asked("POST", f"{origin}/offer", offer | {"lg_codes": [CITY], "revision": 1})
    assert posted["asked"] == [CITY], posted
    decision = DecideOffer(lg_code=CITY, party_id=party_id, offer_id=offer_id, revision=1, approve=True, staff_id=STAFF)
    assert (await ask(process, decision)).code is None


async def balance(process: HubProcess, citizen_id: UUID) -> int:
    return (await ask(process, BalanceOf(citizen_id=citizen_id))).by_pool.get(POOL, 0)


async def asked(method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - whatever is answered
    """What the shop's site answers to its customer."""
    async with ClientSession() as session, session.request(method, url, json=body) as response:
        return await response.json()


@asynccontextmanager
async def peer(opened: Street, name: str, folder: Path) -> AsyncIterator[str]:
    """The program of a shop or fund; yields its address."""
    key_file = folder / f"{name}.key"
    key_file.write_bytes(opened.keys[name])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.peers.shop", "--url", opened.url, "--key-file", str(key_file)),
        *("--key-id", name),
        stdout=PIPE,
    )
    assert process.stdout is not None
    try:
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), STOP_LIMIT_S))
        yield f"http://127.0.0.1:{told['port']}"
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
