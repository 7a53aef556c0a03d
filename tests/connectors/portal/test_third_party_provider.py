"""Linking with a provider that is not ours, npm's oidc-provider: PAR, private_key_jwt, PKCE, iss, revocation."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientSession

from demo.ports import free_port
from schemas.id_links import CALLBACK, OpenIdProvider, SetUpLinkage
from tests.connectors.portal.browser import Browser, Page
from tests.connectors.portal.street import CLIENT_ID, Parties
from tests.connectors.portal.town import AIRLINE
from tests.journeys.browser.browsing import NODE
from tests.peers.oidc_provider.running import Running, provider
from tests.waiting import wait_until
from tests.workers.registry.asking import ask
from tools.needs import NEEDS

NEED = NEEDS["oidc-provider"]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        not NEED.is_here(), reason=f"{NEED.package} is not here (python -m tools.needs oidc-provider, which needs npm)"
    ),
]
AWAY = "サービスにつながりません"


@asynccontextmanager
async def foreign(street: Parties, port: int, **changes: str) -> AsyncIterator[Running]:
    """The airline's provider is somebody else's from now on."""
    options = {
        "clientId": CLIENT_ID,
        "redirectUri": f"{street.town.url}{CALLBACK}{AIRLINE}",
        "jwksUri": f"{street.town.url}/api/partner/jwks.json",
        **changes,
    }
    async with provider(NODE, NEED.brings.parents[1], port=port, **options) as running:
        way = OpenIdProvider(issuer=running.issuer, client_id=CLIENT_ID)
        await ask(street.town.process, SetUpLinkage(party_id=AIRLINE, provider=way))
        yield running


async def linked(street: Parties, running: Running, browser: Browser, login: str) -> Page:
    """All the way."""
    back = await running.log_in(await street.begin(browser), login, street.town.url)
    return await street.confirmed(browser, await browser.get(back.removeprefix(street.town.url)))


async def test_an_account_is_linked_its_keys_change_and_its_tokens_go_back(street: Parties) -> None:
    port = free_port()
    first, _first_id = await street.town.somebody()
    second, _second_id = await street.town.somebody()
    async with foreign(street, port) as running:
        async with (
            ClientSession() as session,
            session.get(f"{running.issuer}/.well-known/openid-configuration") as told,
        ):
            metadata = json.loads(await told.text())
        assert metadata["authorization_response_iss_parameter_supported"]
        assert metadata["require_pushed_authorization_requests"]
        assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
        way = await street.begin(first)
        assert parse_qs(urlsplit(way).query).keys() == {"client_id", "request_uri"}
        back = await running.log_in(way, "somebody-0001", street.town.url)
        assert parse_qs(urlsplit(back).query)["iss"] == [running.issuer]
        again = parse_qs(urlsplit(await running.log_in(way, "somebody-0001", street.town.url)).query)
        assert (again["error"], "code" in again) == (["invalid_request_uri"], False), "a pushed request is used once"
        done = await street.confirmed(first, await first.get(back.removeprefix(street.town.url)))
        assert "ID連携が完了しました。" in done.words
        assert await street.link_id("somebody-0001") is not None
        assert running.count("authorization_code.consumed") == 1
    async with foreign(street, port) as running:
        done = await linked(street, running, second, "somebody-0002")
        assert "ID連携が完了しました。" in done.words, "it signs with another key now"
        page = await second.get(f"/my/services/{AIRLINE}/unlink")
        await second.submit(page, f"/my/services/{AIRLINE}/unlink")
        await wait_until(lambda: running.count("grant.revoked") == 1)
        assert await street.link_id("somebody-0002") is None
        assert not [one for one in running.told if one["event"].endswith("error")]


@pytest.mark.parametrize(
    "changes",
    [
        {"redirectUri": "https://hub.example/my/link/callback/x"},
        {"clientId": "another"},
        {"jwksUri": "http://127.0.0.1:1/"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_who_is_not_its_client_to_the_letter_gets_no_way_out(street: Parties, changes: dict[str, str]) -> None:
    """Exact redirect URI, its own client id, its own keys."""
    browser, _citizen_id = await street.town.somebody()
    async with foreign(street, free_port(), **changes) as running:
        page = await browser.get(f"/my/services/{AIRLINE}")
        refused = await browser.submit(page, f"/my/services/{AIRLINE}/link")
        assert refused.status == 409
        assert AWAY in refused.words
        assert running.count("pushed_authorization_request.error") == 1


async def test_an_answer_of_one_provider_is_worth_nothing_with_the_next(street: Parties) -> None:
    """The airline moves to another issuer while somebody is under way: the answer is not that one's."""
    browser, _citizen_id = await street.town.somebody()
    async with foreign(street, free_port()) as before:
        back = await before.log_in(await street.begin(browser), "somebody-0003", street.town.url)
        async with foreign(street, free_port()) as running:
            page = await browser.get(back.removeprefix(street.town.url))
            assert "サービスからの回答を確認できなかったため" in page.words
            assert not running.told[1:], "it was not even asked"
