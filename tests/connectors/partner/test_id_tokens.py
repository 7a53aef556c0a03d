"""What an ID token must be: every rule broken once (ASVS 10.5, 9.1)."""

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from connectors.partner.id_link.id_tokens import UnprovenError, header_of, subject_of
from schemas.id_links import OpenIdProvider, TokenAlgorithm

NOW: Final = datetime(2026, 11, 29, 3, tzinfo=UTC)
NOW_S: Final = int(NOW.timestamp())
KEY: Final = ECKey.generate_key("P-256", {"kid": "k1"})
PROVIDER: Final = OpenIdProvider(issuer="https://id.airline.example", client_id="mykey-hub")
CLAIMS: Final[dict[str, Any]] = {
    "iss": "https://id.airline.example",
    "sub": "member-1",
    "aud": "mykey-hub",
    "nonce": "n-1",
    "iat": NOW_S,
    "exp": NOW_S + 300,
}


def token(header: dict[str, Any] | None = None, key: Any = KEY, **claims: Any) -> str:  # noqa: ANN401 - any key and claim
    made = {"alg": "ES256", "kid": "k1", **(header or {})}
    return jwt.encode(made, {**CLAIMS, **claims}, key, algorithms=[made["alg"]])


def subject(text: str) -> str:
    header = header_of(text, PROVIDER.algorithms)
    return subject_of(text, header, KEY, PROVIDER, "n-1", NOW)


@pytest.mark.parametrize(
    "claims",
    [{}, {"iat": NOW_S + 8, "nbf": NOW_S + 8}, {"aud": ["mykey-hub"]}, {"azp": "mykey-hub"}, {"email": "a@b.example"}],
    ids=str,
)
def test_a_good_one_names_its_member(claims: dict[str, Any]) -> None:
    assert subject(token(**claims)) == "member-1"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://id.other.example"},
        {"iss": ["https://id.airline.example"]},
        {"aud": "other"},
        {"aud": ["mykey-hub", "other"]},
        {"azp": "other"},
        {"nonce": "n-2"},
        {"nonce": ""},
        {"exp": NOW_S - 300},
        {"exp": "soon"},
        {"nbf": NOW_S + 90},
        {"iat": NOW_S + 90},
        {"iat": NOW_S - 700},
        {"sub": ""},
        {"sub": 7},
        {"sub": "会員"},
        {"sub": "x" * 256},
    ],
    ids=lambda claims: str(claims)[:40],
)
def test_a_wrong_claim_proves_nobody(claims: dict[str, Any]) -> None:
    with pytest.raises(UnprovenError):
        subject(token(**claims))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "nonce", "exp", "iat"])
def test_a_missing_claim_proves_nobody(name: str) -> None:
    claims = {key: value for key, value in CLAIMS.items() if key != name}
    text = jwt.encode({"alg": "ES256", "kid": "k1"}, claims, KEY, algorithms=["ES256"])
    with pytest.raises(UnprovenError):
        subject(text)


def test_no_algorithm_and_the_public_key_as_a_secret_are_refused() -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    for alg in ("none", "None", "nOnE"):
        with pytest.raises(UnprovenError, match="algorithm"):
            subject(f"{part({'alg': alg, 'kid': 'k1'})}.{part(CLAIMS)}.")
    signed = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part(CLAIMS)}"
    mac = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    with pytest.raises(UnprovenError, match="algorithm"):
        subject(f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/jwks"},
        {"jwk": KEY.as_dict(private=False)},
        {"x5u": "https://evil.example/x"},
        {"x5c": ["MII="]},
    ],
    ids=lambda header: next(iter(header)),
)
def test_a_key_that_comes_along_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(UnprovenError, match="header"):
        subject(token(header))


def test_rs256_only_where_it_was_agreed_and_with_a_key_of_its_kind() -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "k1"})
    text = token({"alg": "RS256"}, rsa)
    with pytest.raises(UnprovenError, match="algorithm"):
        header_of(text, PROVIDER.algorithms)
    agreed = PROVIDER.model_copy(update={"algorithms": (TokenAlgorithm.rs256,)})
    header = header_of(text, agreed.algorithms)
    assert subject_of(text, header, rsa, agreed, "n-1", NOW) == "member-1"
    with pytest.raises(UnprovenError, match="kind"):
        subject_of(text, header, KEY, agreed, "n-1", NOW)


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "é.é.é", "x" * 20_000])
def test_what_is_no_token_proves_nobody(text: str) -> None:
    with pytest.raises(UnprovenError):
        header_of(text, PROVIDER.algorithms)


def test_a_signature_of_somebody_else_proves_nobody() -> None:
    with pytest.raises(UnprovenError, match="BadSignature"):
        subject(token(key=ECKey.generate_key("P-256", {"kid": "k1"})))
