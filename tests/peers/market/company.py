"""A company's own site: its members log in without OpenID Connect, its staff asks the hub, webhooks are taken in."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.peers.shop.client import Hub

COUPON_LINK = "mykey-hub coupon link v1"
FRONT = '<!DOCTYPE html><html lang="ja"><meta charset="utf-8"><title>{name}</title><h1>{name}</h1></html>'
PAGE = """<!DOCTYPE html><html lang="ja"><meta charset="utf-8"><title>会員ログイン</title>
<form method="post" action="/linking"><input type="hidden" name="linking" value="{linking}">
<p><label>会員ID <input type="text" name="login"></label></p>
<p><label>パスワード <input type="password" name="password"></label></p>
<p><button>ログイン</button></p></form></html>"""


class Identity(NamedTuple):
    """What it signs with: its party, and its key."""

    party_id: str
    key_id: str
    key: Ed25519PrivateKey


class Company:
    """One company. `members` are their own names (`sub`) by log-in and password."""

    def __init__(self, hub: Hub, identity: Identity, members: Mapping[tuple[str, str], str]) -> None:
        self._hub = hub
        self._identity = identity
        self._members = members
        self._public_key: Ed25519PublicKey | None = None
        self._heard: list[dict[str, Any]] = []
        self.origin = ""

    def routes(self) -> Sequence[web.RouteDef]:
        """The site."""
        return [
            web.get("/", self.front),
            web.get("/linking", self.form),
            web.post("/linking", self.log_in),
            web.post("/staff", self.staff),
            web.post("/coupon-link", self.coupon_link),
            web.post("/listen", self.listen),
            web.post("/hooks", self.hook),
            web.get("/heard", self.heard),
        ]

    async def front(self, _request: web.Request) -> web.Response:
        """Whose site it is."""
        page = FRONT.format(name=html.escape(self._identity.key_id))
        return web.Response(text=page, content_type="text/html")

    async def form(self, request: web.Request) -> web.Response:
        """Where the hub sends a citizen to."""
        page = PAGE.format(linking=html.escape(request.query["linking"]))
        return web.Response(text=page, content_type="text/html")

    async def log_in(self, request: web.Request) -> web.Response:
        """Tells the hub whose log-in that was, and sends the browser back."""
        given = {name: str(value) for name, value in (await request.post()).items()}
        subject = self._members.get((given["login"], given["password"]))
        if subject is None:
            raise web.HTTPForbidden
        told = {"linking": given["linking"], "subject": subject}
        answer = await self._hub.ask("POST", "/partner/membership-answers", told)
        raise web.HTTPSeeOther(answer["return_to"])

    async def staff(self, request: web.Request) -> web.Response:
        """Whatever the staff wants to ask: `method`, `place` below `/api`, `body`."""
        asked = await request.json()
        return web.json_response(await self._hub.ask(asked["method"], asked["place"], asked.get("body")))

    async def coupon_link(self, request: web.Request) -> web.Response:
        """Path and query that fill the hub's coupon page in, signed."""
        asked = await request.json()
        party_id, key_id, key = self._identity
        parts = {"partner": party_id, **{name: asked[name] for name in ("code", "points", "until")}, "key": key_id}
        signature = key.sign("\n".join([COUPON_LINK, *map(str, parts.values())]).encode())
        told = {**parts, "sig": base64.urlsafe_b64encode(signature).decode().rstrip("=")}
        return web.json_response({"query": told})

    async def listen(self, _request: web.Request) -> web.Response:
        """Ask for webhooks."""
        answer = await self._hub.ask("PUT", "/partner/webhook", {"url": f"{self.origin}/hooks"})
        raw = base64.b64decode(answer["public_key"].removeprefix("whpk_"))
        self._public_key = Ed25519PublicKey.from_public_bytes(raw)
        return web.json_response({})

    async def hook(self, request: web.Request) -> web.Response:
        """Standard Webhooks, by `v1a`; one that is not the hub's is refused."""
        body, headers = await request.read(), request.headers
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        given = next(one for one in headers["webhook-signature"].split(" ") if one.startswith("v1a,"))
        try:
            if self._public_key is None:
                raise web.HTTPForbidden
            self._public_key.verify(base64.b64decode(given.removeprefix("v1a,")), signed)
        except InvalidSignature as error:
            raise web.HTTPForbidden from error
        self._heard.append({"id": headers["webhook-id"], **json.loads(body)})
        return web.Response(status=204)

    async def heard(self, _request: web.Request) -> web.Response:
        """What came, each event once."""
        return web.json_response(list({one["id"]: one for one in self._heard}.values()))
