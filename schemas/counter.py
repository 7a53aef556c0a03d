"""How a counter's browser begins a session: by a ticket that the terminal's own agent signs, good once for a minute.

A ticket is one line: terminal ID, seconds since 1970, 32 random bytes, the agent's Ed25519 signature; bytes are written
in hexadecimal, with full stops between them.
"""

from hashlib import sha256
from typing import Annotated, Final, NamedTuple

from pydantic import StringConstraints

from schemas.uplink import NONCE_BYTES

TICKET_PROTOCOL: Final = "mykey-counter-ticket/1"
TICKET_GOOD_FOR_S: Final = 60
"""Either way: the clock of a PC may be a little ahead."""

Ticket = Annotated[
    str,
    StringConstraints(
        strict=True, pattern=r"^T[0-9]{6}[0-9A-HJKMNP-TV-Z]{6}\.[0-9]{1,11}\.[0-9a-f]{64}\.[0-9a-f]{128}$"
    ),
]


class TicketParts(NamedTuple):
    """What a ticket says, and the signature under it."""

    terminal_id: str
    at_s: int
    nonce: bytes
    signature: bytes

    def text(self, hub_origin: str) -> bytes:
        """What is signed."""
        return ticket_text(hub_origin, self.terminal_id, self.at_s, self.nonce)


def ticket_text(hub_origin: str, terminal_id: str, at_s: int, nonce: bytes) -> bytes:
    """What the agent signs: good at this hub alone, as `schemas.uplink.handshake_text` is."""
    origin = sha256(hub_origin.encode()).digest()
    terminal = terminal_id.encode()
    head = f"{TICKET_PROTOCOL}\0".encode()
    return head + origin + len(terminal).to_bytes(1) + terminal + at_s.to_bytes(8) + nonce


def written(parts: TicketParts) -> str:
    """The ticket as one line."""
    assert len(parts.nonce) == NONCE_BYTES  # noqa: S101 - ours
    return f"{parts.terminal_id}.{parts.at_s}.{parts.nonce.hex()}.{parts.signature.hex()}"


def parts_of(ticket: str) -> TicketParts:
    """What stands in a `Ticket`."""
    terminal_id, at_s, nonce, signature = ticket.split(".")
    return TicketParts(terminal_id, int(at_s), bytes.fromhex(nonce), bytes.fromhex(signature))
