"""A town with two partners that have an OpenID provider each, and one with a log-in page of its own."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from demo.ports import free_port
from hub.clock import AdjustableClock
from schemas.id_links import CALLBACK, MembershipCheck, OpenIdProvider, SetUpLinkage
from schemas.links import Linkage, PresentParty
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from tests.connectors.partner.town import Partner
from tests.connectors.portal.browser import Browser, Page
from tests.connectors.portal.town import AIRLINE, NOW, Town, town
from tests.peers.openid.provider import make_app
from tests.peers.openid.registered import Client, Kept, Member
from tests.workers.registry.asking import ask
from tests.workers.registry.people import PASSWORD

CARD_COMPANY: Final = UUID(int=0xA2)
POWER_COMPANY: Final = UUID(int=0xA3)
CLIENT_ID: Final = "mykey-hub"
COMPONENTS: Final = ("registry", "ledger", "portal", "partner")


@dataclass
class Parties:
    """The town, the providers of the airline and the card company, and everybody's signed API."""

    town: Town
    airline: Kept
    card_company: Kept
    session: ClientSession
    keys: dict[UUID, bytes]

    def partner(self, party_id: UUID = AIRLINE) -> Partner:
        """Its signed API."""
        return Partner(self.session, self.town.url, f"key-{party_id.int:x}", self.keys[party_id])

    async def begin(self, browser: Browser, party_id: UUID = AIRLINE) -> str:
        """Where the partner's page is, for this browser."""
        page = await browser.get(f"/my/services/{party_id}")
        away = await browser.submit(page, f"/my/services/{party_id}/link")
        assert away.status == 200, away.text
        refresh = next(one for tag, one in away.markup.elements if tag == "meta" and one.get("http-equiv"))
        return (refresh.get("content") or "").partition("url=")[2]

    async def log_in_at(self, url: str, login: str = "member") -> str:
        """Log in at a provider; returns the path and query that it sends the browser back to."""
        async with self.session.get(url) as form:
            assert form.status == 200, await form.text()
        fields = {"request_uri": _query(url)["request_uri"], "login": login, "password": "secret"}
        parts = urlsplit(url)
        async with self.session.post(
            f"{parts.scheme}://{parts.netloc}/login", data=fields, allow_redirects=False
        ) as answer:
            assert answer.status == 303, await answer.text()
            location = answer.headers["Location"]
        assert location.startswith(self.town.url)
        return location.removeprefix(self.town.url)

    async def to_confirm(self, browser: Browser, party_id: UUID = AIRLINE, login: str = "member") -> Page:
        """As far as the page on which the citizen says who it is."""
        return await browser.get(await self.log_in_at(await self.begin(browser, party_id), login))

    async def linked(self, browser: Browser, party_id: UUID = AIRLINE, login: str = "member") -> Page:
        """All the way."""
        return await self.confirmed(browser, await self.to_confirm(browser, party_id, login))

    async def confirmed(self, browser: Browser, page: Page) -> Page:
        """Says who it is, and links what is shown."""
        if any(one.action.startswith("/my/identity") for one in page.markup.forms):
            page = await browser.submit(page, "/my/identity", password=PASSWORD)
        return await browser.submit(page, "/my/link/confirm")

    async def link_id(self, subject: str, party_id: UUID = AIRLINE) -> str | None:
        """As the partner is told."""
        found = await self.post("/link-lookups", {"subjects": [subject]}, party_id)
        link_id: str | None = found["links"][0]["link_id"]
        return link_id

    async def post(self, path: str, body: object, party_id: UUID = AIRLINE, status: int = 200) -> Any:  # noqa: ANN401 - whatever was answered
        """What the signed API answers."""
        headers = {"Content-Type": "application/json"}
        answer = await self.partner(party_id).ask("POST", path, json.dumps(body).encode(), headers)
        assert answer.status == status, answer
        return answer.json

    async def put(self, path: str, body: object, party_id: UUID) -> Any:  # noqa: ANN401 - whatever was answered
        """The same for what is set."""
        headers = {"Content-Type": "application/json"}
        answer = await self.partner(party_id).ask("PUT", path, json.dumps(body).encode(), headers)
        assert answer.status == 200, answer
        return answer.json


@asynccontextmanager
async def serving_at(path: str, handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """An address of a partner that takes POSTs."""
    port = free_port()
    app = web.Application()
    app.add_routes([web.post(path, handler)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}{path}"
    finally:
        await runner.cleanup()


def _query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@asynccontextmanager
async def provider(hub_url: str, party_id: UUID, members: list[Member]) -> AsyncIterator[Kept]:
    """A provider at work."""
    port = free_port()
    client = Client(CLIENT_ID, f"{hub_url}{CALLBACK}{party_id}", f"{hub_url}/api/partner/jwks.json")
    kept = Kept(f"http://127.0.0.1:{port}", client, members)
    runner = web.AppRunner(make_app(kept))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield kept
    finally:
        await runner.cleanup()


@asynccontextmanager
async def parties(database_url: str, folder: Path) -> AsyncIterator[Parties]:
    """All of them."""
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(town(database_url, folder, AdjustableClock(NOW), *COMPONENTS))
        session = await stack.enter_async_context(ClientSession())
        airline, card_company = [
            await stack.enter_async_context(provider(opened.url, party_id, _members()))
            for party_id in (AIRLINE, CARD_COMPANY)
        ]
        keys = {party_id: await _register(opened, party_id) for party_id in (AIRLINE, CARD_COMPANY, POWER_COMPANY)}
        for party_id, kept in ((AIRLINE, airline), (CARD_COMPANY, card_company)):
            way = OpenIdProvider(issuer=kept.issuer, client_id=CLIENT_ID)
            await ask(opened.process, SetUpLinkage(party_id=party_id, provider=way))
        check = MembershipCheck(login_url="http://127.0.0.1:1/members/login")
        await ask(opened.process, SetUpLinkage(party_id=POWER_COMPANY, membership=check))
        yield Parties(opened, airline, card_company, session, keys)


async def _register(opened: Town, party_id: UUID) -> bytes:
    private = Ed25519PrivateKey.generate()
    if party_id != AIRLINE:
        await ask(opened.process, RegisterParty(party_id=party_id, kind=PartyKind.partner, name=f"会社{party_id.int}"))
        page = PresentParty(party_id=party_id, linkage=Linkage.id_link, page_url="https://company.example/")
        await ask(opened.process, page)
    key = RegisterPartyKey(
        party_id=party_id,
        key_id=f"key-{party_id.int:x}",
        algorithm=KeyAlgorithm.ed25519,
        key_bytes=private.public_key().public_bytes_raw(),
    )
    await ask(opened.process, key)
    return private.private_bytes_raw()


def _members() -> list[Member]:
    return [
        Member("member", "secret", "member-000000001"),
        Member("other", "secret", "member-000000002", {"email": "citizen@mail.example"}),
        Member("third", "secret", "member-000000003"),
    ]
