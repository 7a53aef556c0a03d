"""A card's certificate and signature: whose it is, or why it is not taken."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import strategies as st

from schemas.cards import CardProof, How
from schemas.problems import RefusalCode
from tests.fuzzing import fuzzed
from tests.workers.registry.ca import BEGAN, ENDS, ISSUER, Authority, Card, key, usage
from workers.registry.certificates import Anchors, AnchorsError, Certified

NOW = datetime(2017, 10, 2, 3, tzinfo=UTC)
OLD, NEW, STRANGER = Authority(0), Authority(1), Authority(2)
ANCHORS = Anchors([OLD.certificate, NEW.certificate])
CARD = NEW.card(0x12345678)


def certify(proof: CardProof, now: datetime = NOW) -> Certified | RefusalCode:
    return ANCHORS.certify(proof, now)


def refused(card: Card, now: datetime = NOW) -> Certified | RefusalCode:
    return certify(card.prove("log-in"), now)


def test_the_issuer_is_chosen_by_its_signature() -> None:
    same_number = OLD.card(CARD.serial)
    for card in (CARD, same_number):
        certified = certify(card.prove("log-in"))
        assert isinstance(certified, Certified)
        assert certified.name == card.name
        assert certified.alg == "rsa-2048-sha256"
        assert certified.expires_on.isoformat() == "2021-10-02"
    assert CARD.name != same_number.name
    assert CARD.name.serial == same_number.name.serial == "12345678"


def test_strangers_are_not_taken() -> None:
    assert refused(STRANGER.card(5)) == "card_unknown_issuer"
    assert refused(NEW.card(5, hashing=SHA512())) == "card_unknown_issuer"
    assert Anchors.read(None).certify(CARD.prove("log-in"), NOW) == "card_unknown_issuer"


@pytest.mark.parametrize(
    "now, code",
    [
        (BEGAN - timedelta(seconds=1), "card_not_valid_yet"),
        (BEGAN, None),
        (datetime(2021, 10, 2, 14, 59, 59, 999_999, tzinfo=UTC), None),
        (datetime(2021, 10, 2, 15, tzinfo=UTC), "card_expired"),
    ],
)
def test_it_is_good_through_its_last_day_in_japan(now: datetime, code: str | None) -> None:
    certified = refused(CARD, now)
    assert (None if isinstance(certified, Certified) else certified) == code


def test_only_a_certificate_for_authentication_is_taken() -> None:
    client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.2.392.99.1"), b"\x05\x00")
    authority = x509.BasicConstraints(ca=True, path_length=None)
    large = rsa.generate_private_key(65_537, 3072)
    odd = rsa.generate_private_key(3, 2048)
    assert isinstance(refused(NEW.card(1, change=lambda b: b.add_extension(client, critical=True))), Certified)
    assert isinstance(refused(NEW.card(1, change=lambda b: b.add_extension(unknown, critical=False))), Certified)
    for card in (
        NEW.card(1, key_usage=usage(repudiable=False)),
        NEW.card(1, change=lambda b: b.add_extension(server, critical=False)),
        NEW.card(1, change=lambda b: b.add_extension(unknown, critical=True)),
        NEW.card(1, change=lambda b: b.add_extension(authority, critical=True)),
        NEW.card(1, owner_key=large),
        NEW.card(1, owner_key=odd),
    ):
        assert refused(card) == "card_wrong_certificate"
    assert certify(CARD.prove("log-in", certificate=_without_usage())) == "card_wrong_certificate"
    assert certify(CARD.prove("log-in", certificate=_of_another_kind())) == "card_wrong_certificate"


def _without_usage() -> bytes:
    builder = x509.CertificateBuilder().subject_name(ISSUER).issuer_name(ISSUER).serial_number(9)
    builder = builder.public_key(key(0).public_key()).not_valid_before(BEGAN).not_valid_after(ENDS)
    return builder.sign(key(101), SHA256()).public_bytes(Encoding.DER)


def _of_another_kind() -> bytes:
    builder = x509.CertificateBuilder().subject_name(ISSUER).issuer_name(ISSUER).serial_number(9)
    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    builder = builder.public_key(public).not_valid_before(BEGAN).not_valid_after(ENDS)
    return builder.add_extension(usage(), critical=True).sign(key(101), SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": "revoke-mykey-id"},
        {"terminal_id": "T131016ABCDEG"},
        {"hub_origin": "https://other.example"},
        {"nonce": bytes(32)},
        {"job_id": "00000000-0000-0000-0000-000000000001"},
        {"signature": None},
        {"signature": bytes(256)},
        {"signature": bytes(64)},
    ],
)
def test_the_signature_is_over_this_very_job(change: dict[str, object]) -> None:
    proof = CARD.prove("log-in")
    assert isinstance(certify(proof), Certified)
    other = CardProof.model_validate(proof.model_dump() | change)
    assert certify(other) == "card_bad_signature"


def test_another_cards_signature_is_none() -> None:
    other = NEW.card(7)
    assert other.own is not CARD.own
    proof = CARD.prove("log-in")
    swapped = proof.model_copy(update={"certificate": other.certificate.public_bytes(Encoding.DER)})
    assert certify(swapped) == "card_bad_signature"


@pytest.mark.parametrize(
    "how, purpose, code",
    [
        ("pin", "look-up-service-id", None),
        ("tap", "look-up-service-id", None),
        ("tap", "grant-points", None),
        ("tap", "register-service-id", "card_needs_pin"),
        ("tap", "log-in", "card_needs_pin"),
        ("tap", "whatever-comes", "card_needs_pin"),
    ],
)
def test_a_tap_is_enough_for_few_things(how: How, purpose: str, code: str | None) -> None:
    certified = certify(CARD.prove(purpose, how))
    assert (None if isinstance(certified, Certified) else certified) == code


def test_bytes_after_the_certificate_are_refused() -> None:
    der = CARD.certificate.public_bytes(Encoding.DER)
    assert certify(CARD.prove("log-in", certificate=der + b"\x00")) == "card_unreadable"
    assert certify(CARD.prove("log-in", certificate=der[:-1])) == "card_unreadable"


def test_a_serial_number_below_zero_is_refused() -> None:
    der = CARD.certificate.public_bytes(Encoding.DER)
    number = CARD.certificate.serial_number.to_bytes(4)
    negative = bytes([number[0] | 0x80, *number[1:]])
    assert certify(CARD.prove("log-in", certificate=der.replace(number, negative, 1))) == "card_unreadable"


@fuzzed(data=st.data())
def test_fuzz_whatever_bytes_come_are_answered(data: st.DataObject) -> None:
    der = bytearray(CARD.certificate.public_bytes(Encoding.DER))
    for place in data.draw(st.lists(st.integers(0, len(der) - 1), min_size=1, max_size=4, unique=True)):
        der[place] ^= data.draw(st.integers(1, 255))
    outcome = certify(CARD.prove("log-in", certificate=bytes(der)))
    assert isinstance(outcome, RefusalCode)


@fuzzed(der=st.binary(min_size=64, max_size=400))
def test_fuzz_bytes_that_are_no_certificate_are_unreadable(der: bytes) -> None:
    assert certify(CARD.prove("log-in", certificate=der)) == "card_unreadable"


def test_anchors_are_read_from_a_file_or_a_folder(tmp_path: Path) -> None:
    OLD.write(tmp_path)
    NEW.write(tmp_path)
    for path, taken in (
        (tmp_path, True),
        (tmp_path / "generation-1.pem", True),
        (tmp_path / "generation-0.pem", False),
    ):
        certified = Anchors.read(path).certify(CARD.prove("log-in"), NOW)
        assert isinstance(certified, Certified) == taken
    (tmp_path / "empty").mkdir()
    (tmp_path / "leaf.pem").write_bytes(CARD.certificate.public_bytes(Encoding.PEM))
    for bad in (tmp_path / "empty", tmp_path / "leaf.pem", tmp_path / "nowhere"):
        with pytest.raises(AnchorsError):
            Anchors.read(bad)
