"""One conversation with a partner's OpenID provider: the way out, the code's exchange, revocation.

Authorization code with PKCE by S256 (RFC 7636), pushed where the provider offers that (RFC 9126), `iss` checked in the
answer (RFC 9207), the client proven by private_key_jwt. Each party has a redirect address of its own besides, so that
an answer of one provider is never taken to another one.
"""

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.partner.id_link.client_keys import ClientKeys
from connectors.partner.id_link.discovery import Discovery, Metadata, UnfitProviderError
from connectors.partner.id_link.id_tokens import UnprovenError, header_of, subject_of
from connectors.partner.outbound import AwayError, Got, Outbound
from hub.errors import PermanentError
from schemas.id_links import CALLBACK, OpenIdProvider

SCOPE: Final = "openid"
"""No mail address, no name: nothing is asked for that a link does not need."""
SECRET_BYTES: Final = 32
STATUS_OK: Final = 200
STATUS_CREATED: Final = 201
NOT_NOW: Final = frozenset({408, 429})
"""What says of itself that another try may help."""


class RevocationRefusedError(PermanentError):
    """The party's provider refused to take a token back; look at its revocation endpoint, then redrive."""


class Secrets(BaseModel):
    """What only we know of one linking, until its answer comes."""

    model_config = ConfigDict(frozen=True)

    nonce: str
    verifier: str


class Tokens(BaseModel):
    """What the token endpoint answers with (RFC 6749, section 5.1)."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    id_token: str
    access_token: str
    token_type: str
    refresh_token: str | None = None


class Proof(BaseModel):
    """A proven account, and the token that lasts longest: it is given back when the link ends."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    subject: str
    token: str = ""


class _Pushed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    request_uri: str


def new_secret() -> str:
    """256 random bits, base64url."""
    return secrets.token_urlsafe(SECRET_BYTES)


class OpenId:
    """Speaks with providers."""

    def __init__(self, outbound: Outbound, discovery: Discovery, keys: ClientKeys, own_url: str) -> None:
        self._outbound = outbound
        self._discovery = discovery
        self._keys = keys
        self._own_url = own_url

    def redirect_uri(self, party_id: UUID) -> str:
        """The one address that this party's provider sends citizens back to."""
        return f"{self._own_url}{CALLBACK}{party_id}"

    async def way_out(self, party_id: UUID, provider: OpenIdProvider, state: str, known: Secrets) -> str:
        """Where to send the browser. Raises UnfitProviderError, AwayError, ForbiddenAddressError."""
        metadata = await self._discovery.metadata(provider.issuer)
        asked = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self.redirect_uri(party_id),
            "scope": SCOPE,
            "state": state,
            "nonce": known.nonce,
            "code_challenge": _challenge(known.verifier),
            "code_challenge_method": "S256",
            "prompt": "login",
        }
        if metadata.pushed_authorization_request_endpoint is not None:
            asked = {"client_id": provider.client_id, "request_uri": await self._pushed(metadata, provider, asked)}
        joint = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return f"{metadata.authorization_endpoint}{joint}{urlencode(asked)}"

    async def prove(
        self, party_id: UUID, provider: OpenIdProvider, answer: "Answer", known: Secrets, now: Callable[[], datetime]
    ) -> Proof:
        """Whose account it is. Raises UnprovenError, UnfitProviderError, AwayError, ForbiddenAddressError."""
        metadata = await self._discovery.metadata(provider.issuer)
        is_told = answer.issuer is not None
        if answer.issuer != provider.issuer and (is_told or metadata.authorization_response_iss_parameter_supported):
            raise UnprovenError("the answer is not this provider's")
        tokens = await self._exchanged(party_id, metadata, provider, answer.code, known)
        header = header_of(tokens.id_token, provider.algorithms)
        key = await self._discovery.key(metadata, header.kid)
        subject = subject_of(tokens.id_token, header, key, provider, known.nonce, now())
        return Proof(issuer=provider.issuer, subject=subject, token=tokens.refresh_token or tokens.access_token)

    async def revoke(self, provider: OpenIdProvider, token: str) -> bool:
        """Give a token back (RFC 7009). False where the provider takes none.

        Raises RevocationRefusedError, and as `way_out` does.
        """
        metadata = await self._discovery.metadata(provider.issuer)
        if metadata.revocation_endpoint is None:
            return False
        fields = {"token": token, **self._keys.proof(provider.client_id, provider.issuer)}
        got = await self._outbound.post(metadata.revocation_endpoint, fields)
        if got.status in NOT_NOW:
            raise AwayError(f"status {got.status}", got.status, got.retry_after_s)
        if got.status != STATUS_OK:
            raise RevocationRefusedError
        return True

    async def _pushed(self, metadata: Metadata, provider: OpenIdProvider, asked: Mapping[str, str]) -> str:
        proof = self._keys.proof(provider.client_id, provider.issuer)
        endpoint = metadata.pushed_authorization_request_endpoint or ""
        got = await self._outbound.post(endpoint, {**asked, **proof})
        if got.status != STATUS_CREATED:
            raise UnfitProviderError(f"it refused the pushed request: {got.status}")
        try:
            return _Pushed.model_validate_json(got.body).request_uri
        except ValidationError as error:
            raise UnfitProviderError("its answer to the pushed request cannot be read") from error

    async def _exchanged(
        self, party_id: UUID, metadata: Metadata, provider: OpenIdProvider, code: str, known: Secrets
    ) -> Tokens:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri(party_id),
            "code_verifier": known.verifier,
            **self._keys.proof(provider.client_id, provider.issuer),
        }
        return _tokens(await self._outbound.post(metadata.token_endpoint, fields, {"Accept": "application/json"}))


class Answer(BaseModel):
    """What the browser came back with."""

    model_config = ConfigDict(frozen=True)

    code: str
    issuer: str | None


def _tokens(got: Got) -> Tokens:
    if got.status != STATUS_OK or got.content_type != "application/json":
        raise UnprovenError(f"the code was refused: {got.status}")
    try:
        tokens = Tokens.model_validate_json(got.body)
    except ValidationError as error:
        raise UnprovenError("the token endpoint's answer cannot be read") from error
    if tokens.token_type.lower() not in {"bearer", "dpop"}:
        raise UnprovenError("the token is of an unknown kind")
    return tokens


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
