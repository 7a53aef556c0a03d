"""Who may come in by this door: shops and funds, by their registered keys; each request once."""

from typing import Final

from hub.component import Context
from hub.web.app import Audience
from hub.web.limits import AtOnce, RateLimiter, WaitingRoom
from hub.web.signatures import SECURITY, Verifier
from hub.web.signed_parties import Nonces, SignedByParty, party_keys, real_now
from schemas.parties import PartyKind

PREFIX: Final = "/api/checkout"
ORDERS: Final = "checkout.orders"
BALANCES: Final = "checkout.balances"
OFFERS: Final = "checkout.offers"
SETTLEMENT: Final = "checkout.settlement"
PERMISSIONS: Final = frozenset({ORDERS, BALANCES, OFFERS, SETTLEMENT})
OF_KIND: Final = dict.fromkeys((PartyKind.shop, PartyKind.fund), PERMISSIONS)

IN_FLIGHT_LIMIT: Final = 64
WAITING_LIMIT: Final = 256
WAIT_TIMEOUT_S: Final = 5.0
BURST_S: Final = 2
"""How many seconds' worth of requests a shop may make at once."""


def checkout_audience(context: Context, nonces: Nonces) -> Audience:
    """The door `/api/checkout`."""
    settings, clock = context.settings, context.clock
    keys = party_keys(context.bus, clock, OF_KIND)
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
