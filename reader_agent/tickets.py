"""Tickets: by what this terminal's agent signs, a browser beside it begins a session at the counter's screens."""

import secrets
import time

from reader_agent.enrolment import EnrolledAs, Identity
from schemas.counter import TicketParts, ticket_text, written
from schemas.uplink import NONCE_BYTES


def ticket(identity: Identity, enrolled: EnrolledAs) -> str:
    """A fresh one, good once and for a minute. Raises OpenToOthersError, OSError."""
    terminal_id, at_s, nonce = enrolled.terminal.terminal_id, int(time.time()), secrets.token_bytes(NONCE_BYTES)
    signature = identity.agent_key().sign(ticket_text(enrolled.hub_url, terminal_id, at_s, nonce))
    return written(TicketParts(terminal_id, at_s, nonce, signature))
