"""Is it alive, is it ready, and what does it count: for the supervisor, the load balancer and Prometheus."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from pydantic import BaseModel, ConfigDict

from hub.errors import HubError
from hub.web.app import PUBLIC, Audience, Route, json_response

CHECK_TIMEOUT_S: Final = 2.0
UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must work before requests are sent here; or, where it is not `needed`, that should.

    `look` returns None when all is well, else a short static reason; HubError, OSError and no answer in 2
    s count as not ready.
    """

    name: str
    look: Callable[[], Awaitable[str | None]]
    needed: bool = True


class Health(BaseModel):
    """`ok`, or `degraded` with the names of the checks that failed; details are in the log, not here.

    It is still ready, and says so by 200, where only what is not needed has failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: str
    failed: list[str] = []


def health_routes(checks: Sequence[Check], registry: CollectorRegistry = REGISTRY) -> list[Route]:
    """`/healthz`, `/readyz`, `/metrics`: for an inside port, or a proxy that does not pass them on."""
    audience = Audience("health", "", "Health", "稼働状況", documented=False)
    make = partial(Route, audience=audience, method="GET", permission=PUBLIC)
    return [
        make(path="/healthz", handler=_healthz, summary="Is the process alive?", summary_ja="稼働確認"),
        make(path="/readyz", handler=partial(_readyz, checks), summary="Is it ready?", summary_ja="準備確認"),
        make(path="/metrics", handler=partial(_metrics, registry), summary="Metrics", summary_ja="計測値"),
    ]


async def _healthz(_request: web.Request) -> web.Response:
    return json_response(Health(status="ok"))


async def _readyz(checks: Sequence[Check], _request: web.Request) -> web.Response:
    found = await asyncio.gather(*(_failed(check) for check in checks))
    failed = [check for check, bad in zip(checks, found, strict=True) if bad]
    health = Health(status="degraded" if failed else "ok", failed=[check.name for check in failed])
    if any(check.needed for check in failed):
        return json_response(health, status=UNAVAILABLE, headers={"Retry-After": "5"})
    return json_response(health)


async def _failed(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check.look() is not None
    except (HubError, OSError):  # OSError: refused, reset, and TimeoutError
        return True


async def _metrics(registry: CollectorRegistry, _request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
