"""Cards in memory, each `send_and_receive(apdu) -> (data, status word)`: My Number Cards, FeliCa, blank ones."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from tests.peers.card.authority import Identity

CONTACT_ATR: Final = bytes.fromhex("3BE000FF8131FE4514")
"""That of the plastic card by contact, which OpenSC knows."""
CONTACTLESS_ATR: Final = bytes.fromhex("3B80800101")
FELICA_ATR: Final = bytes.fromhex("3B8F8001804F0CA00000030611003B0000000042")

_JPKI: Final = bytes.fromhex("D392F000260100000001")
_TOKEN_INFORMATION: Final = b"JPKIAPICCTOKEN2" + bytes(17)
_DIGEST_INFO: Final = bytes.fromhex("3031300D060960864801650304020105000420")
_DIGEST_BYTES: Final = 32
_OK: Final = 0x9000
_NOT_FOUND: Final = 0x6A82
_WRONG_LENGTH: Final = 0x6700
_NOT_VERIFIED: Final = 0x6982
_NO_FILE: Final = 0x6986
_UNKNOWN: Final = 0x6D00
_PAST_END: Final = 0x6B00


class PulledError(Exception):
    """The card is out of the reader before it has answered."""


class SilentError(Exception):
    """The card never answers."""


class Card:
    """A card that has nothing on it: whatever is selected is not found."""

    atr: bytes = CONTACTLESS_ATR

    def power_on(self) -> None:
        """A cold start."""

    def power_off(self) -> None:
        """What was typed is forgotten."""

    def reset(self) -> None:
        """A warm reset: the application is no longer selected, but what was typed counts still."""

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        """Answer a command. Raises PulledError, SilentError."""
        return b"", _NOT_FOUND if apdu[1] == 0xA4 else _UNKNOWN


class FelicaCard(Card):
    """A FeliCa card, which the reader itself tells the IDm of."""

    atr = FELICA_ATR

    def __init__(self, idm: bytes = bytes.fromhex("0101060123456789")) -> None:
        self.idm = idm

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        """Answer a command."""
        if apdu == b"\xff\xca\x00\x00\x00":
            return self.idm, _OK
        return super().send_and_receive(apdu)


@dataclass
class Quirks:
    """What a card does that a good one does not, or need not."""

    padding: bytes = b""
    """After each certificate, in its file."""
    piece_bytes: int | None = None
    """Longer answers come in pieces of that length, fetched by GET RESPONSE."""
    names_length: bool = False
    """A READ for more than there is, is answered with 6Cxx instead of what there is."""
    claimed_bytes: int | None = None
    """The certificate's own length, said instead of the true one."""
    blocked_status: int = 0x6984
    on_command: Callable[[bytes], None] | None = None
    """Called with each command before it is done; it may raise PulledError or SilentError."""


@dataclass
class _Secret:
    value: bytes
    tries: int
    left: int = 0
    is_verified: bool = False

    def __post_init__(self) -> None:
        self.left = self.tries


