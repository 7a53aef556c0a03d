"""Our signatures against RFC 9421's own examples, against another implementation, and against forgers."""

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import http_sf
import pytest
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver, algorithms

from hub.errors import TransientError
from hub.web.app import Caller, Route
from hub.web.bodies import read_json
from hub.web.digests import content_digest, parse_content_digest
from hub.web.server import Door
from hub.web.signature_base import SignedRequest, Stated, signature_base
from hub.web.signatures import (
    SECURITY,
    VerificationKey,
    Verifier,
    _authorities,
    is_signed_by,
    sign_request,
)
from schemas.parties import KeyAlgorithm
from tests.hub.web.serving import HOST, audience, exchange, route, serving

SECRET = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
KEY = VerificationKey("k1", KeyAlgorithm.ed25519, SECRET.public_key().public_bytes_raw(), UUID(int=1))
HMAC_KEY = VerificationKey("k2", KeyAlgorithm.hmac_sha256, b"h" * 32, UUID(int=2))
SHORT_KEY = VerificationKey("k3", KeyAlgorithm.hmac_sha256, b"h" * 8, UUID(int=3))
BROKEN_KEY = VerificationKey("k4", KeyAlgorithm.ed25519, b"not a key", UUID(int=4))
KEYS = {key.key_id: key for key in (KEY, HMAC_KEY, SHORT_KEY, BROKEN_KEY)}
Algorithm: TypeAlias = type[algorithms.HTTPSignatureAlgorithm]
Answer: TypeAlias = tuple[int, dict[str, Any]]
NOW = datetime(2026, 4, 1, 3, 0, 0, tzinfo=UTC)
BODY = b'{"amount": 1}'


@dataclass
class Nonces:
    used: set[tuple[str, str]] = field(default_factory=set)
    forget_at: list[datetime] = field(default_factory=list)

    async def first_use(self, key_id: str, nonce: str, expires_at: datetime) -> bool:
        self.forget_at.append(expires_at)
        known = (key_id, nonce) in self.used
        self.used.add((key_id, nonce))
        return not known


@dataclass
class World:
    door: Door
    client: ClientSession
    nonces: Nonces
    handled: list[object]
    looked_up: list[str]

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.door.port}"

    def signed(self, path: str = "/api/test/transfers", **changes: Any) -> dict[str, str]:  # noqa: ANN401 - arguments of sign_request
        """The headers of a good request, or of one that differs in one thing."""
        usual: dict[str, Any] = {
            "method": "POST",
            "url": self.origin + path,
            "key_id": "k1",
            "algorithm": KeyAlgorithm.ed25519,
            "secret": b"s" * 32,
            "created": NOW,
            "body": BODY,
        }
        return {"Content-Type": "application/json"} | sign_request(**usual | changes)

    def forged(self, components: list[str], parameters: dict[str, Any], headers: dict[str, str]) -> dict[str, str]:
        """Headers rightly signed with k1 over whatever components and parameters."""
        stated = Stated("sig", tuple(components), parameters, b"")
        fields = {name.lower(): [value] for name, value in headers.items()}
        base = signature_base(stated, SignedRequest("POST", "/api/test/transfers", self.origin, fields))
        return headers | {
            "Signature-Input": f"sig={stated.parameters_text()}",
            "Signature": http_sf.ser({"sig": SECRET.sign(base)}),
        }

    async def post(self, headers: dict[str, str], body: bytes = BODY, path: str = "/api/test/transfers") -> Answer:
        async with self.client.post(path, data=body, headers=headers) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def _world() -> AsyncIterator[World]:
    nonces, handled, looked_up = Nonces(), list[object](), list[str]()

    async def find_key(key_id: str) -> VerificationKey | None:
        looked_up.append(key_id)
        if key_id == "database-down":
            raise TransientError
        return KEYS.get(key_id)

    origins: set[str] = set()
    verifier = Verifier(find_key=find_key, nonces=nonces, now=lambda: NOW, origins=origins)

    async def authenticate(request: web.Request) -> Caller:
        return Caller((await verifier.verify(request)).party_id, frozenset({"t.write"}))

    async def take(request: web.Request) -> web.Response:
        handled.append(await read_json(request, 1 << 20))
        return web.json_response({})

    async def show(_request: web.Request) -> web.Response:
        return web.json_response({})

    group = audience(authenticate=authenticate, security=SECURITY)
    routes: list[Route] = [
        route(audience=group, method="POST", path="/transfers", handler=take, consumes=("application/json",)),
        route(audience=group, method="GET", path="/transfers/{id}", handler=show),
    ]
    async with serving(routes) as (door, client):
        origins.add(f"http://{HOST}:{door.port}")
        yield World(door, client, nonces, handled, looked_up)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with _world() as made:
        yield made


