"""A certificate authority of the test's own, and cards of it that sign jobs as a My Number Card does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from schemas.cards import CardProof, How
from schemas.uplink import card_text
from workers.registry.certificates import CardName, generation_of

ISSUER = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "JPKI"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "JPKI for user authentication"),
    ]
)
BEGAN = datetime(2016, 1, 1, tzinfo=UTC)
ENDS = datetime(2021, 10, 2, 14, 59, 59, tzinfo=UTC)
"""The fifth birthday in Japan, 23:59:59."""
TERMINAL = "T131016ABCDEF"
ORIGIN = "https://hub.example"

Builder = x509.CertificateBuilder
Change = Callable[[Builder], Builder]


@cache
def key(_number: int) -> rsa.RSAPrivateKey:
    """One of a few keys; making one takes a tenth of a second."""
    return rsa.generate_private_key(65_537, 2048)


def usage(*, repudiable: bool = True) -> x509.KeyUsage:
    """For authentication; else as that of a certificate for documents."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=not repudiable,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass
class Authority:
    """One generation of the certificate authority; all have one name."""

    number: int = 0
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        own = key(100 + self.number)
        self.certificate = (
            _builder(ISSUER, own.public_key(), 1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(own, SHA256())
        )

    @property
    def generation(self) -> str:
        return generation_of(self.certificate)

    def write(self, folder: Path) -> Path:
        """Put the anchor where a hub finds it."""
        (folder / f"generation-{self.number}.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return folder

    def card(
        self,
        serial: int,
        *,
        ends: datetime = ENDS,
        change: Change = lambda builder: builder,
        key_usage: x509.KeyUsage | None = None,
        owner_key: rsa.RSAPrivateKey | None = None,
        hashing: SHA256 | SHA512 | None = None,
    ) -> "Card":
        """A card with this serial number."""
        own = owner_key or key(serial % 2)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{serial:08x}")])
        builder = _builder(name, own.public_key(), serial, ends).add_extension(key_usage or usage(), critical=True)
        signed = change(builder).sign(key(100 + self.number), hashing or SHA256())
        return Card(own, signed, self.generation, serial)


def _builder(name: x509.Name, public: rsa.RSAPublicKey, serial: int, ends: datetime = ENDS) -> Builder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(ISSUER)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(BEGAN)
        .not_valid_after(ends if name is not ISSUER else ends + timedelta(days=3650))
    )


@dataclass
class Card:
    """A card: it signs what it is asked to."""

    own: rsa.RSAPrivateKey
    certificate: x509.Certificate
    generation: str
    serial: int

    @property
    def name(self) -> CardName:
        return CardName(self.generation, self.serial.to_bytes((self.serial.bit_length() + 7) // 8).hex())

    def prove(self, purpose: str, how: How = "pin", **changes: object) -> CardProof:
        """What a terminal brings back of a job."""
        job: dict[str, object] = {
            "job_id": uuid4(),
            "purpose": purpose,
            "terminal_id": TERMINAL,
            "hub_origin": ORIGIN,
            "nonce": bytes(range(32)),
            "how": how,
            "certificate": self.certificate.public_bytes(Encoding.DER),
            "insertion": uuid4(),
        }
        given = job | changes
        if how == "pin" and "signature" not in given:
            given["signature"] = self._signature(given)
        return CardProof.model_validate(given)

    def _signature(self, given: dict[str, object]) -> bytes:
        origin, nonce, job_id = given["hub_origin"], given["nonce"], given["job_id"]
        assert isinstance(origin, str)
        assert isinstance(nonce, bytes)
        assert isinstance(job_id, UUID)
        text = card_text(origin, nonce, job_id, str(given["purpose"]), str(given["terminal_id"]))
        return self.own.sign(text, PKCS1v15(), SHA256())
