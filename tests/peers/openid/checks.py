"""What a client has to prove at the provider's endpoints."""

import base64
import hashlib
import time
from collections.abc import Mapping

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from tests.peers.openid.registered import Code, Kept

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIMIT_S = 300
ALGORITHMS = ["ES256", "PS256", "EdDSA"]


class OAuthError(Exception):
    """Refused by its OAuth name (RFC 6749, section 5.2)."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name
        self.why = why


async def check_client(kept: Kept, fields: Mapping[str, str]) -> None:
    """private_key_jwt (RFC 7523): the client's own key, for us alone, once. Raises OAuthError."""
    if "client_secret" in fields or fields.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError("invalid_client", "private_key_jwt only")
    async with aiohttp.ClientSession() as session, session.get(kept.client.jwks_uri) as response:
        keys = KeySet.import_key_set(await response.json())
    client_id = kept.client.client_id
    rules = JWTClaimsRegistry(
        iss={"essential": True, "value": client_id},
        sub={"essential": True, "value": client_id},
        exp={"essential": True},
        jti={"essential": True},
    )
    try:
        claims = jwt.decode(fields.get("client_assertion", ""), keys, algorithms=ALGORITHMS).claims
        rules.validate(claims)
    except (JoseError, ValueError) as error:
        raise OAuthError("invalid_client", str(error)) from error
    if claims.get("aud") != kept.issuer or claims["exp"] > time.time() + ASSERTION_LIMIT_S:
        raise OAuthError("invalid_client", "not for us, or for too long")
    if claims["jti"] in kept.assertions:
        raise OAuthError("invalid_client", "used before")
    kept.assertions.add(claims["jti"])


def check_request(kept: Kept, asked: Mapping[str, str]) -> None:
    """An authorization request. Raises OAuthError."""
    if asked.get("redirect_uri") != kept.client.redirect_uri:
        raise OAuthError("invalid_request", "another redirect_uri")
    if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
        raise OAuthError("invalid_request", "code and openid only")
    if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
        raise OAuthError("invalid_request", "PKCE by S256 only")


def check_code(kept: Kept, fields: Mapping[str, str]) -> Code:
    """The code that is exchanged: used again, it takes its tokens with it. Raises OAuthError."""
    code = kept.codes.get(fields.get("code", ""))
    if code is None or code.ends_at < time.time():
        raise OAuthError("invalid_grant", "no such code")
    if code.used:
        kept.tokens.clear()
        raise OAuthError("invalid_grant", "used before")
    code.used = True
    digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
    if base64.urlsafe_b64encode(digest).decode().rstrip("=") != code.asked["code_challenge"]:
        raise OAuthError("invalid_grant", "another verifier")
    if fields.get("redirect_uri") != code.asked["redirect_uri"]:
        raise OAuthError("invalid_grant", "another redirect_uri")
    return code
