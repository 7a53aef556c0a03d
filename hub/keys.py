"""Keys out of the installation's one secret: seals for what is shown again, hashes for what is looked up, signatures.

Every purpose has its own key (HKDF-SHA256, RFC 5869), so that nothing sealed, hashed or named for one purpose
means anything to another. A seal is AES-256-GCM, bound to its place in the database: a cell cannot be moved
to another row.
"""

import hmac
import os
from base64 import urlsafe_b64encode
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.errors import PermanentError

HASH_BYTES: Final = 32

_KEY_BYTES: Final = 32
_SALT: Final = b"mykey-hub"
_FORMAT: Final = b"\x01"
_NONCE_BYTES: Final = 12
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256_DRAWN_BYTES: Final = 48
"""More than the order's 32, so that no number is likelier than another (FIPS 186-5, A.2.1)."""
_TAG_BYTES: Final = 16
_SHORTEST: Final = len(_FORMAT) + _NONCE_BYTES + _TAG_BYTES
_VERSION_AND_VARIANT: Final = (0x8 << 76) | (0b10 << 62)
_VERSION_AND_VARIANT_MASK: Final = (0xF << 76) | (0b11 << 62)


class SealBrokenError(PermanentError):
    """A sealed value does not open: it was altered, moved, or sealed under another secret."""


class Keys:
    """All keys of an installation; `secret` is `Settings.key()`."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._pairwise_key = self._derive("pairwise")

    def sealer(self, purpose: str) -> "Sealer":
        """Seals and opens values of one purpose, such as `registry`."""
        return Sealer(self._derive(f"seal|{purpose}"))

    def hasher(self, purpose: str) -> "Hasher":
        """Hashes values of one purpose for look-up; without the secret nobody can try values out."""
        return Hasher(self._derive(f"hash|{purpose}"))

    def signer(self, purpose: str) -> "Signer":
        """Signs what anybody outside may check."""
        return Signer(Ed25519PrivateKey.from_private_bytes(self._derive(f"sign|{purpose}")))

    def p256_key(self, purpose: str) -> ec.EllipticCurvePrivateKey:
        """An ECDSA key on P-256 (ES256, RFC 7518), for those outside who know no Ed25519; the same for one purpose."""
        drawn = int.from_bytes(self._derive(f"es256|{purpose}", _P256_DRAWN_BYTES))
        return ec.derive_private_key(drawn % (_P256_ORDER - 1) + 1, ec.SECP256R1())

    def pairwise_id(self, party_id: UUID, citizen_id: UUID) -> UUID:
        """The one id (UUID version 8) by which this party knows this citizen; no two parties share it."""
        digest = hmac.digest(self._pairwise_key, party_id.bytes + citizen_id.bytes, "sha256")
        return UUID(int=int.from_bytes(digest[:16]) & ~_VERSION_AND_VARIANT_MASK | _VERSION_AND_VARIANT)

    def _derive(self, label: str, length: int = _KEY_BYTES) -> bytes:
        return HKDF(SHA256(), length, salt=_SALT, info=label.encode()).derive(self._secret)


class Sealer:
    """AES-256-GCM with a random 96-bit nonce: format (1 byte) | nonce (12) | ciphertext | tag (16).

    One purpose may seal 2**32 values (NIST SP 800-38D, section 8.3): what grows faster gets its own purpose.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, place: str) -> bytes:
        """Seal a value for its place (see `place`)."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """The value that was sealed for this place. Raises SealBrokenError."""
        if len(sealed) < _SHORTEST or sealed[:1] != _FORMAT:
            raise SealBrokenError(place)
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, rest, place.encode())
        except InvalidTag as error:
            raise SealBrokenError(place) from error


class Hasher:
    """HMAC-SHA256 under a key of one purpose."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def hash(self, value: bytes) -> bytes:
        """32 bytes, the same for the same value."""
        return hmac.digest(self._key, value, "sha256")

    def word(self, value: bytes, size_bytes: int = 32) -> str:
        """So many bytes of it as base64url without padding (RFC 4648): nobody else can tell it."""
        return urlsafe_b64encode(self.hash(value)[:size_bytes]).decode().rstrip("=")


class Signer:
    """Ed25519 (RFC 8032) under a key of one purpose."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = Verifier(key.public_key())

    def sign(self, text: bytes) -> bytes:
        """64 bytes, the same for the same text."""
        return self._key.sign(text)


class Verifier:
    """The public half: checks what a signer signed."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @property
    def pem(self) -> str:
        """The public key as SubjectPublicKeyInfo in PEM (RFC 8410), as openssl reads it."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's, over exactly this text."""
        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            return False
        return True


def place(table: str, column: str, row_id: object) -> str:
    """Where a sealed value belongs: `registry.citizen|name|<citizen id>`."""
    return f"{table}|{column}|{row_id}"
