"""What is said to a card: short APDUs of ISO 7816-4, and what a card may answer. Every length has a limit."""

from typing import Final, Protocol

OK: Final = 0x9000
MORE_FOLLOWS: Final = 0x61
WRONG_LENGTH: Final = 0x6C
SHORT_LIMIT_BYTES: Final = 256
"""The most that one short APDU answers; said as Le 00."""
PIECES_LIMIT: Final = 64
"""Answers that one command, or one file, may come in."""
COMMAND_LIMIT_BYTES: Final = 261
STATUS_BYTES: Final = 2
_STATUS_LIMIT: Final = 0xFFFF
_BYTE: Final = 0x100

DER_HEAD_BYTES: Final = 4
_DER_HEAD: Final = b"\x30\x82"
_DER_SHORTEST: Final = 256
"""A shorter sequence would have its length in one byte."""


class CardError(Exception):
    """The card did not do what it was asked; no text of it holds anything from the card or of a person."""


class CardRemovedError(CardError):
    """The card was taken out, or another one was put in, or somebody reset it."""


class ReaderFailedError(CardError):
    """The reader, or the card in it, gives no answer."""


class UnreadableError(CardError):
    """The card's answer cannot be understood, or is longer than it may be."""


class StatusError(UnreadableError):
    """The card answered with a status word that has no meaning for what it was asked."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the card answered {status:04X}")
        self.status = status


class Card(Protocol):
    """A card, powered, and nobody else's meanwhile."""

    def send_and_receive(self, apdu: bytes | bytearray, /) -> tuple[bytes, int]:
        """One command, and the answer to it: data and status word. Raises CardRemovedError, ReaderFailedError."""


def send(card: Card, apdu: bytes | bytearray, limit: int = 0) -> tuple[bytes, int]:
    """One command and the whole of its answer, at most `limit` bytes: 61xx is followed, 6Cxx asked again once.

    Raises:
        UnreadableError: the answer is longer, or does not end.
    """
    data, status = _one(card, apdu, limit)
    if status >> 8 == WRONG_LENGTH and limit:
        data, status = _one(card, bytes(apdu[:-1]) + bytes([status % _BYTE]), limit)
    answer = bytearray(data)
    for _ in range(PIECES_LIMIT):
        if status >> 8 != MORE_FOLLOWS:
            return bytes(answer), status
        data, status = _one(card, bytes([0x00, 0xC0, 0x00, 0x00, status % _BYTE]), limit - len(answer))
        answer += data
    raise UnreadableError("the card's answer does not end")


def _one(card: Card, apdu: bytes | bytearray, limit: int) -> tuple[bytes, int]:
    data, status = card.send_and_receive(apdu)
    if len(data) > limit or not 0 <= status <= _STATUS_LIMIT:
        raise UnreadableError("the card answered more than it was asked for")
    return data, status


def expect_ok(status: int) -> None:
    """Raises StatusError where it is not 9000."""
    if status != OK:
        raise StatusError(status)


def select_file(card: Card, file: bytes) -> None:
    """Select an elementary file by its two bytes. Raises StatusError, also where there is none."""
    expect_ok(send(card, b"\x00\xa4\x02\x0c\x02" + file)[1])


def read_binary(card: Card, offset: int, length: int) -> bytes:
    """`length` bytes of the selected file, at most 256, or fewer but not none. `offset` has 15 bits."""
    data, status = send(card, b"\x00\xb0" + offset.to_bytes(2) + bytes([length % SHORT_LIMIT_BYTES]), length)
    expect_ok(status)
    if not data:
        raise UnreadableError("the card answered nothing")
    return data


def read_der(card: Card, limit: int) -> bytes:
    """The DER sequence that the selected file begins with, at most `limit` bytes; what follows it is padding.

    Raises:
        UnreadableError: there is none, or it is longer.
    """
    head = read_binary(card, 0, DER_HEAD_BYTES)
    total = der_length(head, limit)
    read = bytearray(head)
    for _ in range(PIECES_LIMIT):
        if len(read) == total:
            return bytes(read)
        read += read_binary(card, len(read), min(SHORT_LIMIT_BYTES, total - len(read)))
    raise UnreadableError("the card's file comes in too many pieces")


def der_length(head: bytes, limit: int) -> int:
    """How long a DER sequence is by its first four bytes, and with them: 260 to `limit`. Raises UnreadableError."""
    if len(head) != DER_HEAD_BYTES or not head.startswith(_DER_HEAD):
        raise UnreadableError("the card's file is no certificate")
    inner = int.from_bytes(head[2:])
    if not _DER_SHORTEST <= inner <= limit - DER_HEAD_BYTES:
        raise UnreadableError("the card's certificate says a length that it cannot have")
    return inner + DER_HEAD_BYTES