@dataclass(eq=False)
class JpkiCard(Card):
    """A My Number Card's JPKI application. `commands` keeps the class and instruction bytes it was sent, in order."""

    identity: Identity
    pin: str = "1234"
    password: str = "ABC123"
    quirks: Quirks = field(default_factory=Quirks)
    atr: bytes = CONTACTLESS_ATR
    commands: list[bytes] = field(default_factory=list)
    checks: int = 0
    """How often something typed was checked; a VERIFY with nothing asks for the tries left."""

    def __post_init__(self) -> None:
        self._secrets = {0x0018: _Secret(self.pin.encode(), 3), 0x001B: _Secret(self.password.encode(), 5)}
        self._is_selected = False
        self._file: int | None = None
        self._rest = b""

    @property
    def tries_left(self) -> int:
        """Of the PIN."""
        return self._secrets[0x0018].left

    def is_verified(self) -> bool:
        """Whether the PIN was typed and counts still."""
        return self._secrets[0x0018].is_verified

    def accept(self, pin: str) -> None:
        """Change the PIN, as a municipality's office does."""
        self._secrets[0x0018] = _Secret(pin.encode(), 3)

    def block(self) -> None:
        """As after three wrong PINs."""
        self._secrets[0x0018].left = 0

    def power_on(self) -> None:
        """A cold start."""
        self.power_off()

    def power_off(self) -> None:
        """What was typed is forgotten."""
        for secret in self._secrets.values():
            secret.is_verified = False
        self.reset()

    def reset(self) -> None:
        """A warm reset."""
        self._is_selected, self._file, self._rest = False, None, b""

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        """Answer a command. Raises PulledError, SilentError."""
        self.commands.append(bytes(apdu[:2]))
        if self.quirks.on_command is not None:
            self.quirks.on_command(bytes(apdu))
        if apdu[:2] == b"\x00\xc0":
            return self._piece(apdu[4] or 256)
        data, status = self._answer(bytes(apdu))
        if self.quirks.piece_bytes is None or not data:
            return data, status
        self._rest = data
        return self._piece(0)

    def _piece(self, asked: int) -> tuple[bytes, int]:
        given, self._rest = self._rest[:asked], self._rest[asked:]
        size = self.quirks.piece_bytes or 256
        return given, 0x6100 | min(len(self._rest), size) % 256 if self._rest else _OK

    def _answer(self, apdu: bytes) -> tuple[bytes, int]:
        match apdu[:4]:
            case b"\x00\xa4\x04\x0c":
                self.reset()
                self._is_selected = apdu[5:] == _JPKI
                return b"", _OK if self._is_selected else _NOT_FOUND
            case b"\x00\xa4\x02\x0c" if self._is_selected:
                return b"", self._select(int.from_bytes(apdu[5:7]))
            case b"\x00\x20\x00\x80" if self._file in self._secrets:
                return b"", self._verify(self._secrets[self._file], apdu[5:])
            case b"\x80\x2a\x00\x80":
                return self._sign(apdu[5 : 5 + apdu[4]])
            case command if command[:2] == b"\x00\xb0":
                return self._read(int.from_bytes(command[2:4]), apdu[4] or 256)
        return b"", _UNKNOWN

    def _files(self) -> dict[int, bytes]:
        each = self.identity
        files = {0x0001: each.signature_certificate, 0x0002: each.signature_authority}
        files |= {0x000A: each.certificate, 0x000B: each.authority}
        return {number: self._as_kept(der) for number, der in files.items()} | {0x0006: _TOKEN_INFORMATION}

    def _as_kept(self, der: bytes) -> bytes:
        claimed = self.quirks.claimed_bytes
        head = der[:4] if claimed is None else b"\x30\x82" + (claimed - 4).to_bytes(2)
        return head + der[4:] + self.quirks.padding

    def _select(self, number: int) -> int:
        if number not in {*self._files(), *self._secrets, 0x0017, 0x001A}:
            return _NOT_FOUND
        self._file = number
        return _OK

    def _verify(self, secret: _Secret, typed: bytes) -> int:
        if not secret.left:
            return self.quirks.blocked_status
        if not typed:
            return 0x63C0 | secret.left
        self.checks += 1
        secret.is_verified = typed == secret.value
        secret.left = secret.tries if secret.is_verified else secret.left - 1
        return _OK if secret.is_verified else 0x63C0 | secret.left

    def _read(self, offset: int, length: int) -> tuple[bytes, int]:
        content = self._files().get(self._file or 0)
        if content is None:
            return b"", _NO_FILE
        if self._file == 0x0001 and not self._secrets[0x001B].is_verified:
            return b"", _NOT_VERIFIED
        if offset >= len(content):
            return b"", _PAST_END
        there = len(content) - offset
        if self.quirks.names_length and length > there:
            return b"", 0x6C00 | there % 256
        return content[offset : offset + length], _OK

    def _sign(self, info: bytes) -> tuple[bytes, int]:
        secret, key = {
            0x0017: (self._secrets[0x0018], self.identity.key),
            0x001A: (self._secrets[0x001B], self.identity.signature_key),
        }.get(self._file or 0, (None, None))
        if secret is None or key is None:
            return b"", _NO_FILE
        if not secret.is_verified:
            return b"", _NOT_VERIFIED
        if not info.startswith(_DIGEST_INFO) or len(info) != len(_DIGEST_INFO) + _DIGEST_BYTES:
            return b"", _WRONG_LENGTH
        return key.sign(info[len(_DIGEST_INFO) :], PKCS1v15(), Prehashed(SHA256())), _OK
