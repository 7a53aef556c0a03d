"""The listening door against clients that speak HTTP badly, slowly or not at all."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientError, ClientSession, web

from hub.web.app import PUBLIC, make_app
from hub.web.server import Door, DoorLimits
from tests.hub.web.serving import HOST, audience, exchange, route

pytestmark = pytest.mark.loopback

LIMITS = DoorLimits(header_timeout_s=0.3, unread_body_timeout_s=0.1, shutdown_timeout_s=1.0)


class Hall:
    """One handler that answers at once, and one that stays until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.inside = asyncio.Event()
        self.leave = asyncio.Event()

    async def quick(self, _request: web.Request) -> web.Response:
        self.calls += 1
        return web.json_response({})

    async def slow(self, _request: web.Request) -> web.Response:
        self.inside.set()
        await self.leave.wait()
        return web.json_response({})

    def app(self) -> web.Application:
        group = audience(authenticate=None)
        return make_app(
            [
                route(audience=group, method="GET", path="/quick", handler=self.quick, permission=PUBLIC),
                route(audience=group, method="GET", path="/slow", handler=self.slow, permission=PUBLIC),
                route(
                    audience=group,
                    method="POST",
                    path="/quick",
                    handler=self.quick,
                    permission=PUBLIC,
                    consumes=("application/json",),
                ),
            ]
        )


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
async def door(hall: Hall) -> AsyncIterator[Door]:
    async with Door(hall.app(), HOST, 0, limits=LIMITS) as opened:
        yield opened


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"G",
        b"GET /api/test/quick HTTP/1.1\r\n",
        b"GET /api/test/quick HTTP/1.1\r\nHost: a\r\nX-Long: ",
        b"GET /api/test/quick HTTP/1.1\r\nHost: a\r\n\r\nGET /api/test/quick HTTP/1.1\r\nHo",
    ],
)
async def test_a_header_that_does_not_come_whole_is_not_waited_for(door: Door, sent: bytes) -> None:
    started = time.monotonic()
    await exchange(door.port, sent, deadline_s=3.0)
    assert LIMITS.header_timeout_s * 0.9 < time.monotonic() - started < 2.0


async def test_dripping_a_header_does_not_buy_time(door: Door) -> None:
    reader, writer = await asyncio.open_connection(HOST, door.port)
    writer.write(b"GET /api/test/quick HTTP/1.1\r\nHost: a\r\n")

    async def drip() -> None:
        for number in range(1_000):
            writer.write(f"X-{number}: 1\r\n".encode())
            await writer.drain()
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    async with asyncio.timeout(3.0):
        assert await _rest(reader) == b""
    dripping.cancel()
    writer.close()


async def test_a_slow_handler_is_not_taken_for_a_slow_client(hall: Hall, door: Door) -> None:
    async with ClientSession() as client:
        asked = asyncio.create_task(client.get(f"http://{HOST}:{door.port}/api/test/slow"))
        await hall.inside.wait()
        asyncio.get_running_loop().call_later(LIMITS.header_timeout_s * 2, hall.leave.set)
        assert (await asked).status == 200


POST = b"POST /api/test/quick HTTP/1.1\r\nHost: a\r\n"
MALFORMED = {
    "CL and TE": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "two CL": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "CL twice the same": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "CL not a number": POST + b"Content-Length: +2\r\n\r\n{}",
    "two hosts": b"GET /api/test/quick HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET /api/test/quick HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "bare LF": b"GET /api/test/quick HTTP/1.1\nHost: a\n\n",
    "LF in a header": b"GET /api/test/quick HTTP/1.1\r\nHost: a\r\nX-A: b\nX-B: c\r\n\r\n",
    "NUL in a header": b"GET /api/test/quick HTTP/1.1\r\nHost: a\r\nX-A: b\x00\r\n\r\n",
    "space before the colon": b"GET /api/test/quick HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
    "header of 9 KiB": b"GET /api/test/quick HTTP/1.1\r\nHost: a\r\nX-A: " + b"b" * 9_216 + b"\r\n\r\n",
    "line of 9 KiB": b"GET /api/test/quick?" + b"b" * 9_216 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "too many headers": b"GET /api/test/quick HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 70 + b"\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "HTTP/3.7": b"GET /api/test/quick HTTP/3.7\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_requests_are_400_and_the_connection_is_closed(hall: Hall, door: Door, sent: bytes) -> None:
    answer = await exchange(door.port, sent)
    line, _, rest = answer.partition(b"\r\n")
    assert b" 400 " in line
    assert b"Content-Type: application/problem+json; charset=utf-8" in rest
    assert b"X-Content-Type-Options: nosniff" in rest
    assert b"X-Request-Id: " in rest
    assert b"#problem-bad_request" in rest
    assert hall.calls == 0


async def test_a_smuggled_second_request_is_not_served(hall: Hall, door: Door) -> None:
    smuggled = b"0\r\n\r\nGET /api/test/quick HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST /api/test/quick HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n"
    await exchange(door.port, head % len(smuggled) + smuggled)
    assert hall.calls == 0


async def test_shutting_down_lets_requests_finish(hall: Hall) -> None:
    door = Door(hall.app(), HOST, 0, limits=LIMITS)
    await door.open()
    async with ClientSession(f"http://{HOST}:{door.port}") as client:
        asked = asyncio.create_task(client.get("/api/test/slow"))
        await hall.inside.wait()
        closing = asyncio.create_task(door.close())
        asyncio.get_running_loop().call_later(0.1, hall.leave.set)
        assert (await asked).status == 200
        await closing
        with pytest.raises(ClientError):
            await client.get("/api/test/quick")


async def test_shutting_down_has_a_deadline(hall: Hall) -> None:
    door = Door(hall.app(), HOST, 0, limits=LIMITS)
    await door.open()
    async with ClientSession(f"http://{HOST}:{door.port}") as client:
        asked = asyncio.create_task(client.get("/api/test/slow"))
        await hall.inside.wait()
        started = time.monotonic()
        await door.close()
        assert time.monotonic() - started < LIMITS.shutdown_timeout_s + 5
        with pytest.raises(ClientError):
            await asked


async def test_two_doors_may_share_a_port(hall: Hall) -> None:
    async with (
        Door(hall.app(), HOST, 0, reuse_port=True, limits=LIMITS) as one,
        Door(hall.app(), HOST, one.port, reuse_port=True, limits=LIMITS) as other,
    ):
        assert other.port == one.port


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
