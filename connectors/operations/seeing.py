"""The routes by which operators look: whoever may come in may see; personal data is masked for everybody."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from connectors.operations.acts import Act
from connectors.operations.audience import VIEW
from connectors.operations.shapes import (
    FINGERPRINT,
    ActPage,
    DeliveryPage,
    Flow,
    GroupDetail,
    Groups,
    MessagePage,
    OperatorList,
    OutageList,
    Redrive,
    WebhookPage,
)
from connectors.operations.telling import BY_ID, id_in, told
from connectors.operations.work import Work
from hub.outages import LIST_LIMIT
from hub.store import Search, StoredMessage, WaitingDelivery, Way
from hub.web.app import Audience, Route, json_response, query_of
from hub.web.pages import BIGINT_LIMIT, PageQuery, QueryInt, decode_cursor, encode_cursor
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode


class After(BaseModel):
    """Where a page ended."""

    id: UUID


class AfterDelivery(BaseModel):
    """Where a page of deliveries ended."""

    id: int = Field(ge=0, le=BIGINT_LIMIT)


class MessageQuery(PageQuery):
    """What to look for; all that is given must fit."""

    type: str | None = Field(None, max_length=100, description="Such as jp.mykey.points.credited.v1.")
    subject: UUID | None = Field(None, description="What it is about, such as a citizen's id.")
    correlation: UUID | None = Field(None, description="What began with this id.")
    key: str | None = Field(None, max_length=100, description="A business key, such as a partner's transfer id.")
    since: AwareDatetime | None = Field(None, description="Said then or later, such as 2017-10-02T09:00:00+09:00.")
    until: AwareDatetime | None = Field(None, description="Said before then.")


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    state: Literal["due", "scheduled", "held", "parked"] = Field(
        "parked", description="due; scheduled; held, for another side that is down; or parked."
    )
    fingerprint: str | None = Field(None, pattern=FINGERPRINT, description="Only of this kind of failure.")


class WebhookQuery(PageQuery):
    """Which events."""

    undelivered: Literal["true", "false"] = Field("false", description="`true`: only what the party has not taken.")


class OutageQuery(BaseModel):
    """How many outages; open ones come first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: QueryInt = Field(50, ge=1, le=LIST_LIMIT, description="The most outages.")


