"""A party sets its endpoint up, changes its secret, tries it, looks at its events, has some of them sent again."""

from datetime import datetime
from functools import partial
from typing import Annotated, Final, Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from connectors.partner.audience import WEBHOOKS
from connectors.partner.outbound import ForbiddenAddressError, Outbound
from connectors.partner.shapes import Body
from connectors.partner.webhooks.endpoints import Endpoints
from connectors.partner.webhooks.events import CALLBACKS, EventType
from connectors.partner.webhooks.signing import public_key, signer_of
from hub.keys import Keys
from hub.web.app import Audience, Route, caller_of, json_response, query_of
from hub.web.bodies import read_model
from hub.web.pages import Page, PageQuery, decode_cursor, encode_cursor
from hub.web.problems import ProblemError
from schemas.links import PageUrl
from schemas.problems import FieldError, ProblemCode

PATH: Final = "/webhook"
BODY_LIMIT_BYTES: Final = 64 * 1024
REPLAY_LIMIT: Final = 100


class WebhookToSet(Body):
    """Your endpoint: https on port 443, at a public address."""

    url: PageUrl


class WebhookSecret(Body):
    """The shared secret for `v1`, told once, and our public key for `v1a`."""

    secret: str
    public_key: str


class WebhookState(Body):
    """Your endpoint; `disabled_at` tells when it answered 410, after which nothing is sent until you set it anew."""

    url: str
    public_key: str
    disabled_at: datetime | None


class WebhookEvent(Body):
    """What became of an event; `event_id` is its `webhook-id`."""

    event_id: UUID
    type: EventType
    happened_at: datetime
    tries: int
    last_status: int | None
    delivered_at: datetime | None


class WebhookEvents(Page[WebhookEvent]):
    """The latest first; events are kept for 30 days."""


class EventQuery(PageQuery):
    """Which events."""

    undelivered: Literal["true", "false"] = Field("false", description="`true`: only what you have not taken.")


class EventsToReplay(Body):
    """1 to 100 events."""

    event_ids: Annotated[list[UUID], Field(min_length=1, max_length=REPLAY_LIMIT)]


class EventsSaid(Body):
    """Those that are on their way."""

    event_ids: list[UUID]


class _Position(BaseModel):
    event_id: UUID


