"""Puts cards of `card` into a virtual reader: the wire of vsmartcard's vpcd, which pcscd runs as a reader's driver."""

import socket
import struct
from contextlib import suppress
from threading import Thread
from typing import Final

from tests.peers.card.card import Card, PulledError, SilentError

HOST: Final = "127.0.0.1"
CONNECT_LIMIT_S: Final = 5.0
JOIN_LIMIT_S: Final = 5.0
_LENGTH: Final = struct.Struct(">H")


class VirtualReader:
    """One slot: `name` is the reader's in PC/SC. A card answers in a thread of its own until it is taken out."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.card: Card | None = None
        """The one that is in."""
        self._port = port
        self._socket: socket.socket | None = None
        self._thread: Thread | None = None

    def insert(self, card: Card) -> None:
        """Put a card in; one that is in is taken out before."""
        self.remove()
        self._socket = socket.create_connection((HOST, self._port), timeout=CONNECT_LIMIT_S)
        self._socket.settimeout(None)
        self.card = card
        self._thread = Thread(target=_serve, args=(self._socket, card), daemon=True)
        self._thread.start()

    def remove(self) -> None:
        """Take the card out, whatever it is doing."""
        if self._socket is None or self._thread is None:
            return
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(JOIN_LIMIT_S)
        self._socket.close()
        self._socket = self._thread = self.card = None


def _serve(connection: socket.socket, card: Card) -> None:
    """Answer until the connection ends, from either side."""
    with suppress(PulledError, OSError):
        while (said := _receive(connection)) is not None:
            match said:
                case b"\x00":
                    card.power_off()
                case b"\x01":
                    card.power_on()
                case b"\x02":
                    card.reset()
                case b"\x04":
                    _send(connection, card.atr)
                case _:
                    with suppress(SilentError):
                        data, status = card.send_and_receive(said)
                        _send(connection, data + status.to_bytes(2))
    card.power_off()
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _receive(connection: socket.socket) -> bytes | None:
    head = _exactly(connection, _LENGTH.size)
    return None if head is None else _exactly(connection, *_LENGTH.unpack(head))


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    got = b""
    while len(got) < size:
        # Else the kernel waits 40 ms with each acknowledgement, and vpcd with its next bytes for it.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        more = connection.recv(size - len(got))
        if not more:
            return None
        got += more
    return got


def _send(connection: socket.socket, answer: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(answer)) + answer)
