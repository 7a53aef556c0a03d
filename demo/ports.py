"""Ports for processes that are about to listen."""

import secrets
import socket
from typing import Final

HOST: Final = "127.0.0.1"
PORTS: Final = range(20_000, 32_768)
"""Below those that the kernel draws for connections, which might take one before its process listens."""
TRIES_LIMIT: Final = 1_000

_given = set[int]()


class NoPortError(OSError):
    """Nearly all are taken."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now, and that was not given before in this process.

    Raises NoPortError.
    """
    for _ in range(TRIES_LIMIT):
        port = secrets.choice(PORTS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise NoPortError(f"none of {TRIES_LIMIT} is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
