"""Who may come in by this door: operators, by their tokens."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from pydantic import JsonValue

from connectors.operations.acts import API, Actor, Role
from connectors.operations.operators import Operators
from hub.clock import Clock
from hub.database import Database, reachable
from hub.web.addresses import address_of
from hub.web.app import Audience, Caller
from hub.web.limits import RateLimiter, WaitingRoom
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

PREFIX: Final = "/api/operations"
VIEW: Final = "operations.view"
ACT: Final = "operations.act"
SUPERVISE: Final = "operations.supervise"
PERMISSIONS: Final[Mapping[Role, frozenset[str]]] = {
    Role.viewer: frozenset({VIEW}),
    Role.operator: frozenset({VIEW, ACT}),
    Role.supervisor: frozenset({VIEW, ACT, SUPERVISE}),
}

RATE_PER_S: Final = 20.0
BURST: Final = 60
"""Of one operator: a live screen asks twice a second."""
ADDRESS_RATE_PER_S: Final = 100.0
ADDRESS_BURST: Final = 300
MISS_RATE_PER_S: Final = 0.2
MISS_BURST: Final = 10
"""Of one address: tokens that open nothing."""
IN_FLIGHT_LIMIT: Final = 16
WAITING_LIMIT: Final = 32
TOKEN_LIMIT_CHARS: Final = 128

SECURITY: Final[Mapping[str, JsonValue]] = {
    "operator_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that `mykey-hub console operators add` showed once.",
    }
}

ACTOR: Final = web.RequestKey("actor", Actor)


class ByToken:
    """Recognises an operator by `Authorization: Bearer <token>`."""

    def __init__(self, database: Database, operators: Operators, clock: Clock) -> None:
        self._database = database
        self._operators = operators
        self._misses = RateLimiter(MISS_RATE_PER_S, MISS_BURST, monotonic=clock.monotonic)

    async def __call__(self, request: web.Request) -> Caller:
        """Raises ProblemError login (401), the same for unknown and revoked; too_many after many of them."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        operator = None
        if scheme.lower() == "bearer" and 0 < len(token) <= TOKEN_LIMIT_CHARS and token.isascii():
            async with reachable(), self._database.reading() as reading:
                operator = await self._operators.of_token(reading, token)
        if operator is None:
            self._misses.check(address_of(request))
            raise ProblemError(ProblemCode.login, headers={"WWW-Authenticate": "Bearer"})
        request[ACTOR] = Actor(operator.name, operator.role, API, operator.operator_id)
        return Caller(operator.operator_id, PERMISSIONS[operator.role])


def operations_audience(database: Database, operators: Operators, clock: Clock) -> Audience:
    """The door `/api/operations`."""
    return Audience(
        name="operations",
        prefix=PREFIX,
        title="Hub operators",
        title_ja="運用担当者",
        authenticate=ByToken(database, operators, clock),
        security=SECURITY,
        unproven=ProblemCode.login,
        room=WaitingRoom(IN_FLIGHT_LIMIT, WAITING_LIMIT),
        rate=RateLimiter(RATE_PER_S, BURST, monotonic=clock.monotonic),
        address_rate=RateLimiter(ADDRESS_RATE_PER_S, ADDRESS_BURST, monotonic=clock.monotonic),
    )
