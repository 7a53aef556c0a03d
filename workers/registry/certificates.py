"""The card's certificate and signature, verified against the anchors this hub is configured with (RFC 5280, JPKI).

Several generations of the certificate authority share one name: the issuer is chosen by whose key has signed. A card is
known as that generation and its serial number, since one serial number may come again in another generation.
"""

import warnings
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from hub.clock import business_date_of
from hub.errors import PermanentError
from schemas.cards import CardProof
from schemas.problems import RefusalCode
from schemas.uplink import card_text
from workers.registry import purposes

ANCHORS_LIMIT: Final = 32
ANCHOR_FILE_LIMIT_BYTES: Final = 64 * 1024
GENERATION_CHARACTERS: Final = 16
SERIAL_LIMIT_BYTES: Final = 20
"""RFC 5280, 4.1.2.2."""
RSA_BITS: Final = 2048
RSA_EXPONENT: Final = 65_537
LAST_SECOND: Final = timedelta(seconds=1)
"""`notAfter` names the last second, 23:59:59 in Japan, all of which is still good."""
UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
    }
)
"""Critical extensions that may stand in a certificate; another one has to be refused (RFC 5280, 4.2)."""


class AnchorsError(PermanentError):
    """MYKEY_CARD_ANCHORS names no readable certificate authority in PEM: put the issuers' certificates there."""


class CardName(NamedTuple):
    """What a certificate is known by: `generation` is the issuer's key, `serial` its number, both in hexadecimal."""

    generation: str
    serial: str


class Certified(NamedTuple):
    """A card that proved itself."""

    name: CardName
    alg: str
    expires_on: date


class _RefusedError(Exception):
    """Inside this file: what is wrong with a proof."""

    def __init__(self, code: RefusalCode) -> None:
        super().__init__(code)
        self.code = code


_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
    CryptographyDeprecationWarning,
)
"""What the parser says of bytes that are no certificate, or one of a kind it does not know, or will not soon."""

_Verify: TypeAlias = Callable[[bytes, bytes], None]
"""From (signature, text); raises InvalidSignature."""


class Anchors:
    """The certificate authorities whose cards are taken."""

    def __init__(self, certificates: Sequence[x509.Certificate]) -> None:
        self._by_generation = {generation_of(one): one for one in certificates}

    @classmethod
    def read(cls, path: Path | None) -> "Anchors":
        """From a PEM file, or from all `*.pem` of a folder; None takes no card. Raises AnchorsError."""
        if path is None:
            return cls([])
        try:
            named = sorted(path.glob("*.pem")) if path.is_dir() else [path]
            found = [one for file in named for one in x509.load_pem_x509_certificates(_bytes_of(file))]
        except (OSError, ValueError) as error:
            raise AnchorsError(str(path)) from error
        if not found or len(found) > ANCHORS_LIMIT or not all(map(_may_issue, found)):
            raise AnchorsError(str(path))
        return cls(found)

    def certify(self, proof: CardProof, now: datetime) -> Certified | RefusalCode:
        """Whose certificate it is and whether the card was there; else why not."""
        try:
            return self._certify(proof, now)
        except _RefusedError as refused:
            return refused.code

    def _certify(self, proof: CardProof, now: datetime) -> Certified:
        if not purposes.is_enough(proof.how, proof.purpose):
            raise _RefusedError(RefusalCode.card_needs_pin)
        certificate = _parsed(proof.certificate)
        generation = self._issuer_of(certificate)
        _check_use(certificate)
        if now < certificate.not_valid_before_utc:
            raise _RefusedError(RefusalCode.card_not_valid_yet)
        if now >= certificate.not_valid_after_utc + LAST_SECOND:
            raise _RefusedError(RefusalCode.card_expired)
        alg, verify = _algorithm_of(certificate)
        if proof.how == "pin":
            _check_signature(proof, verify)
        name = CardName(generation, _serial_of(certificate))
        return Certified(name, alg, business_date_of(certificate.not_valid_after_utc))

    def _issuer_of(self, certificate: x509.Certificate) -> str:
        for generation, anchor in self._by_generation.items():
            try:
                certificate.verify_directly_issued_by(anchor)
            except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
                continue
            return generation
        raise _RefusedError(RefusalCode.card_unknown_issuer)


def generation_of(issuer: x509.Certificate) -> str:
    """A generation of the certificate authority: SHA-256 over its public key (SubjectPublicKeyInfo), shortened."""
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(key).hexdigest()[:GENERATION_CHARACTERS]


def _bytes_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        content = opened.read(ANCHOR_FILE_LIMIT_BYTES + 1)
    if len(content) > ANCHOR_FILE_LIMIT_BYTES:
        raise ValueError(file.name)
    return content


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _parsed(der: bytes) -> x509.Certificate:
    try:
        with warnings.catch_warnings(action="error", category=CryptographyDeprecationWarning):
            certificate = x509.load_der_x509_certificate(der)
        is_signed_as_taken = isinstance(certificate.signature_hash_algorithm, SHA256)
        _serial_of(certificate)
        _extensions_of(certificate)
    except _UNREADABLE as error:
        raise _RefusedError(RefusalCode.card_unreadable) from error
    if not is_signed_as_taken:
        raise _RefusedError(RefusalCode.card_unknown_issuer)
    return certificate


def _extensions_of(certificate: x509.Certificate) -> x509.Extensions:
    """Read them once, so that whatever is wrong in them is found here."""
    return certificate.extensions


def _serial_of(certificate: x509.Certificate) -> str:
    number = certificate.serial_number
    if not 0 < number < 1 << (8 * SERIAL_LIMIT_BYTES):
        raise ValueError(number.bit_length())
    return number.to_bytes((number.bit_length() + 7) // 8).hex()


def _check_use(certificate: x509.Certificate) -> None:
    """The user-authentication certificate signs for authentication only; that of documents is not taken for it."""
    extensions = certificate.extensions
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        is_for_users = usage.digital_signature and not usage.content_commitment and not usage.key_cert_sign
    except x509.ExtensionNotFound:
        is_for_users = False
    for extension in extensions:
        match extension.value:
            case x509.BasicConstraints(ca=True):
                is_for_users = False
            case x509.ExtendedKeyUsage() as named if ExtendedKeyUsageOID.CLIENT_AUTH not in named:
                is_for_users = False
            case _ if extension.critical and extension.oid not in UNDERSTOOD:
                is_for_users = False
            case _:
                pass
    if not is_for_users:
        raise _RefusedError(RefusalCode.card_wrong_certificate)


def _algorithm_of(certificate: x509.Certificate) -> tuple[str, _Verify]:
    """The signature algorithm by its name, and its verification. A P-384 card comes as another case here."""
    try:
        key = certificate.public_key()
    except _UNREADABLE as error:
        raise _RefusedError(RefusalCode.card_unreadable) from error
    if isinstance(key, RSAPublicKey) and (key.key_size, key.public_numbers().e) == (RSA_BITS, RSA_EXPONENT):
        rsa = key
        return "rsa-2048-sha256", lambda signature, text: rsa.verify(signature, text, PKCS1v15(), SHA256())
    raise _RefusedError(RefusalCode.card_wrong_certificate)


def _check_signature(proof: CardProof, verify: _Verify) -> None:
    if proof.signature is None:
        raise _RefusedError(RefusalCode.card_bad_signature)
    text = card_text(proof.hub_origin, proof.nonce, proof.job_id, proof.purpose, proof.terminal_id)
    try:
        verify(proof.signature, text)
    except InvalidSignature as error:
        raise _RefusedError(RefusalCode.card_bad_signature) from error
