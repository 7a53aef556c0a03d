"""Failures to order: what a partner has to live with, on purpose and on time.

Either for the next so many requests, by `POST /api/sandbox/faults`, with no change to one's program; or for one
request, by the header `Sandbox-Fault: busy;retry_after_s=2`, which is not signed.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

import http_sf
from aiohttp import web

from connectors.sandbox.shapes import Fault, FaultKind
from hub.component import Outside, Unasked
from hub.errors import TransientError
from hub.web.app import Answer, Route, caller_of
from hub.web.problems import ProblemError
from schemas.message import Envelope
from schemas.problems import ProblemCode
from schemas.webhooks import SendWebhook

HEADER: Final = "Sandbox-Fault"
ORDERS_LIMIT: Final = 20
PARTIES_LIMIT: Final = 1_000
OF_WEBHOOKS: Final = frozenset({FaultKind.webhook_lost, FaultKind.webhook_doubled})
OF_REQUESTS: Final = frozenset(FaultKind) - OF_WEBHOOKS

PLAYED: Final = web.RequestKey("played", FaultKind)
"""What was done wrong with a request."""


class WebhookLostError(TransientError):
    """The sandbox was asked to lose this try; the next one is made."""


class Orders:
    """What each party has ordered, in the order in which it will happen."""

    def __init__(self) -> None:
        self._of: OrderedDict[UUID, deque[Fault]] = OrderedDict()

    def add(self, party_id: UUID, fault: Fault) -> bool:
        """At the end; False where there are too many already."""
        ordered = self._of.setdefault(party_id, deque())
        if len(ordered) >= ORDERS_LIMIT:
            return False
        ordered.append(fault)
        if len(self._of) > PARTIES_LIMIT:
            self._of.popitem(last=False)
        return True

    def of(self, party_id: UUID) -> list[Fault]:
        """What is left."""
        return list(self._of.get(party_id, ()))

    def forget(self, party_id: UUID) -> None:
        """Nothing goes wrong any more."""
        self._of.pop(party_id, None)

    def take(self, party_id: UUID, kinds: Collection[FaultKind]) -> Fault | None:
        """The next one of these kinds, once."""
        ordered = self._of.get(party_id, deque())
        for place, fault in enumerate(ordered):
            if fault.fault in kinds:
                if fault.times > 1:
                    ordered[place] = fault.model_copy(update={"times": fault.times - 1})
                else:
                    del ordered[place]
                return fault
        return None


def faulty_route(route: Route, orders: Orders) -> Route:
    """The same route, which goes wrong when its caller has ordered it; only once the caller is known."""

    async def handler(request: web.Request) -> web.StreamResponse:
        fault = _by_header(request) or orders.take(caller_of(request).party_id, OF_REQUESTS)
        if fault is None:
            return await route.handler(request)
        request[PLAYED] = fault.fault
        return await _PLAYS[fault.fault](fault, request, route.handler)

    return replace(route, handler=handler)


class FaultyWebhooks:
    """The sender of webhooks, which loses and doubles them when their receiver has ordered it."""

    def __init__(self, sender: Outside, orders: Orders) -> None:
        self._sender = sender
        self._orders = orders

    async def __call__(self, envelope: Envelope, /) -> Unasked | None:
        """Raises WebhookLostError, and what the sender raises."""
        message = envelope.message
        fault = self._orders.take(message.party_id, OF_WEBHOOKS) if isinstance(message, SendWebhook) else None
        if fault is not None and fault.fault is FaultKind.webhook_lost:
            raise WebhookLostError(retry_after_s=fault.retry_after_s)
        done = await self._sender(envelope)
        if fault is None or done is Unasked.UNASKED:
            return done
        return await self._sender(replace(envelope, message=message.model_copy(update={"again": True})))


def _by_header(request: web.Request) -> Fault | None:
    told = request.headers.get(HEADER)
    return None if told is None else _read(told)


def _read(told: str) -> Fault:
    """A dictionary (RFC 8941) of one member, whose parameters are the fault's fields."""
    try:
        parsed = http_sf.parse(told.encode("ascii"), tltype="dictionary")
        if not isinstance(parsed, dict) or len(parsed) != 1:
            raise _bad_header()
        ((name, member),) = parsed.items()
        fault = Fault.model_validate({**_parameters(member), "fault": name})
    except ValueError as error:
        raise _bad_header() from error
    if fault.fault in OF_WEBHOOKS:
        raise _bad_header()
    return fault


def _parameters(member: object) -> Mapping[str, object]:
    """Those of a member that is only named."""
    match member:
        case (True, dict() as parameters):
            return parameters
    raise _bad_header()


def _bad_header() -> ProblemError:
    kinds = ", ".join(sorted(OF_REQUESTS))
    return ProblemError(
        ProblemCode.bad_request,
        f"{HEADER} names one of {kinds}, with retry_after_s or delay_ms as its parameter.",
        f"{HEADER}には{kinds}のいずれかを指定してください。",
    )


async def _too_many(fault: Fault, _request: web.Request, _handler: Answer) -> web.StreamResponse:
    raise ProblemError(ProblemCode.too_many, retry_after_s=fault.retry_after_s)


async def _busy(fault: Fault, _request: web.Request, _handler: Answer) -> web.StreamResponse:
    raise ProblemError(ProblemCode.busy, retry_after_s=fault.retry_after_s)


async def _slow(fault: Fault, request: web.Request, handler: Answer) -> web.StreamResponse:
    await asyncio.sleep(fault.delay_ms / 1e3)
    return await handler(request)


async def _lost(fault: Fault, request: web.Request, handler: Answer) -> web.StreamResponse:
    await handler(request)
    raise ProblemError(ProblemCode.outcome_unknown, retry_after_s=fault.retry_after_s)


async def _cut(_fault: Fault, request: web.Request, handler: Answer) -> web.StreamResponse:
    answer = await handler(request)
    if request.transport is not None:
        request.transport.abort()
    return answer


_PLAYS: Final[Mapping[FaultKind, Callable[[Fault, web.Request, Answer], Awaitable[web.StreamResponse]]]] = {
    FaultKind.too_many: _too_many,
    FaultKind.busy: _busy,
    FaultKind.slow: _slow,
    FaultKind.lost: _lost,
    FaultKind.cut: _cut,
}