# RFC 9421 appendix B


def test_the_rfcs_ed25519_example_is_verified() -> None:
    stated = Stated(
        "sig-b26",
        ("date", "@method", "@path", "@authority", "content-type", "content-length"),
        {"created": 1618884473, "keyid": "test-key-ed25519"},
        b64decode("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="),
    )
    public = b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
    key = VerificationKey("test-key-ed25519", KeyAlgorithm.ed25519, public, UUID(int=1))
    assert is_signed_by(key, signature_base(stated, _rfc_request()), stated.signature)


def test_the_rfcs_hmac_example_is_verified() -> None:
    stated = Stated(
        "sig-b25",
        ("date", "@authority", "content-type"),
        {"created": 1618884473, "keyid": "test-shared-secret"},
        b64decode("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="),
    )
    secret = b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
    key = VerificationKey("test-shared-secret", KeyAlgorithm.hmac_sha256, secret, UUID(int=1))
    assert is_signed_by(key, signature_base(stated, _rfc_request()), stated.signature)


def test_the_rfcs_digest_example_is_made_and_read() -> None:
    body = b'{"hello": "world"}'
    assert content_digest(body) == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    assert b64encode(parse_content_digest(f"sha-512=:AAAA:, {content_digest(body)}")).startswith(b"X48E9q")


def _rfc_request() -> SignedRequest:
    fields = {
        "date": ["Tue, 20 Apr 2021 02:07:55 GMT"],
        "content-type": ["application/json"],
        "content-length": ["18"],
    }
    return SignedRequest("POST", "/foo?param=Value&Pet=dog", "https://example.com", fields)


# another implementation


