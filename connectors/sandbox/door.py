"""Being somebody in the sandbox: a party with its keys, its people, and what came in from it."""

from functools import partial
from typing import Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from connectors.sandbox.audience import PARTY, TRY
from connectors.sandbox.issuing import Issuing
from connectors.sandbox.shapes import (
    CitizenToIssue,
    IssuedKey,
    IssuedParty,
    KeyToIssue,
    PartyState,
    PartyToIssue,
    SeededCitizen,
    SeenRequest,
    SeenRequests,
)
from connectors.sandbox.store import CITIZENS_LIMIT, PartyStore
from connectors.sandbox.watching import OF_ONE_LIMIT, Seen
from hub.clock import Clock
from hub.web.addresses import address_of
from hub.web.app import PUBLIC, Audience, Route, json_response, query_of
from hub.web.bodies import read_model
from hub.web.limits import RateLimiter
from hub.web.pages import QueryInt
from hub.web.problems import ProblemError
from schemas.problems import FieldError, ProblemCode

BODY_LIMIT_BYTES: Final = 16 * 1024
ISSUE_RATE_PER_S: Final = 0.5
ISSUE_BURST: Final = 20
"""Of one address: to make people's passwords costs more than a request."""
FULL_RETRY_AFTER_S: Final = 3_600.0

_LINKED: Final = FieldError(
    pointer="/link_id",
    code="link_taken",
    detail="Somebody is linked to you under this name already.",
    detail_ja="この連携IDはすでに使われています。",
)


class Latest(BaseModel):
    """How many."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: QueryInt = Field(50, ge=1, le=OF_ONE_LIMIT)


class PartyDoor:
    """`/parties`, `/party`, `/keys`, `/citizens`, `/requests`."""

    def __init__(self, issuing: Issuing, store: PartyStore, seen: Seen, clock: Clock) -> None:
        self._issuing = issuing
        self._store = store
        self._seen = seen
        self._new = RateLimiter(ISSUE_RATE_PER_S, ISSUE_BURST, monotonic=clock.monotonic)

    def routes(self, audience: Audience) -> list[Route]:
        """Its operations."""
        make = partial(Route, audience=audience, permission=TRY)
        return [
            make(
                permission=PUBLIC,
                method="POST",
                path="/parties",
                handler=self.issue,
                summary="Become a partner, shop or fund of this sandbox; keys are shown once",
                summary_ja="サンドボックスの事業者になる（鍵の表示は1回だけ）",
                request=PartyToIssue,
                response=IssuedParty,
                problems=[ProblemCode.too_many],
            ),
            make(
                method="GET",
                path="/party",
                handler=self.state,
                summary="Who you are, your people with their balances, where points may go",
                summary_ja="自社・利用者・残高・移行先の確認",
                response=PartyState,
            ),
            make(
                method="POST",
                path="/keys",
                handler=self.issue_key,
                summary="Another key, shown once; the others stay good",
                summary_ja="鍵の追加（表示は1回だけ）",
                request=KeyToIssue,
                response=IssuedKey,
            ),
            make(
                method="DELETE",
                path="/keys/{key_id}",
                handler=self.end_key,
                summary="End a key; the doors know within half a minute",
                summary_ja="鍵の失効",
                status=204,
                problems=[ProblemCode.not_found],
            ),
            make(
                method="POST",
                path="/citizens",
                handler=self.one_more,
                summary="One more citizen who is linked to you",
                summary_ja="連携済み利用者の追加",
                request=CitizenToIssue,
                response=SeededCitizen,
                problems=[ProblemCode.bad_field, ProblemCode.too_many],
            ),
            make(
                method="GET",
                path="/requests",
                handler=self.requests,
                summary="What came in from you lately, the latest first",
                summary_ja="最近のリクエストの一覧",
                query=Latest,
                response=SeenRequests,
            ),
            make(
                method="GET",
                path="/requests/{request_id}",
                handler=self.request,
                summary="One request, by the X-Request-Id of its answer, also one that named no key of yours",
                summary_ja="リクエストの照会（X-Request-Id）",
                response=SeenRequest,
                problems=[ProblemCode.not_found],
            ),
        ]

    async def issue(self, request: web.Request) -> web.Response:
        """Anybody may: nothing in here is worth anything."""
        asked = await read_model(request, PartyToIssue, BODY_LIMIT_BYTES)
        self._new.check(address_of(request))
        if await self._store.is_full():
            raise ProblemError(ProblemCode.too_many, retry_after_s=FULL_RETRY_AFTER_S)
        party, token, key = await self._issuing.issue(asked)
        state = await self._issuing.state(party)
        return json_response(IssuedParty(**dict(state), token=token, key=key))

    async def state(self, request: web.Request) -> web.Response:
        """As of now."""
        return json_response(await self._issuing.state(request[PARTY]))

    async def issue_key(self, request: web.Request) -> web.Response:
        """As many as one likes."""
        asked = await read_model(request, KeyToIssue, BODY_LIMIT_BYTES)
        return json_response(await self._issuing.issue_key(request[PARTY], asked.algorithm))

    async def end_key(self, request: web.Request) -> web.Response:
        """One's own."""
        if await self._issuing.end_key(request[PARTY], request.match_info["key_id"]) is not None:
            raise ProblemError(ProblemCode.not_found)
        return web.Response(status=204)

    async def one_more(self, request: web.Request) -> web.Response:
        """A webhook `link.created` goes with it."""
        link_id = (await read_model(request, CitizenToIssue, BODY_LIMIT_BYTES)).link_id
        party = request[PARTY]
        people = await self._store.people_of(party.party_id)
        if any(one.link_id == link_id for one in people):
            raise ProblemError(ProblemCode.bad_field, errors=[_LINKED])
        if len(people) >= CITIZENS_LIMIT:
            raise ProblemError(ProblemCode.too_many, retry_after_s=FULL_RETRY_AFTER_S)
        self._new.check(address_of(request))
        return json_response(await self._issuing.seeded(await self._issuing.one_more(party, link_id)))

    async def requests(self, request: web.Request) -> web.Response:
        """One's own."""
        limit = query_of(request, Latest).limit
        return json_response(SeenRequests(requests=self._seen.of(request[PARTY].party_id, limit)))

    async def request(self, request: web.Request) -> web.Response:
        """One's own, or one that named nobody's key."""
        try:
            request_id = UUID(request.match_info["request_id"])
        except ValueError as error:
            raise ProblemError(ProblemCode.not_found) from error
        found = self._seen.one(request[PARTY].party_id, request_id)
        if found is None:
            raise ProblemError(ProblemCode.not_found)
        return json_response(found)
