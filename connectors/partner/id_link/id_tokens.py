"""What an ID token must be before anybody is taken for a member (OpenID Connect Core 1.0, section 3.1.3.7).

Stricter where FAPI is: one audience only, no key that the token brings along, algorithms from a list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jwt import JWTClaimsRegistry
from pydantic import TypeAdapter, ValidationError

from schemas.id_links import OpenIdProvider, Subject, TokenAlgorithm

LEEWAY_S: Final = 30
AGE_LIMIT_S: Final = 600
TOKEN_LIMIT_CHARS: Final = 16_384
HEADERS: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
"""None of them says by itself which key to take: `jku`, `jwk`, `x5u` and `x5c` would."""
KEY_TYPES: Final = {
    TokenAlgorithm.es256: "EC",
    TokenAlgorithm.ps256: "RSA",
    TokenAlgorithm.rs256: "RSA",
    TokenAlgorithm.eddsa: "OKP",
}
_SUBJECT: Final[TypeAdapter[str]] = TypeAdapter(Subject)


class UnprovenError(Exception):
    """The answer does not prove an account; the text says why, and has nothing of the answer in it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says of its signature."""

    algorithm: TokenAlgorithm
    kid: str | None


def header_of(token: str, allowed: Sequence[TokenAlgorithm]) -> Header:
    """Before any key is looked for. Raises UnprovenError."""
    if len(token) > TOKEN_LIMIT_CHARS:
        raise UnprovenError("the ID token is too long")
    try:
        told: dict[str, Any] = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise UnprovenError("the ID token cannot be read") from error
    algorithm, kid = told.get("alg"), told.get("kid")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise UnprovenError("the ID token's algorithm is not allowed")
    if not told.keys() <= HEADERS or not isinstance(kid, str | None):
        raise UnprovenError("the ID token's header has more than it may")
    return Header(TokenAlgorithm(algorithm), kid)


def subject_of(token: str, header: Header, key: Key, provider: OpenIdProvider, nonce: str, now: datetime) -> str:
    """Whose account it is. Raises UnprovenError."""
    if key.key_type != KEY_TYPES[header.algorithm]:
        raise UnprovenError("the key is of another kind")
    rules = JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        nonce={"essential": True, "value": nonce},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )
    try:
        claims = jwt.decode(token, key, algorithms=[header.algorithm.value]).claims
        rules.validate(claims)
        subject = _SUBJECT.validate_python(claims["sub"])
    except (JoseError, ValueError, ValidationError) as error:
        raise UnprovenError(f"the ID token is not good: {type(error).__name__}") from error
    if claims["aud"] not in (provider.client_id, [provider.client_id]):
        raise UnprovenError("the ID token is for others too")
    if claims.get("azp", provider.client_id) != provider.client_id:
        raise UnprovenError("the ID token was given to another")
    if now.timestamp() - float(claims["iat"]) > AGE_LIMIT_S:
        raise UnprovenError("the ID token is old")
    return subject
