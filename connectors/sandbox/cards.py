"""Virtual cards: the sandbox's people make their MyKey IDs as anybody does, with a card and its PIN.

Their authority is drawn anew at each start and is good for this sandbox alone; a MyKey ID outlives it.
"""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from schemas.cards import CardProof
from schemas.uplink import card_text

ANCHOR_FILE: Final = "sandbox.pem"
PURPOSE: Final = "create-mykey-id"
TERMINAL: Final = "T232106SANDB0"
KEY_BITS: Final = 2_048
SERIAL_BITS: Final = 63
BEGAN: Final = datetime(2016, 1, 1, tzinfo=UTC)
ENDS: Final = datetime(2199, 12, 31, tzinfo=UTC)
"""Later than any clock of a sandbox is moved to."""
NONCE_BYTES: Final = 32

_ISSUER: Final = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "MyKey Hub sandbox")])
_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class Cards:
    """An authority, and as many cards of it as are asked for, all with one key: their numbers tell them apart."""

    def __init__(self, anchors: Path, hub_origin: str) -> None:
        """`anchors` is the folder by which the hub takes these cards. Raises OSError."""
        self._origin = hub_origin
        self._authority = rsa.generate_private_key(65_537, KEY_BITS)
        self._key = rsa.generate_private_key(65_537, KEY_BITS)
        own = self._builder(_ISSUER, self._authority.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        (anchors / ANCHOR_FILE).write_bytes(own.sign(self._authority, SHA256()).public_bytes(Encoding.PEM))

    def proof(self) -> CardProof:
        """What a terminal brings back of a new card, read with its PIN to make a MyKey ID."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, secrets.token_hex(10).upper())])
        card = self._builder(name, self._key.public_key()).add_extension(_USAGE, critical=True)
        job_id, nonce = uuid4(), secrets.token_bytes(NONCE_BYTES)
        text = card_text(self._origin, nonce, job_id, PURPOSE, TERMINAL)
        return CardProof(
            job_id=job_id,
            purpose=PURPOSE,
            terminal_id=TERMINAL,
            hub_origin=self._origin,
            nonce=nonce,
            how="pin",
            certificate=card.sign(self._authority, SHA256()).public_bytes(Encoding.DER),
            signature=self._key.sign(text, PKCS1v15(), SHA256()),
            insertion=uuid4(),
        )

    @staticmethod
    def _builder(subject: x509.Name, key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
        serial = secrets.randbits(SERIAL_BITS) | 1 << SERIAL_BITS
        return x509.CertificateBuilder(_ISSUER, subject, key, serial, BEGAN, ENDS)
