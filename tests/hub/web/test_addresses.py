"""From where a request comes: a proxy of ours is believed, once; nobody else is."""

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Final

import pytest
from aiohttp import ClientSession, web
from multidict import CIMultiDict

from hub.web.addresses import FORWARDED_FOR, address_of
from hub.web.app import PUBLIC, make_app
from hub.web.limits import RateLimiter
from hub.web.server import Door
from tests.hub.web.serving import HOST, audience, route

pytestmark = pytest.mark.loopback

PROXY: Final = (IPv4Network("127.0.0.0/8"),)
ELSEWHERE: Final = (IPv4Network("10.0.0.0/8"),)


async def where(request: web.Request) -> web.Response:
    return web.json_response({"address": address_of(request)})


@pytest.mark.parametrize(
    "proxies, told, address",
    [
        (PROXY, ["192.0.2.1"], "192.0.2.1"),
        (PROXY, [" 2001:db8::1 "], "2001:db8::/64"),
        (PROXY, ["2001:db8:0:0:ffff::2"], "2001:db8::/64"),
        (PROXY, ["2001:db8:0:1::1"], "2001:db8:0:1::/64"),
        (PROXY, ["::ffff:192.0.2.9"], "192.0.2.9"),
        ((), ["192.0.2.1"], HOST),
        (ELSEWHERE, ["192.0.2.1"], HOST),
        (PROXY, [], HOST),
        (PROXY, ["192.0.2.1", "192.0.2.2"], HOST),
        (PROXY, ["192.0.2.1, 192.0.2.2"], HOST),
        (PROXY, ["somebody"], HOST),
        (PROXY, [""], HOST),
    ],
)
async def test_only_a_proxy_of_ours_is_believed(proxies: Sequence[IPv4Network], told: list[str], address: str) -> None:
    public = audience(name="open", prefix="/api", authenticate=None)
    app = make_app([route(audience=public, method="GET", path="/where", handler=where, permission=PUBLIC)], proxies)
    headers = CIMultiDict([(FORWARDED_FOR, one) for one in told])
    async with (
        Door(app, HOST, 0) as door,
        ClientSession(f"http://{HOST}:{door.port}") as client,
        client.get("/api/where", headers=headers) as answer,
    ):
        assert await answer.json() == {"address": address}


async def test_limits_by_address_count_each_client_behind_a_proxy() -> None:
    group = audience(name="open", prefix="/api", authenticate=None, rate=RateLimiter(0.001, 1))
    app = make_app([route(audience=group, method="GET", path="/where", handler=where, permission=PUBLIC)], PROXY)
    async with Door(app, HOST, 0) as door, ClientSession(f"http://{HOST}:{door.port}") as client:
        statuses = [
            (await client.get("/api/where", headers={FORWARDED_FOR: address})).status
            for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")
        ]

    assert statuses == [200, 200, 429]
