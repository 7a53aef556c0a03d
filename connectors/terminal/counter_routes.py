"""What all routes of the counter have in common: who asks, how often, and for which operation."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from aiohttp import web

from connectors.terminal.counter_sessions import SECURITY, SESSION, USE, CounterSessions, Session
from hub.clock import Clock
from hub.web.app import Answer, Audience, Route
from hub.web.limits import RateLimiter, WaitingRoom
from schemas.problems import ProblemCode

PREFIX: Final = "/api/counter"
BODY_LIMIT_BYTES: Final = 16 * 1024
RATE_PER_S: Final = 20.0
BURST: Final = 100
"""Of one browser: it asks twice a second how its operation stands."""
ADDRESS_RATE_PER_S: Final = 100.0
ADDRESS_BURST: Final = 400
"""Of a whole municipality's terminals, which often have one address."""
IN_FLIGHT_LIMIT: Final = 256
"""Some of them wait for a person with a card in the hand, at little cost."""
WAITING_LIMIT: Final = 64
OPERATION: Final = "/operations/{operation_id:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}}"

Step = Callable[[web.Request, UUID, Session], Awaitable[web.Response]]


class CounterRoutes:
    """Makes them, of one audience."""

    def __init__(self, sessions: CounterSessions, clock: Clock) -> None:
        self.audience: Final = Audience(
            name="counter",
            prefix=PREFIX,
            title="Counters of municipalities, libraries and shops",
            title_ja="窓口",
            authenticate=sessions,
            security=SECURITY,
            unproven=ProblemCode.login,
            room=WaitingRoom(IN_FLIGHT_LIMIT, WAITING_LIMIT),
            rate=RateLimiter(RATE_PER_S, BURST, monotonic=clock.monotonic),
            address_rate=RateLimiter(ADDRESS_RATE_PER_S, ADDRESS_BURST, monotonic=clock.monotonic),
        )

    def route(
        self,
        method: str,
        path: str,
        handler: Answer,
        summary: str,
        summary_ja: str,
        **more: Any,  # noqa: ANN401
    ) -> Route:
        """One that a session is needed for."""
        problems = (ProblemCode.not_found,) if "{" in path else ()
        told = {"problems": (*problems, ProblemCode.state_conflict), **more}
        return Route(
            audience=self.audience, method=method, path=path, handler=handler, summary=summary, summary_ja=summary_ja,
            permission=USE, **told,
        )  # fmt: skip

    def act(self, name: str, step: Step, summary: str, summary_ja: str, request: Any, response: Any) -> Route:  # noqa: ANN401
        """A step of an operation."""

        async def handler(asked: web.Request) -> web.Response:
            return await step(asked, operation_id_of(asked), asked[SESSION])

        return self.route("POST", OPERATION + name, handler, summary, summary_ja, request=request, response=response)


def operation_id_of(request: web.Request) -> UUID:
    """Of the address."""
    return UUID(request.match_info["operation_id"])