class Message:
    """A request as PyPI's http-message-signatures wants one."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.method = "POST"
        self.url = url
        self.headers = headers


ALGORITHMS = [(KEY, b"s" * 32, algorithms.ED25519), (HMAC_KEY, b"h" * 32, algorithms.HMAC_SHA256)]


@pytest.mark.loopback
@pytest.mark.parametrize("key,secret,algorithm", ALGORITHMS)
async def test_what_another_implementation_signs_is_let_in(
    world: World, key: VerificationKey, secret: bytes, algorithm: Algorithm
) -> None:
    private: Any = SECRET if key is KEY else secret
    message = Message(f"{world.origin}/api/test/transfers", {"Content-Type": "application/json"})
    signer = HTTPMessageSigner(
        signature_algorithm=algorithm,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={key.key_id: private}),
    )
    signer.sign(message, key_id=key.key_id, created=NOW, nonce="n" * 16, body=BODY)
    assert await world.post(message.headers) == (200, {})


@pytest.mark.parametrize("key,secret,algorithm", ALGORITHMS)
def test_another_implementation_accepts_what_we_sign(key: VerificationKey, secret: bytes, algorithm: Algorithm) -> None:
    url = "https://hub.example/api/partner/transfers?limit=3"
    headers = sign_request(
        method="POST",
        url=url,
        key_id=key.key_id,
        algorithm=key.algorithm,
        secret=secret,
        created=datetime.now(UTC),
        body=BODY,
        headers={"Idempotency-Key": "a-1"},
    )
    public: Any = SECRET.public_key() if key is KEY else secret
    verifier = HTTPMessageVerifier(
        signature_algorithm=algorithm,
        key_resolver=MappingKeyResolver(public_keys={key.key_id: public}, private_keys={}),
    )
    (result,) = verifier.verify(Message(url, headers | {"Idempotency-Key": "a-1"}), body=BODY)
    assert '"idempotency-key"' in result.covered_components


# the door


@pytest.mark.loopback
async def test_a_signed_request_is_handled(world: World) -> None:
    assert await world.post(world.signed()) == (200, {})
    assert world.handled == [{"amount": 1}]
    assert world.nonces.forget_at == [NOW + timedelta(seconds=360)]
    hmac_signed = world.signed(key_id="k2", algorithm=KeyAlgorithm.hmac_sha256, secret=b"h" * 32)
    assert await world.post(hmac_signed) == (200, {})
    async with world.client.get(
        "/api/test/transfers/1", headers=world.signed("/api/test/transfers/1", method="GET", body=None)
    ) as answer:
        assert answer.status == 200


@pytest.mark.loopback
async def test_a_replay_is_refused(world: World) -> None:
    headers = world.signed()
    assert (await world.post(headers))[0] == 200
    assert _rule(await world.post(headers)) == "nonce"
    assert len(world.handled) == 1


@pytest.mark.loopback
@pytest.mark.parametrize("age_s,rule", [(300, None), (301, "created"), (360, "created"), (-60, None), (-61, "created")])
async def test_only_fresh_signatures_count(world: World, age_s: int, rule: str | None) -> None:
    status, problem = await world.post(world.signed(created=NOW - timedelta(seconds=age_s)))
    assert (status == 200) if rule is None else (_rule((status, problem)) == rule)


@pytest.mark.loopback
@pytest.mark.parametrize(
    "changes,rule",
    [
        ({"key_id": "unknown"}, "keyid"),
        ({"secret": b"t" * 32}, "signature"),
        ({"method": "PUT"}, "signature"),
        ({"url": "http://hub.example/api/test/transfers"}, "signature"),
        ({"path": "/api/test/transfers?a=1"}, "signature"),
        ({"path": "/api/test/other"}, "signature"),
        ({"algorithm": KeyAlgorithm.hmac_sha256, "secret": KEY.key_bytes}, "alg"),
        ({"key_id": "k2"}, "alg"),
        ({"key_id": "k3", "algorithm": KeyAlgorithm.hmac_sha256, "secret": b"h" * 8}, "signature"),
        ({"key_id": "k4"}, "signature"),
        ({"body": None}, "content-digest"),
    ],
)
async def test_a_wrong_signature_is_refused(world: World, changes: dict[str, Any], rule: str) -> None:
    assert _rule(await world.post(world.signed(**changes))) == rule
    assert world.handled == []
    assert world.nonces.used == set()


@pytest.mark.loopback
@pytest.mark.parametrize("body", [b'{"amount": 9}', b"", BODY + b" ", b"9" * 100_000])
async def test_another_body_under_a_signed_digest_is_refused(world: World, body: bytes) -> None:
    assert _rule(await world.post(world.signed(), body)) == "Content-Digest"
    assert world.handled == []


GOOD = ["@method", "@authority", "@target-uri", "content-digest"]
PARAMETERS = {"created": int(NOW.timestamp()), "keyid": "k1", "nonce": "n" * 16}


@pytest.mark.loopback
@pytest.mark.parametrize(
    "components,parameters,headers,rule",
    [
        (["@method"], PARAMETERS, {}, "@authority"),
        ([], PARAMETERS, {}, "@method"),
        (GOOD[:3], PARAMETERS, {}, "content-digest"),
        (GOOD, PARAMETERS, {"Idempotency-Key": "a-1"}, "idempotency-key"),
        ([*GOOD, "@method"], PARAMETERS, {}, "signature-input"),
        ([f"x-{number}" for number in range(33)], PARAMETERS, {}, "signature-input"),
        (GOOD, PARAMETERS | {"nonce": "n" * 15}, {}, "nonce"),
        (GOOD, PARAMETERS | {"nonce": "n" * 65}, {}, "nonce"),
        (GOOD, {"created": 1, "keyid": "k1"}, {}, "created"),
        (GOOD, {"created": PARAMETERS["created"], "keyid": "k1"}, {}, "nonce"),
        (GOOD, {"created": PARAMETERS["created"], "nonce": "n" * 16}, {}, "keyid"),
        (GOOD, {"keyid": "k1", "nonce": "n" * 16}, {}, "created"),
        (GOOD, PARAMETERS | {"created": "now"}, {}, "created"),
        (GOOD, PARAMETERS | {"created": 999_999_999_999_999}, {}, "created"),
        (GOOD, PARAMETERS | {"expires": int(NOW.timestamp()) - 1}, {}, "expires"),
        (GOOD, PARAMETERS | {"alg": "none"}, {}, "alg"),
        (GOOD, PARAMETERS | {"alg": "hmac-sha256"}, {}, "alg"),
        (GOOD, PARAMETERS | {"shoe": 43}, {}, "signature-input"),
        (GOOD, PARAMETERS, {"Content-Digest": "sha-256=:AAAA:"}, "content-digest"),
        (GOOD, PARAMETERS, {"Content-Digest": "md5=:AAAA:"}, "content-digest"),
        (GOOD, PARAMETERS, {"Content-Digest": "sha-256=abc"}, "content-digest"),
    ],
)
async def test_a_signature_over_too_little_is_refused(
    world: World, components: list[str], parameters: dict[str, Any], headers: dict[str, str], rule: str
) -> None:
    usual = {"Content-Type": "application/json", "Content-Digest": content_digest(BODY)}
    extra = {f"x-{number}": "1" for number in range(33) if f"x-{number}" in components}
    assert _rule(await world.post(world.forged(components, parameters, usual | extra | headers))) == rule
    assert world.handled == []


@pytest.mark.loopback
@pytest.mark.parametrize("alg", [{}, {"alg": "ed25519"}, {"tag": "mykey", "expires": PARAMETERS["created"]}])
async def test_optional_parameters_may_be_said(world: World, alg: dict[str, str]) -> None:
    headers = {"Content-Type": "application/json", "Content-Digest": content_digest(BODY)}
    assert (await world.post(world.forged(GOOD, PARAMETERS | alg, headers)))[0] == 200


@pytest.mark.loopback
@pytest.mark.parametrize(
    "change,rule",
    [
        (lambda _: {}, "signature-input"),
        (lambda headers: headers | {"Signature": ""}, "signature"),
        (lambda headers: headers | {"Signature": "sig=:AAAA:"}, "signature"),
        (lambda headers: headers | {"Signature": "sig=abc"}, "signature"),
        (lambda headers: headers | {"Signature": headers["Signature"].replace("sig=", "other=")}, "signature"),
        (lambda headers: headers | {"Signature": headers["Signature"] * 2}, "signature"),
        (lambda headers: headers | {"Signature": f"{headers['Signature']}, s2=:AAAA:"}, "signature"),
        (lambda headers: headers | {"Signature": "署名"}, "signature"),
        (lambda headers: headers | {"Signature-Input": "署名"}, "signature-input"),
        (lambda headers: headers | {"Signature-Input": "sig=("}, "signature-input"),
        (lambda headers: headers | {"Signature-Input": "sig=1"}, "signature-input"),
        (lambda headers: headers | {"Signature-Input": 'sig=("@method";req)'}, "signature-input"),
        (lambda headers: headers | {"Signature-Input": 'sig=("@METHOD")'}, "signature-input"),
        (lambda headers: headers | {"Signature-Input": "sig=(1 2)"}, "signature-input"),
        (lambda headers: headers | {"Signature-Input": headers["Signature-Input"] + ";created=1"}, "signature-input"),
        (lambda headers: headers | {"Signature-Input": headers["Signature-Input"] + ";created=?1"}, "signature-input"),
        (lambda headers: headers | {"Host": "evil.example"}, "@authority"),
        (lambda headers: headers | {"Content-Digest": content_digest(b"other")}, "signature"),
        (lambda headers: headers | {"Idempotency-Key": "a-1"}, "idempotency-key"),
    ],
)
async def test_spoilt_headers_are_refused(
    world: World, change: Callable[[dict[str, str]], dict[str, str]], rule: str
) -> None:
    assert _rule(await world.post({"Content-Type": "application/json"} | change(world.signed()))) == rule
    assert world.handled == []


@pytest.mark.loopback
async def test_the_body_of_a_stranger_is_never_read(world: World) -> None:
    head = (
        "POST /api/test/transfers HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        "Content-Length: 1073741824\r\nConnection: close\r\n\r\n"
    ).format(host=f"{HOST}:{world.door.port}")
    answer = await exchange(world.door.port, head.encode() + b"[" * 1000)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"#problem-signature" in answer
    assert world.looked_up == []
    assert world.handled == []


@pytest.mark.loopback
async def test_nothing_is_decided_while_keys_cannot_be_looked_up(world: World) -> None:
    assert (await world.post(world.signed(key_id="database-down")))[0] == 503


@pytest.mark.parametrize(
    "origin,host,fits",
    [
        ("https://hub.example", "hub.example", True),
        ("https://hub.example", "HUB.example:443", True),
        ("https://hub.example:443", "hub.example", True),
        ("https://hub.example", "hub.example:80", False),
        ("https://hub.example", "hub.example.evil", False),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://[::1]", "[::1]:80", True),
    ],
)
def test_the_host_header_only_chooses_among_our_names(origin: str, host: str, fits: bool) -> None:  # noqa: FBT001 - a table
    assert (host.lower() in _authorities(origin)) == fits


def _rule(answer: Answer) -> str:
    """The rule that failed, as the Japanese detail names it; asserts that it is the one 401 there is."""
    status, problem = answer
    assert (status, problem["type"]) == (401, "/api/#problem-signature"), problem
    before, mark, after = problem["detail_ja"].partition("確認できなかった規則：")
    return after.partition("。")[0] if mark else "Content-Digest" if "Content-Digest" in before else before
