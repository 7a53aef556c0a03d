"""Issues certificates as the JPKI does: three generations of an authority under one name, and cards reissued."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from secrets import randbits, token_hex
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

JST: Final = timezone(timedelta(hours=9))
GENERATIONS: Final = 3
_AGENCY: Final = "Japan Agency for Local Authority Information Systems"
_SERIAL_BITS: Final = 31
_CARD_YEARS: Final = 5
_AUTHORITY_YEARS: Final = 20


def _name(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    country = (NameOID.COUNTRY_NAME, "JP")
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in (country, *parts)])


def _issuer(purpose: str) -> x509.Name:
    units = ((NameOID.ORGANIZATIONAL_UNIT_NAME, f"JPKI for {purpose}"), (NameOID.ORGANIZATIONAL_UNIT_NAME, _AGENCY))
    return _name((NameOID.ORGANIZATION_NAME, "JPKI"), *units)


def _usage(*, repudiable: bool) -> x509.KeyUsage:
    """To authenticate a user with, or else to sign documents with."""
    no = dict.fromkeys(
        (
            "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only",
            "decipher_only",
        ),
        False,
    )  # fmt: skip
    return x509.KeyUsage(digital_signature=repudiable, content_commitment=not repudiable, **no)


@cache
def key_of(number: int) -> RSAPrivateKey:
    """The run's key of that number: making one takes a tenth of a second."""
    assert number >= 0
    return generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Identity:
    """What is put on one card: DER certificates, the keys to them, and their authorities' certificates."""

    key: RSAPrivateKey
    certificate: bytes
    authority: bytes
    signature_key: RSAPrivateKey
    signature_certificate: bytes
    signature_authority: bytes

    @property
    def serial(self) -> int:
        """The user-authentication certificate's 発行番号."""
        return x509.load_der_x509_certificate(self.certificate).serial_number

    @property
    def signature_serial(self) -> int:
        """The signature certificate's."""
        return x509.load_der_x509_certificate(self.signature_certificate).serial_number

    @property
    def expires_at(self) -> datetime:
        """When the user-authentication certificate ends."""
        return x509.load_der_x509_certificate(self.certificate).not_valid_after_utc


class _Authority:
    """One generation of one of the two authorities."""

    def __init__(self, purpose: str, number: int) -> None:
        self.name = _issuer(purpose)
        self._usage = _usage(repudiable=purpose == "user authentication")
        self.key = key_of(number)
        now = datetime.now(UTC)
        self.certificate = self.sign(self.name, self.key, now, now + timedelta(days=365 * _AUTHORITY_YEARS), ca=True)

    def sign(self, subject: x509.Name, key: RSAPrivateKey, start: datetime, end: datetime, *, ca: bool) -> bytes:
        builder = x509.CertificateBuilder(
            self.name, subject, key.public_key(), randbits(_SERIAL_BITS) | 1 << _SERIAL_BITS, start, end
        )
        if ca:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        else:
            builder = builder.add_extension(self._usage, critical=True)
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.DER)


@dataclass
class CardAuthority:
    """All generations of both authorities; `successors` tells which serial a reissued card's has been replaced by."""

    successors: dict[int, int] = field(default_factory=dict)
    _next_key: int = 2 * GENERATIONS

    def __post_init__(self) -> None:
        self._user = [_Authority("user authentication", number) for number in range(GENERATIONS)]
        self._signature = [_Authority("digital signature", GENERATIONS + number) for number in range(GENERATIONS)]

    @property
    def anchors(self) -> list[bytes]:
        """The user-authentication authorities' certificates (DER), the oldest first; all bear the same name."""
        return [authority.certificate for authority in self._user]

    def issue(
        self, birthday: date = date(1980, 4, 1), issued_at: datetime | None = None, generation: int = -1
    ) -> Identity:
        """A new card's identity, good until 23:59:59 JST of the holder's fifth birthday after `issued_at`."""
        start = issued_at or datetime.now(UTC) - timedelta(hours=1)
        end = _fifth_birthday(birthday, start)
        user, signature = self._user[generation], self._signature[generation]
        keys = key_of(self._next_key), key_of(self._next_key + 1)
        self._next_key += 2
        common = _name((NameOID.COMMON_NAME, token_hex(10).upper()))
        return Identity(
            keys[0],
            user.sign(common, keys[0], start, end, ca=False),
            user.certificate,
            keys[1],
            signature.sign(common, keys[1], start, end, ca=False),
            signature.certificate,
        )

    def reissue(self, identity: Identity, birthday: date = date(1980, 4, 1), generation: int = -1) -> Identity:
        """The same holder's next card; the old one's certificates are replaced by it."""
        new = self.issue(birthday, generation=generation)
        self.successors[identity.serial] = new.serial
        self.successors[identity.signature_serial] = new.signature_serial
        return new


def _fifth_birthday(birthday: date, start: datetime) -> datetime:
    day = start.astimezone(JST).date()
    passed = (day.month, day.day) >= (birthday.month, birthday.day)
    year = day.year + _CARD_YEARS - (0 if passed else 1)
    is_leap_day = (birthday.month, birthday.day) == (2, 29)
    last = date(year, 3, 1) - timedelta(days=1) if is_leap_day else birthday.replace(year=year)
    return datetime(last.year, last.month, last.day, 23, 59, 59, tzinfo=JST).astimezone(UTC)
