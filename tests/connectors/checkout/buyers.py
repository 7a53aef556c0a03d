"""A citizen whom a shop sends to our page, and what comes back of it to the shop."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.connectors.checkout.shops import PAGE, Shop, Street
from tests.connectors.portal.browser import Browser, Page

BUYER: Final = "BUYER001"


@dataclass(frozen=True)
class Buyer:
    """A citizen with points, at a browser."""

    street: Street
    citizen_id: UUID
    browser: Browser

    async def balance(self) -> int:
        """Of the city's points."""
        return await self.street.balance_of(self.citizen_id)


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
