"""The server-to-server flow: authorize, capture, void, refund, and how an order stands (mission I.7, I.8)."""

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from connectors.checkout.audience import ORDERS
from connectors.checkout.orders import DEADLINE_S, HASH_BYTES, Orders
from connectors.checkout.shapes import (
    Authorization,
    AuthorizationRequest,
    CaptureRequest,
    RefundRequest,
    VoidRequest,
)
from connectors.checkout.store import Wanted
from hub.web.app import Answer, Audience, Route, caller_of, json_response
from hub.web.backlog import Backlog
from hub.web.bodies import read_model
from hub.web.problems import ProblemError
from schemas.citizens import LinkedCitizensOf
from schemas.points import nobody
from schemas.problems import ProblemCode, RefusalCode

PATH: Final = "/authorizations"
BODY_LIMIT_BYTES: Final = 16 * 1024

_ORDER_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,60}")


class AuthorizationDoor:
    """`/authorizations` and below."""

    def __init__(self, orders: Orders, backlog: Backlog) -> None:
        self._orders = orders
        self._backlog = backlog

    def routes(self, audience: Audience) -> list[Route]:
        """Its five operations."""
        make = partial(Route, audience=audience, permission=ORDERS, response=Authorization)
        post = partial(self._post, make)
        one = PATH + "/{order_id}"
        conflict, unknown = ProblemCode.id_conflict, ProblemCode.not_found
        return [
            post(
                PATH,
                self.authorize,
                AuthorizationRequest,
                ("Set a citizen's points aside for an order", "注文に使うポイントの確保（オーソリ）"),
                [conflict],
            ),
            post(
                one + "/capture",
                self.capture,
                CaptureRequest,
                ("The order is paid: spend all or part of its points", "ポイント利用の確定（一部も可）"),
                [conflict, unknown],
            ),
            post(
                one + "/void",
                self.void,
                VoidRequest,
                ("The order came to nothing: give its points back", "確保したポイントの取り消し"),
                [unknown],
            ),
            post(
                one + "/refunds",
                self.refund,
                RefundRequest,
                ("Give captured points back, in whole or in part", "利用したポイントの返還（一部も可）"),
                [conflict, unknown],
            ),
            make(
                method="GET",
                path=one,
                handler=self.get,
                summary="How an order's points stand",
                summary_ja="注文のポイントの状況",
                problems=[unknown, ProblemCode.outcome_unknown],
            ),
        ]

    async def authorize(self, request: web.Request) -> web.Response:
        """Whoever is not linked is as good as nobody: refused, and kept."""
        asked = await read_model(request, AuthorizationRequest, BODY_LIMIT_BYTES)
        party_id = caller_of(request).party_id
        links = LinkedCitizensOf(party_id=party_id, link_ids=[asked.link_id])
        linked, code = await asyncio.gather(
            self._orders.bus.call(links, DEADLINE_S), self._orders.refusal(party_id, asked.pool, asked.item_ids)
        )
        citizen_id = linked.citizens.get(asked.link_id)
        wanted = Wanted(
            party_id=party_id,
            order_id=asked.order_id,
            request_hash=sha256(asked.model_dump_json().encode()).digest()[:HASH_BYTES],
            citizen_id=citizen_id or nobody(party_id, asked.order_id),
            pool=asked.pool,
            points=asked.points,
            expires_at=self._orders.clock.now() + timedelta(seconds=asked.expires_in_s),
            code=code if citizen_id else RefusalCode.unknown_link,
        )
        return json_response(await self._orders.authorize(wanted))

    async def get(self, request: web.Request) -> web.Response:
        """Another shop's order is as unknown as one that never was."""
        return json_response(await self._orders.look_up(caller_of(request).party_id, _order_id(request)))

    async def capture(self, request: web.Request) -> web.Response:
        """Once an order; the same again is answered again."""
        asked = await read_model(request, CaptureRequest, BODY_LIMIT_BYTES)
        party_id, order_id = caller_of(request).party_id, _order_id(request)
        return json_response(await self._orders.capture(party_id, order_id, asked.points))

    async def void(self, request: web.Request) -> web.Response:
        """While nothing was captured."""
        await read_model(request, VoidRequest, BODY_LIMIT_BYTES)
        return json_response(await self._orders.void(caller_of(request).party_id, _order_id(request)))

    async def refund(self, request: web.Request) -> web.Response:
        """Several times, up to what was captured."""
        asked = await read_model(request, RefundRequest, BODY_LIMIT_BYTES)
        party_id, order_id = caller_of(request).party_id, _order_id(request)
        return json_response(await self._orders.refund(party_id, order_id, asked.refund_id, asked.points))

    def _post(
        self,
        make: "partial[Route]",
        path: str,
        handler: Answer,
        body: type[BaseModel],
        words: tuple[str, str],
        problems: Sequence[ProblemCode],
    ) -> Route:
        return make(
            method="POST",
            path=path,
            handler=handler,
            request=body,
            backlog=self._backlog,
            summary=words[0],
            summary_ja=words[1],
            problems=[*problems, ProblemCode.outcome_unknown],
        )


def _order_id(request: web.Request) -> str:
    order_id = request.match_info["order_id"]
    if _ORDER_ID.fullmatch(order_id) is None:
        raise ProblemError(ProblemCode.not_found)
    return order_id
