"""What a provider says of itself (OpenID Connect Discovery 1.0, RFC 8414), and the keys it signs with (RFC 7517)."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet, RSAKey
from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.partner.outbound import AwayError, Outbound
from hub.web.json_text import JsonTextError, parse
from hub.web.limits import RateLimiter

FRESH_S: Final = 300.0
KEPT_LIMIT: Final = 1_000
PRIVATE_KEY_JWT: Final = "private_key_jwt"
OK: Final = 200
KEY_KINDS: Final = frozenset({"RSA", "EC", "OKP"})
RSA_LEAST_BITS: Final = 2_048
"""FAPI 2.0 Security Profile, section 5.4."""
REFETCH_PER_S: Final = 0.1
REFETCH_BURST: Final = 3
"""Of one provider's keys, for key ids that we do not know: it has changed its keys, or somebody makes ids up."""


class UnfitProviderError(Exception):
    """The provider is not as it must be; the text says in what."""


class Metadata(BaseModel):
    """What we use of it. A list that is left out names nothing that we could use (RFC 8414, section 2)."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    pushed_authorization_request_endpoint: str | None = None
    revocation_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False
    code_challenge_methods_supported: list[str] = []
    token_endpoint_auth_methods_supported: list[str] = []


class _Published(BaseModel):
    """A JSON Web Key Set as it comes."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    keys: list[dict[str, Any]]


class Discovery:
    """Asks, and remembers for five minutes."""

    def __init__(self, outbound: Outbound, monotonic: Callable[[], float]) -> None:
        self._outbound = outbound
        self._monotonic = monotonic
        self._metadata: OrderedDict[str, tuple[float, Metadata]] = OrderedDict()
        self._keys: OrderedDict[str, tuple[float, KeySet]] = OrderedDict()
        self._refetches = RateLimiter(REFETCH_PER_S, REFETCH_BURST, keys_limit=KEPT_LIMIT, monotonic=monotonic)

    async def metadata(self, issuer: str) -> Metadata:
        """Raises UnfitProviderError, AwayError, ForbiddenAddressError."""
        known = self._metadata.get(issuer)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        told = await self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            found = Metadata.model_validate(told)
        except ValidationError as error:
            raise UnfitProviderError("its metadata cannot be read") from error
        _check(found, issuer)
        for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            self._outbound.check(address)
        _keep(self._metadata, issuer, (self._monotonic() + FRESH_S, found))
        return found

    async def key(self, metadata: Metadata, kid: str | None) -> Key:
        """The key of this id, or the only one; asked for anew where it is not known. Raises as `metadata` does."""
        address = metadata.jwks_uri
        known = self._keys.get(address)
        if known is not None and self._monotonic() < known[0]:
            found = _named(known[1], kid)
            if found is not None:
                return found
            if self._refetches.wait_s(address) > 0:
                raise UnfitProviderError("unknown key")
        try:
            keys = _key_set(_Published.model_validate(await self._json(address)))
        except ValidationError as error:
            raise UnfitProviderError("its keys cannot be read") from error
        _keep(self._keys, address, (self._monotonic() + FRESH_S, keys))
        found = _named(keys, kid)
        if found is None:
            raise UnfitProviderError("unknown key")
        return found

    async def _json(self, url: str) -> Any:  # noqa: ANN401 - whatever JSON it is
        got = await self._outbound.get(url, {"Accept": "application/json"})
        if got.status != OK:
            raise AwayError(f"status {got.status}")
        try:
            return parse(got.body)
        except JsonTextError as error:
            raise UnfitProviderError("what it says is not JSON") from error


def _check(found: Metadata, issuer: str) -> None:
    if found.issuer != issuer:
        raise UnfitProviderError("it calls itself otherwise")
    if "S256" not in found.code_challenge_methods_supported:
        raise UnfitProviderError("it does not take PKCE by S256")
    if PRIVATE_KEY_JWT not in found.token_endpoint_auth_methods_supported:
        raise UnfitProviderError("it does not take private_key_jwt")


def _key_set(published: _Published) -> KeySet:
    """Its public signing keys of the kinds we know: others in the set are none of our business."""
    found = (_signing_key(one) for one in published.keys)
    return KeySet([key for key in found if key is not None])


def _signing_key(told: dict[str, Any]) -> Key | None:
    if str(told.get("kty")) not in KEY_KINDS or told.get("use", "sig") != "sig" or "d" in told:
        return None
    try:
        key = JWKRegistry.import_key(told)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return None if isinstance(key, RSAKey) and key.public_key.key_size < RSA_LEAST_BITS else key


def _named(keys: KeySet, kid: str | None) -> Key | None:
    found = [one for one in keys.keys if kid is None or one.kid == kid]
    return found[0] if len(found) == 1 else None


def _keep(kept: OrderedDict[str, Any], name: str, value: object) -> None:
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > KEPT_LIMIT:
        kept.popitem(last=False)
