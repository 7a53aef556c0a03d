"""HTTP message signatures (RFC 9421): Ed25519 and HMAC-SHA256, strict on the way in, plain on the way out.

Our own, on `cryptography` and `http_sf`, because PyPI's http-message-signatures 3.0.0 looks keys up
synchronously, reads the machine's clock instead of ours, has one tolerance for past and future, and wants the
whole body at once; the tests hold the two against each other. Only what we need is spoken: derived components
and plain fields, without parameters.

The headers are verified before a byte of the body is read: what the body must hash to is left with the
request, and `hub.web.bodies` checks it.
"""

import hmac
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import http_sf
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import JsonValue

from hub.clock import SystemClock
from hub.web.digests import CHALLENGE, EXPECTED_DIGEST, content_digest, parse_content_digest
from hub.web.problems import ProblemError
from hub.web.signature_base import SignatureRuleError, SignedRequest, Stated, parse_stated, signature_base
from schemas.parties import NO_LIMITS, KeyAlgorithm, PartyLimits
from schemas.problems import ProblemCode

AGE_LIMIT_S: Final = 300
AHEAD_LIMIT_S: Final = 60
NONCE_CHARS: Final = range(16, 65)
HMAC_SECRET_MIN_BYTES: Final = 32
REQUIRED: Final = ("@method", "@authority", "@target-uri")
COVERED_IF_SENT: Final = ("idempotency-key",)
"""Headers that change what is asked: when they are there, they must be signed."""

SECURITY: Final[Mapping[str, JsonValue]] = {
    "httpSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": (
            "HTTP message signature (RFC 9421), ed25519 or hmac-sha256, over @method, @authority and "
            "@target-uri, for a request with a body content-digest (RFC 9530, sha-256), and idempotency-key "
            f"if it is sent; parameters created (at most {AGE_LIMIT_S} s old), keyid, nonce (16 to 64 "
            "characters, new each time), optionally alg, expires and tag. "
            "リクエストごとにRFC 9421で署名してください。"
        ),
    }
}
"""The OpenAPI security scheme of an audience that signs."""