class WebhookDoor:
    """`/webhook`, `/webhook-secrets`, `/webhook-tests`, `/webhook-events`, `/webhook-replays`."""

    def __init__(self, endpoints: Endpoints, outbound: Outbound, keys: Keys) -> None:
        self._endpoints = endpoints
        self._outbound = outbound
        self._keys = keys

    def routes(self, audience: Audience) -> list[Route]:
        """Its operations."""
        make = partial(Route, audience=audience, permission=WEBHOOKS)
        unknown = [ProblemCode.not_found]
        return [
            make(
                method="PUT",
                path=PATH,
                handler=self.set_up,
                summary="Set your endpoint; it gets a new secret",
                summary_ja="Webhookの送信先の設定",
                request=WebhookToSet,
                response=WebhookSecret,
                callbacks=CALLBACKS,
            ),
            make(
                method="GET",
                path=PATH,
                handler=self.get,
                summary="Your endpoint",
                summary_ja="Webhookの送信先の照会",
                response=WebhookState,
                problems=unknown,
            ),
            make(
                method="DELETE",
                path=PATH,
                handler=self.end,
                summary="No more webhooks",
                summary_ja="Webhookの停止",
                status=204,
            ),
            make(
                method="POST",
                path="/webhook-secrets",
                handler=self.rotate,
                summary="Change the secret; those before sign too, each for 24 hours",
                summary_ja="Webhookの共有鍵の変更",
                response=WebhookSecret,
                problems=unknown,
            ),
            make(
                method="POST",
                path="/webhook-tests",
                handler=self.test,
                summary="Have an event sent that tells nothing",
                summary_ja="Webhookの送信テスト",
                response=EventsSaid,
                status=202,
                problems=unknown,
            ),
            *self._of_events(audience),
        ]

    def _of_events(self, audience: Audience) -> list[Route]:
        make = partial(Route, audience=audience, permission=WEBHOOKS)
        return [
            make(
                method="GET",
                path="/webhook-events",
                handler=self.events,
                summary="Your events and what became of them",
                summary_ja="Webhookの送信履歴",
                query=EventQuery,
                response=WebhookEvents,
                problems=[ProblemCode.bad_cursor],
            ),
            make(
                method="POST",
                path="/webhook-replays",
                handler=self.replay,
                summary="Have events sent again, under the same ids",
                summary_ja="Webhookの再送",
                request=EventsToReplay,
                response=EventsSaid,
                status=202,
                problems=[ProblemCode.not_found],
            ),
        ]

    async def set_up(self, request: web.Request) -> web.Response:
        """Refused where we would not go; looked at again at each connection."""
        url = (await read_model(request, WebhookToSet, BODY_LIMIT_BYTES)).url
        try:
            self._outbound.check(url)
        except ForbiddenAddressError as error:
            raise ProblemError(ProblemCode.bad_field, errors=[FORBIDDEN]) from error
        party_id = caller_of(request).party_id
        return self._told(party_id, await self._endpoints.set_up(party_id, url))

    async def get(self, request: web.Request) -> web.Response:
        """The secret is not told again."""
        party_id = caller_of(request).party_id
        found = await self._endpoints.endpoint(party_id)
        if found is None:
            raise ProblemError(ProblemCode.not_found, *NO_ENDPOINT)
        key = public_key(signer_of(self._keys, party_id))
        return json_response(WebhookState(url=found.url, public_key=key, disabled_at=found.disabled_at))

    async def end(self, request: web.Request) -> web.Response:
        """Done too where there is none."""
        await self._endpoints.end(caller_of(request).party_id)
        return web.Response(status=204)

    async def rotate(self, request: web.Request) -> web.Response:
        """Another secret."""
        party_id = caller_of(request).party_id
        whsec = await self._endpoints.rotate(party_id)
        if whsec is None:
            raise ProblemError(ProblemCode.not_found, *NO_ENDPOINT)
        return self._told(party_id, whsec)

    async def test(self, request: web.Request) -> web.Response:
        """`webhook.test`; not to an endpoint that is disabled."""
        party_id = caller_of(request).party_id
        await self._check_listens(party_id)
        said = await self._endpoints.test(party_id)
        return json_response(EventsSaid(event_ids=said), status=202)

    async def events(self, request: web.Request) -> web.Response:
        """The caller's own."""
        page = query_of(request, EventQuery)
        before = None if page.cursor is None else decode_cursor(page.cursor, _Position).event_id
        party_id, undelivered = caller_of(request).party_id, page.undelivered == "true"
        kept = await self._endpoints.events(party_id, before, page.limit, undelivered=undelivered)
        items = [WebhookEvent(**one.model_dump()) for one in kept]
        last = encode_cursor(_Position(event_id=items[-1].event_id)) if len(items) == page.limit else None
        return json_response(WebhookEvents(items=items, next=last))

    async def replay(self, request: web.Request) -> web.Response:
        """Another party's events are left out, as ones that never were."""
        asked = (await read_model(request, EventsToReplay, BODY_LIMIT_BYTES)).event_ids
        party_id = caller_of(request).party_id
        await self._check_listens(party_id)
        sent = await self._endpoints.replay(party_id, asked)
        return json_response(EventsSaid(event_ids=sent), status=202)

    async def _check_listens(self, party_id: UUID) -> None:
        endpoint = await self._endpoints.endpoint(party_id)
        if endpoint is None or endpoint.disabled_at is not None:
            raise ProblemError(ProblemCode.not_found, *(NO_ENDPOINT if endpoint is None else DISABLED))

    def _told(self, party_id: UUID, whsec: str) -> web.Response:
        return json_response(WebhookSecret(secret=whsec, public_key=public_key(signer_of(self._keys, party_id))))


NO_ENDPOINT: Final = (
    "No endpoint is set: set one by PUT /api/partner/webhook.",
    "Webhookの送信先が設定されていません。PUT /api/partner/webhook で設定してください。",
)
DISABLED: Final = (
    "Your endpoint has answered 410 and is disabled: set it anew by PUT /api/partner/webhook.",
    "Webhookの送信先は410を返したため停止しています。PUT /api/partner/webhook で設定し直してください。",
)
FORBIDDEN: Final = FieldError(
    pointer="/url",
    code="address",
    detail="Name an https address on port 443 that is public.",
    detail_ja="443番ポートのhttpsで、公開されたアドレスを指定してください。",
)
