"""The JPKI application of a My Number Card, the only one that is ever selected.

J-LIS publishes no specification: what stands here is what OpenSC does (`card-jpki.c`) and what was measured on cards.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography import x509

from reader_agent.apdu import (
    OK,
    SHORT_LIMIT_BYTES,
    Card,
    CardError,
    StatusError,
    UnreadableError,
    expect_ok,
    read_der,
    select_file,
    send,
)
from schemas.uplink import CERTIFICATE_LIMIT_BYTES

APPLICATION: Final = bytes.fromhex("D392F000260100000001")
DIGEST_INFO_SHA256: Final = bytes.fromhex("3031300D060960864801650304020105000420")
SIGNATURE_BYTES: Final = 256
SERIAL_LIMIT_BITS: Final = 160

_USER_CERTIFICATE: Final = b"\x00\x0a"
_USER_KEY: Final = b"\x00\x17"
_SIGNATURE_CERTIFICATE: Final = b"\x00\x01"
_BLOCKED: Final = (0x6984, 0x6983)
_PIN_MISSING: Final = 0x6982
_TRIES: Final = 0x63C0
_TRIES_MASK: Final = 0xFFF0


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that is typed: the file it is checked against, its form, and how often it may be wrong."""

    file: bytes
    form: re.Pattern[bytes]
    tries: int


PIN: Final = Secret(b"\x00\x18", re.compile(rb"[0-9]{4}"), 3)
"""Of the user-authentication certificate: four digits."""
SIGNATURE_PASSWORD: Final = Secret(b"\x00\x1b", re.compile(rb"[0-9A-Za-z]{6,16}"), 5)
"""Of the signature certificate."""


class NotJpkiError(CardError):
    """A card, but not a My Number Card."""


class WrongPinError(CardError):
    """The card refused what was typed; `tries_left` says how often it may be typed yet."""

    def __init__(self, tries_left: int) -> None:
        super().__init__("the card refused the PIN")
        self.tries_left = tries_left


class BlockedError(CardError):
    """It was typed wrongly too often; a municipality's office unblocks it."""


class MalformedError(CardError):
    """What was typed has not the form of the secret: the card is not asked, which would cost a try."""


class PinMissingError(CardError):
    """The card wants a PIN for this, and none has been typed since it was powered."""


class Jpki:
    """The application on one card; everything blocks, and raises the CardErrors of this file and of `apdu`."""

    def __init__(self, card: Card) -> None:
        self._card = card

    def select(self) -> None:
        """Raises NotJpkiError. What was typed before counts no longer on some cards."""
        if send(self._card, b"\x00\xa4\x04\x0c" + bytes([len(APPLICATION)]) + APPLICATION)[1] != OK:
            raise NotJpkiError

    def certificate(self) -> bytes:
        """The user-authentication certificate (DER); it needs no PIN on a plastic card."""
        select_file(self._card, _USER_CERTIFICATE)
        return read_der(self._card, CERTIFICATE_LIMIT_BYTES)

    def tries_left(self, secret: Secret) -> int:
        """How often it may be typed yet; 0 is blocked."""
        select_file(self._card, secret.file)
        status = send(self._card, b"\x00\x20\x00\x80")[1]
        # 9000 says that it was typed, rightly, before: that gives all the tries back.
        return secret.tries if status == OK else _tries(status)

    def verify(self, secret: Secret, typed: bytearray) -> None:
        """Check what was typed; the command that held it is wiped.

        Raises:
            WrongPinError: and it may be typed again.
            BlockedError: and it may not, from this time on or since before.
            MalformedError: and the card was not asked.
        """
        if not secret.form.fullmatch(typed):
            raise MalformedError
        select_file(self._card, secret.file)
        apdu = bytearray((0x00, 0x20, 0x00, 0x80, len(typed))) + typed
        try:
            status = send(self._card, apdu)[1]
        finally:
            apdu[:] = bytes(len(apdu))
        if status == OK:
            return
        left = _tries(status)
        if left:
            raise WrongPinError(left)
        raise BlockedError

    def sign(self, text: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 over `text` by the user-authentication key. Raises PinMissingError."""
        select_file(self._card, _USER_KEY)
        info = DIGEST_INFO_SHA256 + sha256(text).digest()
        apdu = b"\x80\x2a\x00\x80" + bytes([len(info)]) + info + b"\x00"
        signature, status = send(self._card, apdu, SHORT_LIMIT_BYTES)
        if status == _PIN_MISSING:
            raise PinMissingError
        expect_ok(status)
        if len(signature) != SIGNATURE_BYTES:
            raise UnreadableError("the card's signature has another length")
        return signature

    def signature_serial(self) -> str:
        """The signature certificate's serial number in lower-case hexadecimal, whole bytes; after its password."""
        select_file(self._card, _SIGNATURE_CERTIFICATE)
        return serial_of(read_der(self._card, CERTIFICATE_LIMIT_BYTES))


def serial_of(certificate: bytes) -> str:
    """A certificate's serial number in lower-case hexadecimal, whole bytes. Raises UnreadableError."""
    try:
        serial = x509.load_der_x509_certificate(certificate).serial_number
    except (ValueError, x509.InvalidVersion):
        raise UnreadableError("the card's certificate cannot be read") from None
    if serial <= 0 or serial.bit_length() > SERIAL_LIMIT_BITS:
        raise UnreadableError("the card's certificate has no serial number")
    return serial.to_bytes((serial.bit_length() + 7) // 8).hex()


def _tries(status: int) -> int:
    """The tries left that a status word tells, 0 for one that says blocked. Raises StatusError for any other."""
    if status in _BLOCKED:
        return 0
    if status & _TRIES_MASK != _TRIES:
        raise StatusError(status)
    return status & ~_TRIES_MASK