_MACHINE_TIME: Final = SystemClock().now


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A registered key: raw Ed25519 public key (32 bytes) or HMAC secret (≥ 32 bytes), and whose it is."""

    key_id: str
    algorithm: KeyAlgorithm
    key_bytes: bytes = field(repr=False)
    party_id: UUID
    permissions: frozenset[str] = frozenset()
    limits: PartyLimits = NO_LIMITS


class KeyFinder(Protocol):
    """Knows the registered keys."""

    async def __call__(self, key_id: str, /) -> VerificationKey | None:
        """The key, or None where there is none to be used. Raises TransientError while it cannot tell."""


class NonceStore(Protocol):
    """Remembers nonces, for all web processes together."""

    async def first_use(self, key_id: str, nonce: str, expires_at: datetime) -> bool:
        """Whether this key has not used this nonce before; remembered at least until `expires_at`."""


class Verifier:
    """Decides whose request it is. Every refusal is the same 401 `signature`, with the rule that failed.

    `origins` are the hub's own addresses as callers write them (`https://hub.example`): the Host header
    only chooses among them, so that a request signed for another server is worth nothing here, and no
    X-Forwarded-… header counts. `now` is the machine's time, also where business time is moved: callers
    sign by theirs.
    """

    def __init__(
        self,
        *,
        find_key: KeyFinder,
        nonces: NonceStore,
        now: Callable[[], datetime] = _MACHINE_TIME,
        origins: Collection[str],
    ) -> None:
        self._find_key = find_key
        self._nonces = nonces
        self._now = now
        self.origins = origins

    async def verify(self, request: web.Request) -> VerificationKey:
        """Whose request it is; its body is not read. Raises ProblemError signature (401)."""
        try:
            return await self._verify(request)
        except SignatureRuleError as error:
            raise ProblemError(
                ProblemCode.signature,
                f"{error}",
                f"確認できなかった規則：{error.rule}。",
                headers=CHALLENGE,
            ) from error

    async def _verify(self, request: web.Request) -> VerificationKey:
        signed = request_as_signed(request, self._origin(request.headers.getall("Host", [])))
        stated = parse_stated(signed.fields)
        has_body = request.body_exists
        _check_covered(stated, signed.fields, has_body=has_body)
        created = self._check_times(stated)
        nonce = _text(stated, "nonce")
        if len(nonce) not in NONCE_CHARS:
            raise SignatureRuleError("nonce", "The nonce must have 16 to 64 characters.")
        expected = _digest(stated, signed.fields)
        key = await self._key(stated)
        if not is_signed_by(key, signature_base(stated, signed), stated.signature):
            raise SignatureRuleError("signature", "The signature does not fit the request and the key.")
        forget_at = created + timedelta(seconds=AGE_LIMIT_S + AHEAD_LIMIT_S)
        if not await self._nonces.first_use(key.key_id, nonce, forget_at):
            raise SignatureRuleError("nonce", "This nonce was used before: sign each request anew.")
        if expected is not None:
            request[EXPECTED_DIGEST] = expected
        return key

    def _origin(self, hosts: Sequence[str]) -> str:
        if len(hosts) == 1:
            for origin in self.origins:
                if hosts[0].lower() in _authorities(origin):
                    return origin
        raise SignatureRuleError("@authority", "The Host header is not an address of this hub.")

    def _check_times(self, stated: Stated) -> datetime:
        now = self._now()
        created = _time(stated, "created")
        if created is None:
            raise SignatureRuleError("created", "The parameter created is required.")
        if created > now + timedelta(seconds=AHEAD_LIMIT_S):
            raise SignatureRuleError("created", f"created is more than {AHEAD_LIMIT_S} s ahead of our clock.")
        if created < now - timedelta(seconds=AGE_LIMIT_S):
            raise SignatureRuleError("created", f"The signature is older than {AGE_LIMIT_S} s.")
        expires = _time(stated, "expires")
        if expires is not None and expires < now:
            raise SignatureRuleError("expires", "The signature has expired.")
        return created

    async def _key(self, stated: Stated) -> VerificationKey:
        key = await self._find_key(_text(stated, "keyid"))
        if key is None:
            raise SignatureRuleError("keyid", "No such key is registered.")
        if "alg" in stated.parameters and stated.parameters["alg"] != key.algorithm.value:
            raise SignatureRuleError("alg", "alg is not the algorithm registered for this key.")
        return key


def request_as_signed(request: web.Request, origin: str) -> SignedRequest:
    """The parts of a request that came in that can be signed."""
    return SignedRequest(
        method=request.method,
        target=request.raw_path,
        origin=origin,
        fields={name: request.headers.getall(name) for name in {key.lower() for key in request.headers}},
    )


def is_signed_by(key: VerificationKey, base: bytes, signature: bytes) -> bool:
    """Whether `signature` is this key's over `base`, by the key's registered algorithm and no other."""
    if key.algorithm is KeyAlgorithm.hmac_sha256:
        if len(key.key_bytes) < HMAC_SECRET_MIN_BYTES:
            return False
        return hmac.compare_digest(hmac.digest(key.key_bytes, base, "sha256"), signature)
    try:
        Ed25519PublicKey.from_public_bytes(key.key_bytes).verify(signature, base)
    except (InvalidSignature, ValueError):  # ValueError: what is registered is no Ed25519 key
        return False
    return True


def sign_request(
    *,
    method: str,
    url: str,
    key_id: str,
    algorithm: KeyAlgorithm,
    secret: bytes,
    created: datetime,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers to add to a request: Content-Digest (where there is a body), Signature-Input, Signature.

    `secret` is a raw Ed25519 private key (32 bytes) or an HMAC secret; `url` exactly as it will be sent; an
    Idempotency-Key among `headers` is covered too.
    """
    parts = urlsplit(url)
    sent = {name.lower(): [value] for name, value in (headers or {}).items() if name.lower() in COVERED_IF_SENT}
    digest = {} if body is None else {"Content-Digest": content_digest(body)}
    fields = sent | {name.lower(): [value] for name, value in digest.items()}
    stated = Stated(
        label="sig",
        components=(*REQUIRED, *fields),
        parameters={
            "created": int(created.timestamp()),
            "keyid": key_id,
            "alg": algorithm.value,
            "nonce": secrets.token_urlsafe(24),
        },
        signature=b"",
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = SignedRequest(method, target, f"{parts.scheme}://{parts.netloc}", fields)
    signature = _sign(algorithm, secret, signature_base(stated, request))
    return digest | {
        "Signature-Input": f"{stated.label}={stated.parameters_text()}",
        "Signature": http_sf.ser({stated.label: signature}),
    }


def _sign(algorithm: KeyAlgorithm, secret: bytes, base: bytes) -> bytes:
    if algorithm is KeyAlgorithm.hmac_sha256:
        return hmac.digest(secret, base, "sha256")
    return Ed25519PrivateKey.from_private_bytes(secret).sign(base)


def _check_covered(stated: Stated, fields: Mapping[str, Sequence[str]], *, has_body: bool) -> None:
    needed = [*REQUIRED, *(name for name in COVERED_IF_SENT if name in fields)]
    if has_body:
        needed.append("content-digest")
    for name in needed:
        if name not in stated.components:
            raise SignatureRuleError(name, f'The signature must cover "{name}".')


def _digest(stated: Stated, fields: Mapping[str, Sequence[str]]) -> bytes | None:
    if "content-digest" not in stated.components:
        return None
    try:
        return parse_content_digest(", ".join(fields.get("content-digest", ())))
    except ValueError as error:
        raise SignatureRuleError("content-digest", "Content-Digest must have a sha-256 of the body.") from error


def _authorities(origin: str) -> tuple[str, ...]:
    """How a Host header may name an origin: the default port may be left out."""
    parts = urlsplit(origin.lower())
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    bare = parts.netloc.removesuffix(default)
    return (bare, bare + default) if ":" not in bare.rpartition("]")[2] else (bare,)


def _text(stated: Stated, name: str) -> str:
    value = stated.parameters.get(name)
    if not isinstance(value, str):
        raise SignatureRuleError(name, f"The parameter {name} is required, as a string.")
    return value


def _time(stated: Stated, name: str) -> datetime | None:
    value = stated.parameters.get(name)
    if value is None:
        return None
    try:
        if type(value) is int:
            return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise SignatureRuleError(name, f"{name} is no time.") from error
    raise SignatureRuleError(name, f"{name} must be an integer: seconds since 1970.")
