"""Who may come in by this door: partners, by their registered keys; each request once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from aiohttp import web
from pydantic import JsonValue

from connectors.partner import statements
from connectors.partner.store import reachable
from hub.bus import Bus
from hub.clock import Clock
from hub.component import Context
from hub.database import Database
from hub.web.app import Audience, Caller
from hub.web.limits import AtOnce, RateLimiter, WaitingRoom
from hub.web.signatures import VerificationKey, Verifier
from schemas.parties import PartyKeyOf, PartyKind

PREFIX: Final = "/api/partner"
TRANSFERS: Final = "partner.transfers"
FILES: Final = "partner.files"
SETTLEMENT: Final = "partner.settlement"
LINKS: Final = "partner.links"
COUPONS: Final = "partner.coupons"
WEBHOOKS: Final = "partner.webhooks"
PERMISSIONS: Final = frozenset({TRANSFERS, FILES, SETTLEMENT, LINKS, COUPONS, WEBHOOKS})

KEY_CACHE_S: Final = 30.0
KEY_CACHE_LIMIT: Final = 10_000
KEY_DEADLINE_S: Final = 5.0
IN_FLIGHT_LIMIT: Final = 64
WAITING_LIMIT: Final = 256
WAIT_TIMEOUT_S: Final = 5.0
BURST_S: Final = 2
"""How many seconds' worth of requests a partner may make at once."""

SECURITY: Final[Mapping[str, JsonValue]] = {
    "partner_signature": {
        "type": "http",
        "scheme": "signature",
        "description": (
            'RFC 9421, Ed25519 or HMAC-SHA256: covers "@method" "@authority" "@target-uri", "content-digest" '
            '(RFC 9530, sha-256) where there is a body and "idempotency-key" where it is sent; parameters '
            "created (at most 300 s ago), keyid, nonce (16 to 64 characters, once)."
        ),
    }
}


class PartnerKeys:
    """The keys of partners, asked of the registry and remembered for at most `KEY_CACHE_S`.

    Other parties' keys are unknown at this door.
    """

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, VerificationKey]] = OrderedDict()

    async def __call__(self, key_id: str) -> VerificationKey | None:
        """The key, or None. Raises TransientError while the registry does not answer."""
        known = self._known.get(key_id)
        if known is not None and self._clock.monotonic() < known[0]:
            return known[1]
        found = await self._bus.call(PartyKeyOf(key_id=key_id), deadline_s=KEY_DEADLINE_S)
        self._known.pop(key_id, None)
        if found.party_id is None or found.algorithm is None or found.kind is not PartyKind.partner:
            return None
        key = VerificationKey(key_id, found.algorithm, found.key_bytes, found.party_id, PERMISSIONS)
        self._known[key_id] = self._clock.monotonic() + KEY_CACHE_S, key
        if len(self._known) > KEY_CACHE_LIMIT:
            self._known.popitem(last=False)
        return key


class PartnerNonces:
    """Nonces in `partner.nonce`, for all web processes together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first_use(self, key_id: str, nonce: str, expires_at: datetime) -> bool:
        """Whether this key has not used this nonce before. One statement, which commits by itself."""
        async with reachable(), self._database.connection() as connection:
            return await connection.fetchval(statements.FIRST_USE, key_id, nonce, expires_at) is True

    async def forget(self) -> None:
        """Drop those whose signatures are too old anyway."""
        async with reachable(), self._database.connection() as connection:
            await connection.execute(statements.FORGET_NONCES, real_now())


class SignedByPartner:
    """Proves by the signature which partner is asking."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def __call__(self, request: web.Request) -> Caller:
        """Raises ProblemError signature (401)."""
        key = await self._verifier.verify(request)
        return Caller(key.party_id, key.permissions)


def real_now() -> datetime:
    """The machine's time, not the hub's clock.

    How old a signature is, is between two machines: also while a story lives three weeks ahead.
    """
    return datetime.now(UTC)


def partner_audience(context: Context, nonces: PartnerNonces, now: Callable[[], datetime] = real_now) -> Audience:
    """The door `/api/partner`."""
    verifier = Verifier(
        find_key=PartnerKeys(context.bus, context.clock),
        nonces=nonces,
        now=now,
        origins=[context.settings.own_url],
    )
    rate_per_s = context.settings.partner_requests_per_s
    return Audience(
        name="partner",
        prefix=PREFIX,
        title="Partner companies",
        title_ja="地域経済応援ポイント協力会社",
        authenticate=SignedByPartner(verifier),
        security=SECURITY,
        room=WaitingRoom(IN_FLIGHT_LIMIT, WAITING_LIMIT, WAIT_TIMEOUT_S),
        at_once=AtOnce(context.settings.partner_requests_at_once),
        rate=RateLimiter(rate_per_s, int(rate_per_s * BURST_S), monotonic=context.clock.monotonic),
    )