class SeeingDoor:
    """`GET` of everything there is to see."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def routes(self, audience: Audience) -> list[Route]:
        """Its rows of the table."""
        see = partial(Route, audience=audience, method="GET", permission=VIEW)
        return [*self._now(see), *self._kept(see)]

    def _now(self, see: Callable[..., Route]) -> list[Route]:
        return [
            see(path="/flow", handler=self.flow, response=Flow, summary="What flows", summary_ja="稼働状況"),
            see(
                path="/outages",
                handler=self.outages,
                query=OutageQuery,
                response=OutageList,
                summary="Other sides that are down, then the latest that were",
                summary_ja="接続先の障害（継続中、続いて復旧済み）",
            ),
            see(
                path="/parked",
                handler=self.parked,
                response=Groups,
                summary="What is parked, by kind of failure",
                summary_ja="停止中メッセージの一覧（障害別）",
            ),
            see(
                path=f"/parked/{{fingerprint:{FINGERPRINT[1:-1]}}}",
                handler=self.group,
                response=GroupDetail,
                summary="One kind of failure",
                summary_ja="障害別の詳細",
                problems=(ProblemCode.not_found,),
            ),
            see(
                path="/deliveries",
                handler=self.deliveries,
                query=DeliveryQuery,
                response=DeliveryPage,
                summary="Deliveries that are not done yet",
                summary_ja="未完了の配信",
                problems=(ProblemCode.bad_cursor,),
            ),
        ]

    def _kept(self, see: Callable[..., Route]) -> list[Route]:
        gone = ProblemCode.not_found
        return [
            see(
                path="/messages",
                handler=self.messages,
                query=MessageQuery,
                response=MessagePage,
                summary="Search messages",
                summary_ja="メッセージ検索",
                problems=(ProblemCode.bad_cursor,),
            ),
            see(
                path=f"/messages/{BY_ID}",
                handler=self.way,
                response=Way,
                summary="One message's whole way; personal data is masked",
                summary_ja="メッセージの経路（個人情報は非表示）",
                problems=(gone,),
            ),
            see(
                path=f"/redrives/{BY_ID}",
                handler=self.progress,
                response=Redrive,
                summary="How far a redrive is",
                summary_ja="再実行の進み具合",
                problems=(gone,),
            ),
            see(
                path=f"/webhooks/{BY_ID}",
                handler=self.webhooks,
                query=WebhookQuery,
                response=WebhookPage,
                summary="A party's endpoint, and what it was told",
                summary_ja="Webhookの送信先と送信履歴",
                problems=(ProblemCode.bad_cursor,),
            ),
            see(
                path="/acts",
                handler=self.acts,
                query=PageQuery,
                response=ActPage,
                summary="What operators did",
                summary_ja="操作記録",
                problems=(ProblemCode.bad_cursor,),
            ),
            see(
                path="/operators",
                handler=self.operators,
                response=OperatorList,
                summary="Operators",
                summary_ja="運用担当者の一覧",
            ),
        ]

    async def flow(self, _request: web.Request) -> web.Response:
        """What flows."""
        async with told():
            return json_response(await self._work.flow())

    async def outages(self, request: web.Request) -> web.Response:
        """Open outages first."""
        async with told():
            return json_response(OutageList(items=await self._work.outages(query_of(request, OutageQuery).limit)))

    async def parked(self, _request: web.Request) -> web.Response:
        """What is parked."""
        async with told():
            return json_response(Groups(items=await self._work.parked()))

    async def group(self, request: web.Request) -> web.Response:
        """One kind of failure."""
        async with told():
            found = await self._work.group(request.match_info["fingerprint"])
        if not found.items:
            raise ProblemError(ProblemCode.not_found)
        return json_response(found)

    async def deliveries(self, request: web.Request) -> web.Response:
        """A page of deliveries."""
        query = query_of(request, DeliveryQuery)
        after = decode_cursor(query.cursor, AfterDelivery).id if query.cursor else 0
        async with told():
            found = await self._work.deliveries(query.state, query.fingerprint, after, query.limit)
        return json_response(DeliveryPage(items=found, next=_next_delivery(found, query.limit)))

    async def messages(self, request: web.Request) -> web.Response:
        """A page of messages."""
        query = query_of(request, MessageQuery)
        wanted = Search(
            type=query.type,
            subject=query.subject,
            correlation_id=query.correlation,
            business_key=query.key,
            since=query.since,
            until=query.until,
            before=before_of(query),
            limit=query.limit,
        )
        async with told():
            found = await self._work.messages(wanted)
        return json_response(MessagePage(items=found, next=_next_message(found, query.limit)))

    async def way(self, request: web.Request) -> web.Response:
        """One message's whole way, masked whoever asks."""
        async with told():
            return json_response(await self._work.way(id_in(request)))

    async def progress(self, request: web.Request) -> web.Response:
        """How far a redrive is."""
        async with told():
            return json_response(await self._work.redrives.progress(id_in(request)))

    async def webhooks(self, request: web.Request) -> web.Response:
        """A page of what a party was told; the id in the address is the party's."""
        query = query_of(request, WebhookQuery)
        undelivered = query.undelivered == "true"
        async with told():
            found = await self._work.webhooks(id_in(request), before_of(query), query.limit, undelivered=undelivered)
        last = encode_cursor(After(id=found.events[-1].event_id)) if len(found.events) == query.limit else None
        return json_response(WebhookPage(**dict(found), next=last))

    async def acts(self, request: web.Request) -> web.Response:
        """A page of the audit."""
        query = query_of(request, PageQuery)
        async with told():
            found = await self._work.acts(before_of(query), query.limit)
        return json_response(ActPage(items=found, next=_next_act(found, query.limit)))

    async def operators(self, _request: web.Request) -> web.Response:
        """All operators."""
        async with told():
            return json_response(OperatorList(items=await self._work.operators()))


def before_of(query: PageQuery) -> UUID | None:
    """Where the page before ended. Raises ProblemError bad_cursor."""
    return decode_cursor(query.cursor, After).id if query.cursor else None


def _next_message(found: Sequence[StoredMessage], limit: int) -> str | None:
    return encode_cursor(After(id=found[-1].id)) if len(found) == limit else None


def _next_act(found: Sequence[Act], limit: int) -> str | None:
    return encode_cursor(After(id=found[-1].act_id)) if len(found) == limit else None


def _next_delivery(found: Sequence[WaitingDelivery], limit: int) -> str | None:
    return encode_cursor(AfterDelivery(id=found[-1].id)) if len(found) == limit else None
