"""Who may come in by this door: partners, by their registered keys; each request once.

Shops and funds too, for what they have in common with partners: their accounts are linked, and they are told.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from connectors.partner import statements
from hub.bus import Bus
from hub.clock import Clock
from hub.component import Context
from hub.database import Database
from hub.web.app import Audience
from hub.web.limits import AtOnce, RateLimiter, WaitingRoom
from hub.web.signatures import SECURITY, Verifier
from hub.web.signed_parties import Nonces, RememberedKeys, SignedByParty, party_keys, real_now
from schemas.parties import PartyKind

PREFIX: Final = "/api/partner"
TRANSFERS: Final = "partner.transfers"
FILES: Final = "partner.files"
SETTLEMENT: Final = "partner.settlement"
LINKS: Final = "partner.links"
COUPONS: Final = "partner.coupons"
WEBHOOKS: Final = "partner.webhooks"
COMMON: Final = frozenset({LINKS, WEBHOOKS})
OF_KIND: Final = {
    PartyKind.partner: COMMON | {TRANSFERS, FILES, SETTLEMENT, COUPONS},
    PartyKind.shop: COMMON,
    PartyKind.fund: COMMON,
}

IN_FLIGHT_LIMIT: Final = 64
WAITING_LIMIT: Final = 256
WAIT_TIMEOUT_S: Final = 5.0
BURST_S: Final = 2
"""How many seconds' worth of requests a partner may make at once."""


def partner_keys(bus: Bus, clock: Clock) -> RememberedKeys:
    """The keys of partners, shops and funds; other parties' keys are unknown at this door."""
    return party_keys(bus, clock, OF_KIND)


def partner_nonces(database: Database) -> Nonces:
    """Nonces in `partner.nonce`."""
    return Nonces(database, statements.FIRST_USE, statements.FORGET_NONCES)


def partner_audience(context: Context, nonces: Nonces, now: Callable[[], datetime] = real_now) -> Audience:
    """The door `/api/partner`."""
    verifier = Verifier(
        find_key=partner_keys(context.bus, context.clock),
        nonces=nonces,
        now=now,
        origins=[context.settings.own_url],
    )
    rate_per_s = context.settings.partner_requests_per_s
    return Audience(
        name="partner",
        prefix=PREFIX,
        title="Partner companies; shops and funds for links and webhooks",
        title_ja="地域経済応援ポイント協力会社（ID連携・Webhookはショップ・ファンド事業者も利用）",
        authenticate=SignedByParty(verifier),
        security=SECURITY,
        room=WaitingRoom(IN_FLIGHT_LIMIT, WAITING_LIMIT, WAIT_TIMEOUT_S),
        at_once=AtOnce(context.settings.partner_requests_at_once),
        rate=RateLimiter(rate_per_s, int(rate_per_s * BURST_S), monotonic=context.clock.monotonic),
    )
