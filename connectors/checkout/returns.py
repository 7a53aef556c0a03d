"""Addresses that lead a citizen back to the shop, signed by the hub: what they say is known to be ours.

The signature is Ed25519 over the whole address but for its last parameter, after a line that names the purpose. What
the address says is a hint: how the order stands is asked at `/authorizations/{order_id}`.
"""

from base64 import urlsafe_b64encode
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode, urlsplit

from hub.keys import Signer
from hub.loopback import is_plain_loopback

PURPOSE: Final = "mykey-checkout-return-v1"


class Outcome(StrEnum):
    """What came of it at our page."""

    authorized = "authorized"
    cancelled = "cancelled"


class Returns:
    """Writes them."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self.public_key_pem = signer.verifier.pem

    def address(self, return_url: str, order_id: str, outcome: Outcome, points: int, at: datetime) -> str:
        """`return_url` with `mykey_order_id`, `mykey_outcome`, `mykey_points`, `mykey_at` and `mykey_signature`."""
        told = {
            "mykey_order_id": order_id,
            "mykey_outcome": outcome.value,
            "mykey_points": str(points),
            "mykey_at": str(int(at.timestamp())),
        }
        address = f"{return_url}{'&' if urlsplit(return_url).query else '?'}{urlencode(told)}"
        signature = self._signer.sign(f"{PURPOSE}\n{address}".encode())
        return f"{address}&mykey_signature={urlsafe_b64encode(signature).decode().rstrip('=')}"


def leads_back(return_url: str, page_url: str, own_url: str) -> bool:
    """Whether it leads to the site that the shop is registered with: scheme, host and port are the same.

    By https alone, but for a shop beside a hub that is itself a demo on this very machine.
    """
    asked, page = urlsplit(return_url), urlsplit(page_url)
    is_safe = asked.scheme == "https" or (is_plain_loopback(own_url) and is_plain_loopback(return_url))
    is_its_own = (asked.scheme, asked.netloc.lower()) == (page.scheme, page.netloc.lower())
    return bool(page.netloc) and is_safe and is_its_own
