"""An address that leads back says what is so, is the hub's word to the letter, and leads to the shop's site only."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter, ValidationError

from connectors.checkout.returns import Outcome, Returns, leads_back
from connectors.checkout.shapes import ReturnUrl
from hub.keys import Keys
from tests.connectors.checkout.buyers import BUYER, Buyer, checkout, opened, verified, way_back
from tests.connectors.checkout.shops import PAGE, POINTS, POOL
from tests.connectors.portal.town import log_in
from tests.peers.airline.signing import Signer
from tests.peers.shop.client import Hub
from tests.running import SECRET_KEY

AT: Final = datetime(2017, 10, 2, 3, tzinfo=UTC)
HUB: Final = "https://hub.example"
KEYS: Final = Keys(SECRET_KEY.encode())
RETURN_URL: Final = TypeAdapter(ReturnUrl)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.evil.example/",
        "https://evil.example/https://shop.example/",
        "https://shop.example@evil.example/",
        "https://evil.example\\@shop.example/",
        "https://www.shop.example/",
        "https://shop.example:444/",
        "https://shop.example./",
        "http://shop.example/",
        "//shop.example/",
        "/back",
        "javascript://shop.example/%0aalert(1)",
        "https://shop.example/back#there",
        "https://shop.example/back?mykey_outcome=authorized",
        "https://shop.example/back?cart=7&mykey_signature=AAAA",
        "https://shop.example/back?cart=7&MyKey%5foutcome=authorized",
        "https://shop.example/ 1",
        "https://shop.example/\r\nX: 1",
    ],
)
def test_nothing_leads_elsewhere_or_speaks_in_our_name(url: str) -> None:
    """Open redirect, and parameters of ours that are not ours."""
    try:
        asked = RETURN_URL.validate_python(url)
    except ValidationError:
        return
    assert not leads_back(asked, PAGE, HUB)


def test_the_shops_own_site_is_led_back_to() -> None:
    for url in ("https://shop.example/", "https://SHOP.example/back?cart=7", "https://shop.example"):
        assert leads_back(RETURN_URL.validate_python(url), PAGE, HUB)


def test_without_tls_only_on_the_hubs_own_machine() -> None:
    assert not leads_back("http://shop.example/back", "http://shop.example/", HUB)
    assert not leads_back("http://127.0.0.1:9000/back", "http://127.0.0.1:9000/", HUB)
    assert not leads_back("http://shop.example/back", "http://shop.example/", "http://127.0.0.1:8080")
    assert leads_back("http://127.0.0.1:9000/back", "http://127.0.0.1:9000/", "http://127.0.0.1:8080")


async def test_only_what_the_hub_has_signed_for_this_is_its_word(buyer: Buyer) -> None:
    """Unsigned, cut, altered, and by another key or for another purpose."""
    shop = buyer.street.party()
    hub = Hub(shop.session, shop.url, Signer(shop.key_id, Ed25519PrivateKey.from_private_bytes(shop.secret)))
    path = await opened(shop)
    await log_in(buyer.browser, BUYER)
    address = way_back(await buyer.browser.get(path))
    assert (await hub.verified(address) or {})["mykey_outcome"] == "cancelled"
    signed, mark, signature = address.partition("&mykey_signature=")
    other = Returns(KEYS.signer("street.merge")).address(f"{PAGE}back?cart=7", "o-1", Outcome.authorized, 400, AT)
    purpose = KEYS.signer("checkout.return").sign(signed.encode())
    for forged in (
        signed,
        f"{signed}{mark}",
        f"{signed}{mark}{signature[:-2]}",
        f"{signed}{mark}{signature[1:]}A",
        address.replace("cancelled", "authorized"),
        address.replace("mykey_points=0", "mykey_points=400"),
        address.replace("o-1", "o-2"),
        address.replace("cart=7", "cart=8"),
        address.replace("https:", "http:"),
        address.replace("mykey_at=", "mykey_at=1"),
        f"{signed}&mykey_outcome=authorized{mark}{signature}",
        f"{signed}{mark}{urlsafe_b64encode(purpose).decode().rstrip('=')}",
        other,
    ):
        assert await hub.verified(forged) is None, forged
    assert len(urlsafe_b64decode(signature + "==")) == 64


async def test_nothing_done_is_said_of_no_order_that_stands(buyer: Buyer) -> None:
    """Once points are set aside, no address says again that they are not, to nobody."""
    shop, browser = buyer.street.party(), buyer.browser
    path = await opened(shop)
    await log_in(browser, BUYER)
    confirm = await browser.submit(await browser.get(path), path, pool=POOL, points="300")
    done = await browser.submit(confirm, "/my/checkout/confirm")
    assert (await verified(shop, way_back(done)))["mykey_outcome"] == "authorized"
    over = await browser.get(path)
    assert over.status == 404
    assert "この注文の手続きは終了しています" in over.words
    assert not [link for link in over.markup.links if link.startswith(PAGE)]
    await shop.done("POST", "/authorizations/o-1/void", {})
    assert (await browser.get(path)).status == 404
    assert await buyer.balance() == POINTS


async def test_a_return_that_is_not_taken_is_told_with_its_place(buyer: Buyer) -> None:
    shop = buyer.street.party()
    for elsewhere in ("https://evil.example/", f"{PAGE}?mykey_points=1", f"{PAGE}#x", "http://shop.example/"):
        status, answer = await shop.send("POST", "/checkouts", checkout("o-2", return_url=elsewhere))
        assert (status, answer["errors"][0]["pointer"]) == (400, "/return_url")
