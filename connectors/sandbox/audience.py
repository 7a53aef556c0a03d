"""Who may come in by this door: whoever was given a token here; and anybody, to be given one."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from pydantic import JsonValue

from connectors.sandbox.store import Party, PartyStore
from hub.clock import Clock
from hub.web.app import Audience, Caller
from hub.web.limits import RateLimiter, WaitingRoom
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

PREFIX: Final = "/api/sandbox"
TRY: Final = "sandbox.try"

RATE_PER_S: Final = 20.0
BURST: Final = 60
IN_FLIGHT_LIMIT: Final = 16
WAITING_LIMIT: Final = 64
WAIT_TIMEOUT_S: Final = 30.0
TOKEN_LIMIT_CHARS: Final = 128

PARTY: Final = web.RequestKey("party", Party)

SECURITY: Final[Mapping[str, JsonValue]] = {
    "sandbox_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that `POST /api/sandbox/parties` showed once.",
    }
}


class ByToken:
    """Recognises a party by `Authorization: Bearer <token>`: by what works while its signatures do not yet."""

    def __init__(self, store: PartyStore) -> None:
        self._store = store

    async def __call__(self, request: web.Request) -> Caller:
        """Raises ProblemError login (401)."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        party = None
        if scheme.lower() == "bearer" and 0 < len(token) <= TOKEN_LIMIT_CHARS and token.isascii():
            party = await self._store.of_token(token)
        if party is None:
            raise ProblemError(ProblemCode.login, headers={"WWW-Authenticate": "Bearer"})
        request[PARTY] = party
        return Caller(party.party_id, frozenset({TRY}))


def sandbox_audience(store: PartyStore, clock: Clock) -> Audience:
    """The door `/api/sandbox`."""
    return Audience(
        name="sandbox",
        prefix=PREFIX,
        title="The sandbox",
        title_ja="サンドボックス",
        authenticate=ByToken(store),
        security=SECURITY,
        unproven=ProblemCode.login,
        room=WaitingRoom(IN_FLIGHT_LIMIT, WAITING_LIMIT, WAIT_TIMEOUT_S),
        rate=RateLimiter(RATE_PER_S, BURST, monotonic=clock.monotonic),
    )
