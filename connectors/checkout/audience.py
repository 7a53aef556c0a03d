"""Who may come in by this door: shops and funds, by their registered keys; each request once."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from hub.component import Context
from hub.web.app import Audience
from hub.web.limits import AtOnce, RateLimiter, WaitingRoom
from hub.web.signatures import Verifier
from hub.web.signed_parties import Nonces, SignedByParty, party_keys, real_now
from schemas.parties import PartyKind

PREFIX: Final = "/api/checkout"
ORDERS: Final = "checkout.orders"
BALANCES: Final = "checkout.balances"
OFFERS: Final = "checkout.offers"
PERMISSIONS: Final = frozenset({ORDERS, BALANCES, OFFERS})
KINDS: Final = frozenset({PartyKind.shop, PartyKind.fund})

IN_FLIGHT_LIMIT: Final = 64
WAITING_LIMIT: Final = 256
WAIT_TIMEOUT_S: Final = 5.0
BURST_S: Final = 2
"""How many seconds' worth of requests a shop may make at once."""

SECURITY: Final[Mapping[str, JsonValue]] = {
    "shop_signature": {
        "type": "http",
        "scheme": "signature",
        "description": (
            'RFC 9421, Ed25519 or HMAC-SHA256: covers "@method" "@authority" "@target-uri" and "content-digest" '
            "(RFC 9530, sha-256) where there is a body; parameters created (at most 300 s ago), keyid, nonce "
            "(16 to 64 characters, once)."
        ),
    }
}


def checkout_audience(context: Context, nonces: Nonces) -> Audience:
    """The door `/api/checkout`."""
    settings, clock = context.settings, context.clock
    keys = party_keys(context.bus, clock, dict.fromkeys(KINDS, PERMISSIONS))
    verifier = Verifier(find_key=keys, nonces=nonces, now=real_now, origins=[settings.own_url])
    rate_per_s = settings.partner_requests_per_s
    return Audience(
        name="checkout",
        prefix=PREFIX,
        title="Shops and funds",
        title_ja="オンラインショップ・クラウドファンディング事業者",
        authenticate=SignedByParty(verifier),
        security=SECURITY,
        room=WaitingRoom(IN_FLIGHT_LIMIT, WAITING_LIMIT, WAIT_TIMEOUT_S),
        at_once=AtOnce(settings.partner_requests_at_once),
        rate=RateLimiter(rate_per_s, int(rate_per_s * BURST_S), monotonic=clock.monotonic),
    )
