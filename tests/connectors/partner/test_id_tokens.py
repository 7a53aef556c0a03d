"""What an ID token must be: every rule broken once (ASVS 10.5, 9.1)."""

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from connectors.partner.id_link.id_tokens import UnprovenError, header_of, subject_of
from schemas.id_links import OpenIdProvider, TokenAlgorithm
from tests.fuzzing import fuzzed

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


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"]}, {"b64": False}, {"zip": "DEF"}, {"kid": 7}, {"alg": ["ES256"]}, {"alg": None}],
    ids=str,
)
def test_what_would_have_the_signature_read_otherwise_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(UnprovenError):
        subject(signed({"alg": "ES256", "kid": "k1", **header}, CLAIMS))


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


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "é.é.é", "x" * 20_000, "W10.W10.W10", "MQ.e30.AA", "e30.e30."])
def test_what_is_no_token_proves_nobody(text: str) -> None:
    with pytest.raises(UnprovenError):
        header_of(text, PROVIDER.algorithms)


@pytest.mark.parametrize("claims", [[], 1, "x", None], ids=str)
def test_what_are_no_claims_prove_nobody(claims: object) -> None:
    with pytest.raises(UnprovenError):
        subject(signed({"alg": "ES256", "kid": "k1"}, claims))


def test_a_signature_of_somebody_else_proves_nobody() -> None:
    with pytest.raises(UnprovenError, match="BadSignature"):
        subject(token(key=ECKey.generate_key("P-256", {"kid": "k1"})))


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=5,
)


@fuzzed(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "jwk", "crit"]), JSON | st.just("ES256"), max_size=4),
    claims=st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "azp"]), JSON, max_size=6),
)
def test_fuzz_whatever_the_token_says_nobody_is_proven_by_accident(
    header: dict[str, Any], claims: dict[str, Any]
) -> None:
    """Rightly signed, so that each part is looked at."""
    said = {**CLAIMS, **claims}
    try:
        told = subject(signed({"alg": "ES256", **header}, said))
    except UnprovenError:
        return
    assert told == said["sub"]


def part(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(header: Any, claims: Any) -> str:  # noqa: ANN401 - any JSON
    """A token that says this, signed by our key whatever it is."""
    text = f"{part(header)}.{part(claims)}"
    private = KEY.private_key
    assert private is not None
    r, s = decode_dss_signature(private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{base64.urlsafe_b64encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big')).decode().rstrip('=')}"
