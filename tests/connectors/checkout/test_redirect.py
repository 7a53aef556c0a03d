"""A shop sends a citizen to our page; points are chosen and confirmed; a signed address leads back."""

from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from schemas.points import BalanceOf, UsePoints
from tests.connectors.checkout.shops import CITY, PAGE, POINTS, POOL, SHOP, Shop, Street, points_in, street
from tests.connectors.portal.browser import Browser, Page
from tests.connectors.portal.town import client, log_in
from tests.workers.registry.asking import ask
from tests.workers.registry.offices import authorities
from tests.workers.registry.people import created

BUYER = "BUYER001"


@dataclass(frozen=True)
class Buyer:
    """A citizen with points, at a browser."""

    street: Street
    citizen_id: UUID
    browser: Browser

    async def balance(self) -> int:
        """Of the city's points."""
        return (await ask(self.street.process, BalanceOf(citizen_id=self.citizen_id))).by_pool.get(POOL, 0)


@pytest.fixture
async def buyer(database_url: str, tmp_path: Path) -> AsyncIterator[Buyer]:
    issuer = authorities(tmp_path, 1)[0]
    async with street(database_url, "portal", card_anchors=tmp_path) as opened, client() as session:
        citizen_id = await created(opened.process, issuer.card(1), BUYER, base_lg_code="232343")
        await ask(opened.process, points_in(citizen_id, "buyer"))
        yield Buyer(opened, citizen_id, Browser(session, opened.url))


async def opened(shop: Shop, order_id: str = "o-1", at_most: int = 400) -> str:
    answer = await shop.done("POST", "/checkouts", checkout(order_id, at_most))
    url: str = answer["url"]
    assert url.startswith(f"{shop.url}/my/checkout?id=")
    return url.removeprefix(shop.url)


def checkout(order_id: str, at_most: int = 400, return_url: str = f"{PAGE}back?cart=7") -> dict[str, object]:
    return {
        "order_id": order_id,
        "title": "米 5kg",
        "at_most": at_most,
        "item_ids": ["rice-5kg"],
        "return_url": return_url,
    }


async def verified(shop: Shop, address: str) -> dict[str, str]:
    """What a signed address tells; raises InvalidSignature."""
    key = await shop.done("GET", "/return-key")
    public = load_pem_public_key(key["public_key_pem"].encode())
    assert isinstance(public, Ed25519PublicKey)
    signed, _, signature = address.partition("&mykey_signature=")
    public.verify(urlsafe_b64decode(signature + "=="), f"{key['purpose']}\n{signed}".encode())
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def way_back(page: Page) -> str:
    return next(link for link in page.markup.links if link.startswith(PAGE))


async def test_points_are_chosen_and_confirmed_once_and_the_shop_goes_on(buyer: Buyer) -> None:
    shop, browser = buyer.street.party(), buyer.browser
    path = await opened(shop)
    sent_to_log_in = await browser.get(path)
    assert sent_to_log_in.path == "/login"
    page = await log_in(browser, BUYER)
    assert page.path == path
    assert "米5kg" in page.words
    confirm = await browser.submit(page, path, pool=POOL, points="３００")
    assert "700ポイント" in confirm.words
    done = await browser.submit(confirm, "/my/checkout/confirm")
    assert "ポイントの利用を受け付けました。" in done.words
    again = await browser.submit(confirm, "/my/checkout/confirm")
    assert again.path == done.path

    address = way_back(done)
    told = await verified(shop, address)
    assert (told["cart"], told["mykey_order_id"]) == ("7", "o-1")
    assert (told["mykey_outcome"], told["mykey_points"]) == ("authorized", "300")
    with pytest.raises(InvalidSignature):
        await verified(shop, address.replace("mykey_points=300", "mykey_points=400"))
    assert (await shop.done("GET", "/authorizations/o-1"))["state"] == "authorized"
    captured = await shop.done("POST", "/authorizations/o-1/capture", {"points": 250})
    assert (captured["captured"], await buyer.balance()) == (250, POINTS - 250)

    second = await browser.submit(await browser.get(path), path, pool=POOL, points="100")
    refused = await browser.submit(second, "/my/checkout/confirm")
    assert refused.status == 409
    assert await buyer.balance() == POINTS - 250


async def test_no_more_than_the_shop_asks_and_a_way_back_without(buyer: Buyer) -> None:
    shop, browser = buyer.street.party(), buyer.browser
    path = await opened(shop)
    await log_in(browser, BUYER)
    page = await browser.get(path)
    told = await verified(shop, way_back(page))
    assert (told["mykey_outcome"], told["mykey_points"]) == ("cancelled", "0")
    much = await browser.submit(page, path, pool=POOL, points="401")
    assert much.status == 422
    assert "400ポイント以下" in much.words
    nothing = await browser.submit(page, path, pool="reserve", points="1")
    assert nothing.status == 422
    buyer.street.clock.advance(timedelta(hours=1))
    late = await browser.get(path)
    if late.path == "/login":
        late = await log_in(browser, BUYER)
    assert late.status == 404
    assert await buyer.balance() == POINTS
    assert (await shop.send("GET", "/authorizations/o-1"))[0] == 404


async def test_who_was_refused_may_choose_again(buyer: Buyer) -> None:
    shop, browser = buyer.street.party(), buyer.browser
    path = await opened(shop)
    await log_in(browser, BUYER)
    confirm = await browser.submit(await browser.get(path), path, pool=POOL, points="400")
    await ask(buyer.street.process, used(buyer.citizen_id, POINTS - 300))
    refused = await browser.submit(confirm, "/my/checkout/confirm")
    assert refused.status == 409
    assert "ポイントが足りません" in refused.words
    assert (await shop.done("GET", "/authorizations/o-1"))["state"] == "refused"
    less = await browser.submit(await browser.get(path), path, pool=POOL, points="300")
    done = await browser.submit(less, "/my/checkout/confirm")
    assert (await verified(shop, way_back(done)))["mykey_points"] == "300"
    assert (await shop.done("GET", "/authorizations/o-1"))["state"] == "authorized"


async def test_nothing_is_offered_for_what_is_not_approved(buyer: Buyer) -> None:
    shop, browser = buyer.street.party(), buyer.browser
    url = (await shop.done("POST", "/checkouts", checkout("o-1") | {"item_ids": ["tea"]}))["url"]
    await log_in(browser, BUYER)
    page = await browser.get(url.removeprefix(shop.url))
    assert "この注文に利用できるポイントがありません。" in page.words


def used(citizen_id: UUID, points: int) -> UsePoints:
    """Spent at a counter meanwhile."""
    return UsePoints(
        party_id=SHOP,
        command_id="counter",
        request_hash=bytes(16),
        citizen_id=citizen_id,
        pool=POOL,
        points=points,
        store_id=UUID(int=0xB1),
        lg_code=CITY,
    )


async def test_a_checkout_is_opened_once_and_leads_back_to_the_shop_only(buyer: Buyer) -> None:
    shop = buyer.street.party()
    first = await shop.done("POST", "/checkouts", checkout("o-1"))
    assert await shop.done("POST", "/checkouts", checkout("o-1")) == first
    assert (await shop.send("POST", "/checkouts", checkout("o-1", 401)))[0] == 422
    for elsewhere in ("https://shop.example.evil.example/", "http://shop.example/", "https://shop.example:444/"):
        status, answer = await shop.send("POST", "/checkouts", checkout("o-2", return_url=elsewhere))
        assert (status, answer["errors"][0]["pointer"]) == (400, "/return_url")
