"""What a provider says of itself is taken only where it is fit for us; its keys are found anew, but not without end."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from aiohttp import web
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from connectors.partner.id_link.discovery import REFETCH_BURST, REFETCH_PER_S, Discovery, UnfitProviderError
from connectors.partner.outbound import AwayError, ForbiddenAddressError, Outbound
from demo.ports import free_port
from tests.connectors.partner.town import HOST

pytestmark = pytest.mark.loopback

PUBLIC: Final = "https://id.airline.example"


@dataclass
class Provider:
    """Says whatever it is told to, and counts."""

    issuer: str
    changes: dict[str, Any] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    text: str | None = None
    status: int = 200
    asked: int = 0
    seconds: float = 0.0

    async def metadata(self, _request: web.Request) -> web.Response:
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks.json",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            **self.changes,
        }
        told = {name: value for name, value in told.items() if value is not None}
        return web.Response(text=self.text or json.dumps(told), status=self.status, content_type="application/json")

    async def jwks(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(text=self.text or json.dumps({"keys": self.keys}), content_type="application/json")

    def has(self, *keys: Key, **changes: Any) -> None:  # noqa: ANN401 - parameters of a key
        """Publish these from now on."""
        self.keys = [{**key.as_dict(private=changes.pop("private", False)), **changes} for key in keys]


@dataclass
class World:
    """A provider, and who asks it."""

    provider: Provider
    discovery: Discovery

    async def key(self, kid: str | None) -> Key:
        return await self.discovery.key(await self.discovery.metadata(self.provider.issuer), kid)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    port = free_port()
    provider = Provider(f"http://{HOST}:{port}")
    app = web.Application()
    app.add_routes(
        [web.get("/.well-known/openid-configuration", provider.metadata), web.get("/jwks.json", provider.jwks)]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    outbound = Outbound(f"http://{HOST}:8080")
    yield World(provider, Discovery(outbound, lambda: provider.seconds))
    await outbound.close()
    await runner.cleanup()


def ec(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


async def test_a_fit_provider_is_taken(world: World) -> None:
    metadata = await world.discovery.metadata(world.provider.issuer)
    assert metadata.token_endpoint == f"{world.provider.issuer}/token"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": PUBLIC},
        {"issuer": None},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": []},
        {"code_challenge_methods_supported": None},
        {"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_jwt", "none"]},
        {"token_endpoint_auth_methods_supported": None},
        {"token_endpoint": 7},
        {"jwks_uri": None},
    ],
    ids=str,
)
async def test_one_that_is_unfit_is_not(world: World, changes: dict[str, Any]) -> None:
    world.provider.changes = changes
    with pytest.raises(UnfitProviderError):
        await world.discovery.metadata(world.provider.issuer)


async def test_the_issuer_is_compared_to_the_letter(world: World) -> None:
    world.provider.changes = {"issuer": f"{world.provider.issuer}/"}
    with pytest.raises(UnfitProviderError, match="otherwise"):
        await world.discovery.metadata(world.provider.issuer)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "address",
    ["http://id.airline.example/x", "https://10.0.0.1/x", "https://id.airline.example:8443/x", "javascript:x"],
)
async def test_no_address_of_it_leads_inside_or_goes_without_tls(world: World, name: str, address: str) -> None:
    world.provider.changes = {name: address}
    with pytest.raises(ForbiddenAddressError):
        await world.discovery.metadata(world.provider.issuer)


async def test_what_is_not_its_metadata_is_none(world: World) -> None:
    for text, status, error in (
        ("[]", 200, UnfitProviderError),
        ("<html>", 200, UnfitProviderError),
        ("{}", 302, AwayError),
    ):
        world.provider.text, world.provider.status = text, status
        with pytest.raises(error):
            await world.discovery.metadata(world.provider.issuer)


async def test_the_next_key_is_found_at_once_and_the_one_before_is_gone(world: World) -> None:
    first, second = ec("k1"), ec("k2")
    world.provider.has(first)
    assert (await world.key("k1")).kid == "k1"
    world.provider.has(second)
    assert (await world.key("k2")).kid == "k2"
    with pytest.raises(UnfitProviderError, match="unknown key"):
        await world.key("k1")


async def test_made_up_key_ids_do_not_have_it_asked_without_end(world: World) -> None:
    world.provider.has(ec("k1"))
    await world.key("k1")
    for number in range(50):
        with pytest.raises(UnfitProviderError, match="unknown key"):
            await world.key(f"made-up-{number}")
    assert world.provider.asked == 1 + REFETCH_BURST
    assert (await world.key("k1")).kid == "k1", "who has a known key is not held up"
    world.provider.seconds += 1 / REFETCH_PER_S
    world.provider.has(ec("k2"))
    assert (await world.key("k2")).kid == "k2"


async def test_without_a_key_id_there_must_be_one_key_only(world: World) -> None:
    world.provider.has(ec("k1"))
    assert (await world.key(None)).kid == "k1"
    world.provider.has(ec("k1"), ec("k2"))
    world.provider.seconds += 1_000
    with pytest.raises(UnfitProviderError):
        await world.key(None)
    world.provider.has(ec("k1"), ec("k1"))
    world.provider.seconds += 1_000
    with pytest.raises(UnfitProviderError):
        await world.key("k1")


async def test_only_public_signing_keys_verify(world: World) -> None:
    world.provider.has(ec("k1"), use="enc")
    encrypting = list(world.provider.keys)
    world.provider.has(ec("k2"), private=True)
    private = list(world.provider.keys)
    world.provider.has(OctKey.generate_key(256, {"kid": "k3"}), private=True)
    shared = list(world.provider.keys)
    world.provider.has(RSAKey.generate_key(2048, {"kid": "k4"}))
    world.provider.keys += encrypting + private + shared
    assert (await world.key("k4")).kid == "k4"
    for kid in ("k1", "k2", "k3"):
        with pytest.raises(UnfitProviderError):
            await world.key(kid)


@pytest.mark.filterwarnings("ignore:Key size")
async def test_a_key_that_is_unfit_does_not_spoil_the_others(world: World) -> None:
    world.provider.has(RSAKey.generate_key(1024, {"kid": "k1"}))
    world.provider.keys += [
        {"kty": "EC", "kid": "k2"},
        {"kty": "EC", "kid": "k3", "crv": "P-999", "x": "AQ", "y": "AQ"},
        {"kty": "RSA", "kid": "k4", "n": 1, "e": "AQ"},
        {"kty": "OKP", "kid": "k5", "crv": "Ed25519", "x": "a"},
        {"kty": ["RSA"], "kid": "k6"},
        ec("k7").as_dict(private=False),
    ]
    assert (await world.key("k7")).kid == "k7"
    for kid in ("k1", "k2", "k3", "k4", "k5", "k6"):
        with pytest.raises(UnfitProviderError):
            await world.key(kid)


@pytest.mark.parametrize(
    "text", ["{}", '{"keys": 1}', '{"keys": [1]}', '{"keys": [{"kty": "EC"}]}', "[", '{"keys":[],"keys":[]}']
)
async def test_what_is_no_key_set_is_a_fault_of_the_provider(world: World, text: str) -> None:
    metadata = await world.discovery.metadata(world.provider.issuer)
    world.provider.text = text
    with pytest.raises(UnfitProviderError):
        await world.discovery.key(metadata, "k1")
