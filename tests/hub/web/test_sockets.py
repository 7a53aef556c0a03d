"""WebSockets: who may open one, what each frame may be, and how one ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
from aiohttp import ClientSession, WSCloseCode, WSMsgType, WSServerHandshakeError

from hub.web.limits import AtOnce, RateLimiter, WaitingRoom
from hub.web.server import Door
from hub.web.sockets import Socket, SocketLimits, socket_route
from tests.hub.web.serving import audience, serving
from tests.waiting import wait_until

pytestmark = pytest.mark.loopback

PATH: Final = "/api/test/talk"
LIMITS: Final = SocketLimits(frame_bytes=100, ping_every_s=0.2, close_timeout_s=0.1)
ended: Final[list[str]] = []


async def echo(socket: Socket) -> None:
    """Say what is heard, until the other side goes."""
    try:
        while True:
            await socket.send(await socket.receive())
    finally:
        ended.append("echo")


@pytest.fixture
async def door() -> AsyncIterator[tuple[Door, ClientSession]]:
    ended.clear()
    group = audience(authenticate=None, room=WaitingRoom(2), at_once=AtOnce(2), address_rate=RateLimiter(0.001, 5))
    async with serving([socket_route(group, "/talk", echo, "Talk", "会話", LIMITS)]) as opened:
        yield opened


async def test_frames_go_both_ways_and_the_end_is_heard(door: tuple[Door, ClientSession]) -> None:
    async with door[1].ws_connect(PATH) as client:
        await client.send_str("漢字")
        assert await client.receive_str() == "漢字"
        await client.close()
    await wait_until(lambda: ended)


async def test_who_speaks_no_websocket_or_comes_from_a_page_is_refused(door: tuple[Door, ClientSession]) -> None:
    for method, headers, status in (
        ("GET", {}, 400),
        ("GET", {"Upgrade": "websocket", "Connection": "upgrade", "Sec-WebSocket-Version": "12"}, 400),
        ("HEAD", {}, 400),
        ("POST", {}, 405),
    ):
        async with door[1].request(method, PATH, headers=headers) as answer:
            assert answer.status == status, method
    with pytest.raises(WSServerHandshakeError) as refused:
        await door[1].ws_connect(PATH, origin="https://page.example")
    assert refused.value.status == 403


async def test_a_place_is_held_as_long_as_the_connection(door: tuple[Door, ClientSession]) -> None:
    first, second = [await door[1].ws_connect(PATH) for _ in range(2)]
    with pytest.raises(WSServerHandshakeError) as refused:
        await door[1].ws_connect(PATH)
    assert refused.value.status == 503
    assert refused.value.headers is not None
    assert int(refused.value.headers["Retry-After"]) >= 1
    await first.close()
    await wait_until(lambda: ended)
    async with door[1].ws_connect(PATH):
        pass
    await second.close()


async def test_whoever_dials_too_often_is_put_off(door: tuple[Door, ClientSession]) -> None:
    for _ in range(5):
        async with door[1].ws_connect(PATH):
            pass
    with pytest.raises(WSServerHandshakeError) as refused:
        await door[1].ws_connect(PATH)
    assert refused.value.status == 429


async def test_a_frame_too_long_or_binary_ends_it(door: tuple[Door, ClientSession]) -> None:
    async with door[1].ws_connect(PATH) as client:
        await client.send_str("x" * 101)
        message = await client.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, WSCloseCode.MESSAGE_TOO_BIG)
    async with door[1].ws_connect(PATH) as client:
        await client.send_bytes(b"x")
        message = await client.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, WSCloseCode.UNSUPPORTED_DATA)
    await wait_until(lambda: len(ended) == 2)


async def test_whoever_answers_no_ping_is_gone(door: tuple[Door, ClientSession]) -> None:
    async with door[1].ws_connect(PATH, autoping=False):
        await wait_until(lambda: ended)


async def test_the_door_closes_without_waiting_for_them() -> None:
    group = audience(authenticate=None)
    async with serving([socket_route(group, "/talk", echo, "Talk", "会話")]) as (door, session):
        client = await session.ws_connect(PATH)
        heard = asyncio.create_task(client.receive())
        async with asyncio.timeout(2):
            await door.close()
        assert (await heard).data == WSCloseCode.GOING_AWAY
