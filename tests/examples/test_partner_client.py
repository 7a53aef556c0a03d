"""What the client does when things are not as in the quick start."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from standardwebhooks import Webhook

from demo.ports import free_port
from examples import partner_client
from examples.partner_client import Hub, NoAnswerError, ProblemError, verified_webhook
from tests.connectors.partner.town import HOST

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
BODY = '{"type": "link.ended", "data": {"link_id": "l-1"}}'


def pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def headers(at: datetime, body: str = BODY, secret: str = SECRET) -> dict[str, str]:
    """As the senders' library makes them."""
    return {
        "Webhook-Id": "e-1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": f"v1a,other {Webhook(secret).sign('e-1', at, body)}",
    }


def test_a_webhook_is_believed_only_where_it_is_ours_of_now_and_whole() -> None:
    now, other = datetime.now(UTC), f"whsec_{base64.b64encode(bytes(32)).decode()}"
    assert verified_webhook(headers(now), BODY.encode(), SECRET)["type"] == "link.ended"
    for wrong in (
        headers(now, secret=other),
        headers(now, body=BODY + " "),
        headers(now - timedelta(minutes=6)),
        headers(now + timedelta(minutes=6)),
        headers(now) | {"Webhook-Timestamp": "soon"},
        headers(now) | {"Webhook-Timestamp": "１"},
        headers(now) | {"Webhook-Id": "e-2"},
        headers(now) | {"Webhook-Signature": "é"},
        {},
    ):
        with pytest.raises(ValueError, match=r"no time of now|not signed"):
            verified_webhook(wrong, BODY.encode(), SECRET)


@pytest.mark.loopback
async def test_it_asks_again_only_where_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partner_client, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(partner_client, "TRIES_LIMIT", 3)
    port, came = free_port(), list[str]()
    answers = [
        web.Response(status=500, text="a proxy's own page"),
        web.Response(status=409, headers={"Retry-After": "0"}),
        web.json_response({"done": True}),
        web.json_response({"title": "conflict"}, status=409),
        web.Response(status=404, text="nowhere"),
        *(web.Response(status=503) for _ in range(3)),
    ]

    async def answer(request: web.Request) -> web.Response:
        came.append(request.headers["Signature-Input"])
        return answers.pop(0)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    hub = Hub(f"http://{HOST}:{port}/", "k", pem(Ed25519PrivateKey.generate()))
    with pytest.raises(NoAnswerError, match="ConnectionRefused"):
        await asyncio.to_thread(hub.get, "/nobody-listens")
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        assert await asyncio.to_thread(hub.post, "/a", {"same": 1}) == {"done": True}
        assert len(set(came)) == 3, "signed anew each time"
        with pytest.raises(ProblemError, match="409 conflict"):
            await asyncio.to_thread(hub.get, "/b")
        with pytest.raises(ProblemError, match=r"404.*nowhere"):
            await asyncio.to_thread(hub.get, "/c")
        with pytest.raises(NoAnswerError, match="status 503"):
            await asyncio.to_thread(hub.get, "/d")
    finally:
        await runner.cleanup()


@pytest.mark.loopback
async def test_a_post_of_nothing_has_no_body() -> None:
    """As the requests have it that take none."""
    port, came = free_port(), list[tuple[bool, str]]()

    async def answer(request: web.Request) -> web.Response:
        came.append((request.body_exists, request.headers.get("Content-Digest", "")))
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/tests", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        await asyncio.to_thread(Hub(f"http://{HOST}:{port}", "k", pem(Ed25519PrivateKey.generate())).post, "/tests")
    finally:
        await runner.cleanup()
    assert came == [(False, "")]


def test_no_other_kind_of_key() -> None:
    with pytest.raises(TypeError):
        Hub("https://hub.example", "k", pem(X25519PrivateKey.generate()))
