"""Whose links fill the coupon page in (画面20)."""

import hmac
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.portal.citizen.coupon_links import CouponLink, is_signed, signed_text
from schemas.parties import KeyAlgorithm, PartyKey, PartyKind

NOW: Final = datetime(2017, 10, 2, 3, tzinfo=UTC)
CARD: Final = UUID(int=0xA2)
SECRET: Final = b"s" * 32
PRIVATE: Final = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
PUBLIC: Final = PRIVATE.public_key().public_bytes_raw()


def party_key(algorithm: KeyAlgorithm, key_bytes: bytes, party_id: UUID = CARD) -> PartyKey:
    return PartyKey(party_id=party_id, kind=PartyKind.partner, algorithm=algorithm, key_bytes=key_bytes)


def link(until: datetime = NOW + timedelta(minutes=5)) -> CouponLink:
    return CouponLink(partner=str(CARD), code="ABCD1234", points="40", until=str(int(until.timestamp())), key="card-1")


def with_signature(made: CouponLink, signature: bytes) -> CouponLink:
    return made.model_copy(update={"sig": urlsafe_b64encode(signature).decode().rstrip("=")})


def test_both_kinds_of_keys_sign() -> None:
    made = link()
    by_ed25519 = with_signature(made, PRIVATE.sign(signed_text(made)))
    assert is_signed(by_ed25519, party_key(KeyAlgorithm.ed25519, PUBLIC), NOW)
    by_secret = with_signature(made, hmac.digest(SECRET, signed_text(made), "sha256"))
    assert is_signed(by_secret, party_key(KeyAlgorithm.hmac_sha256, SECRET), NOW)
    assert not is_signed(by_secret, party_key(KeyAlgorithm.hmac_sha256, b"t" * 32), NOW)


@pytest.mark.parametrize("changed", ["partner", "code", "points", "until", "key", "sig"])
def test_a_changed_part_spoils_it(changed: str) -> None:
    made = with_signature(link(), PRIVATE.sign(signed_text(link())))
    value = {"partner": str(UUID(int=0xA3)), "until": str(int(made.until) + 1), "sig": "A" * 86}.get(changed, "X1")
    spoilt = made.model_copy(update={changed: value})
    assert not is_signed(spoilt, party_key(KeyAlgorithm.ed25519, PUBLIC), NOW)


def test_a_link_that_is_over_anothers_key_and_no_key_sign_nothing() -> None:
    made = with_signature(link(), PRIVATE.sign(signed_text(link())))
    assert not is_signed(made, party_key(KeyAlgorithm.ed25519, PUBLIC), NOW + timedelta(minutes=6))
    assert not is_signed(made, party_key(KeyAlgorithm.ed25519, PUBLIC, UUID(int=0xA3)), NOW)
    assert not is_signed(made, PartyKey(), NOW)
    assert not is_signed(link(), party_key(KeyAlgorithm.ed25519, PUBLIC), NOW)
