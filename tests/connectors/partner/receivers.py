"""Somebody's endpoint for webhooks on loopback, which verifies by the library that receivers use."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from demo.ports import free_port
from tests.connectors.partner.town import HOST

SILENT: Final = 0
"""Instead of a status: the request is taken in, and not answered as long as the endpoint lives."""


@dataclass
class Receiver:
    """What came, and what is answered: the next of `answers`, else `usual`."""

    url: str = ""
    usual: int = 204
    answers: list[int] = field(default_factory=list)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    breaks_on: UUID | None = None
    """The event that is never taken."""
    answer_bytes: int = 0
    """How much is said beside the status."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """As an endpoint does."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.came.append((headers, await request.read()))
        status = self.answers.pop(0) if self.answers else self.usual
        if headers["webhook-id"] == str(self.breaks_on):
            status = 500
        if status == SILENT:
            await self.ended.wait()
        said = b"x" * self.answer_bytes
        return web.Response(status=status or 204, body=said, headers={"Location": "http://169.254.169.254/"})

    def told(self) -> list[dict[str, Any]]:
        """The bodies, in the order in which they came."""
        return [json.loads(body) for _headers, body in self.came]

    def types(self) -> list[str]:
        """The types, in that order."""
        return [one["type"] for one in self.told()]

    def ids(self) -> list[str]:
        """The `webhook-id`s, in that order."""
        return [headers["webhook-id"] for headers, _body in self.came]


@asynccontextmanager
async def receiving(port: int | None = None) -> AsyncIterator[Receiver]:
    """An endpoint that listens."""
    port = port or free_port()
    made = Receiver(f"http://{HOST}:{port}/hooks")
    app = web.Application()
    app.add_routes([web.post("/hooks", made.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        yield made
    finally:
        made.ended.set()
        await runner.cleanup()


def signed_by(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """`v1`, by the library that receivers use."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def verify_by_key(headers: dict[str, str], body: bytes, public: str) -> None:
    """`v1a`. Raises InvalidSignature."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    given = next(one for one in headers["webhook-signature"].split(" ") if one.startswith("v1a,"))
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    key.verify(base64.b64decode(given.removeprefix("v1a,")), signed)
