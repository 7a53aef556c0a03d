"""Webhooks, as a receiver on loopback sees them, verified by Standard Webhooks' rules."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from schemas.links import UnlinkCitizen
from tests.connectors.partner.town import AIRLINE, DEADLINE_S, HOST, Partner, Town, free_port
from tests.waiting import wait_until

JSON = {"Content-Type": "application/json"}


@dataclass
class Receiver:
    """A partner's endpoint."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.came.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _headers, body in self.came]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    port = free_port()
    made = Receiver(f"http://{HOST}:{port}/hooks")
    app = web.Application()
    app.add_routes([web.post("/hooks", made.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    yield made
    await runner.cleanup()


async def ask(partner: Partner, method: str, path: str, body: object = None, status: int = 200) -> Any:  # noqa: ANN401 - whatever was answered
    raw = None if body is None else json.dumps(body).encode()
    answer = await partner.ask(method, path, raw, {} if raw is None else JSON)
    assert answer.status == status, answer
    return answer.json if answer.body else None


def signed_by(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """By the library that receivers use."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def verify_by_key(headers: dict[str, str], body: bytes, public: str) -> None:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    given = next(one for one in headers["webhook-signature"].split(" ") if one.startswith("v1a,"))
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    key.verify(base64.b64decode(given.removeprefix("v1a,")), signed)


async def test_what_happens_is_told_signed_until_it_is_taken_and_again_when_asked(
    hub_town: Town, airline: Partner, card_company: Partner, receiver: Receiver
) -> None:
    assert await ask(airline, "GET", "/webhook", status=404)
    told = await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    receiver.answers = [500, 404]
    unlink = UnlinkCitizen(citizen_id=UUID(int=1), party_id=AIRLINE)
    await hub_town.process.bus.call(unlink, DEADLINE_S)
    await wait_until(lambda: len(receiver.came) == 3, deadline_s=60)
    ids = {headers["webhook-id"] for headers, _body in receiver.came}
    assert len(ids) == 1, "a repeat is known by its id"
    for headers, body in receiver.came:
        assert json.loads(body) == {
            "type": "link.ended",
            "timestamp": json.loads(body)["timestamp"],
            "data": {"link_id": "l-1"},
        }
        assert signed_by(headers, body, told["secret"])
        assert not signed_by(headers, body + b" ", told["secret"])
        verify_by_key(headers, body, told["public_key"])
    again = await ask(airline, "POST", "/webhook-secrets")
    await ask(airline, "POST", "/webhook-tests", status=202)
    await wait_until(lambda: "webhook.test" in receiver.types())
    headers, body = receiver.came[-1]
    assert signed_by(headers, body, told["secret"])
    assert signed_by(headers, body, again["secret"])
    page = await airline.get("/webhook-events?limit=1")
    assert page["items"][0]["type"] == "webhook.test"
    older = (await airline.get(f"/webhook-events?limit=1&cursor={page['next']}"))["items"][0]
    assert (older["type"], older["tries"], older["last_status"]) == ("link.ended", 3, 204)
    replay = {"event_ids": [older["event_id"]]}
    assert await ask(card_company, "POST", "/webhook-replays", replay, 202) == {"event_ids": []}
    assert await ask(airline, "POST", "/webhook-replays", replay, 202) == replay
    await wait_until(lambda: receiver.types().count("link.ended") == 4)


async def test_an_endpoint_that_is_gone_is_asked_no_more(airline: Partner, receiver: Receiver) -> None:
    await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    receiver.answers = [410]
    await ask(airline, "POST", "/webhook-tests", status=202)
    await wait_until(lambda: len(receiver.came) == 1)

    async def disabled() -> bool:
        return (await airline.get("/webhook"))["disabled_at"] is not None

    await wait_until(disabled)
    await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    assert (await airline.get("/webhook"))["disabled_at"] is None
    assert await ask(airline, "DELETE", "/webhook", status=204) is None
    await ask(airline, "POST", "/webhook-tests", status=404)
    await ask(airline, "POST", "/webhook-secrets", status=404)


async def test_no_endpoint_on_the_inside(airline: Partner) -> None:
    for url in ("http://169.254.169.254/", "http://party.example/", "https://10.0.0.1/", "https://party.example:8443/"):
        problem = await ask(airline, "PUT", "/webhook", {"url": url}, 400)
        assert problem["errors"][0]["pointer"] == "/url", url
