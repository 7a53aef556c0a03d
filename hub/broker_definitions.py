"""What RabbitMQ is told at its start: one user for each component with the least rights, and how long queues may grow.

A component declares, reads and fills its own queues only; it says what it says to the two exchanges, and answers calls
by way of the caller's own reply address.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from typing import Any, Final

from hub.transports.rabbitmq.topology import CALLS, EXCHANGE, UNROUTED, UNROUTED_LIMIT

VHOST: Final = "mykey"
DEFAULT_EXCHANGE: Final = "amq.default"
"""By it an answer goes to the queue that a caller reads; RabbitMQ has no right for that queue alone."""

QUEUE_LIMIT_BATCHES: Final = 10_000
QUEUE_LIMIT_BYTES: Final = 1 << 30
"""What does not fit is refused, stays in the message store, and goes its way from there."""
CALLS_UNHEARD_MS: Final = 5_000
"""A queue of calls that nobody has consumed for so long goes: whoever asks hears at once that nobody is there, and asks
over PostgreSQL, which its component may well be able to reach."""
_SALT_BYTES: Final = 4


def definitions(passwords: Mapping[str, str]) -> dict[str, Any]:
    """The document for `load_definitions`, for these components."""
    return {
        "vhosts": [{"name": VHOST}],
        "users": [_user(name, password) for name, password in passwords.items()],
        "permissions": [_rights(name) for name in passwords],
        "policies": _policies(),
        "exchanges": [
            _exchange(UNROUTED, "fanout", {}),
            _exchange(EXCHANGE, "direct", {"alternate-exchange": UNROUTED}),
            _exchange(CALLS, "direct", {}),
        ],
        "queues": [_queue(UNROUTED, {"x-max-length": UNROUTED_LIMIT})],
        "bindings": [
            {
                "source": UNROUTED,
                "vhost": VHOST,
                "destination": UNROUTED,
                "destination_type": "queue",
                "routing_key": "",
                "arguments": {},
            }
        ],
    }


def _user(name: str, password: str) -> dict[str, Any]:
    """As RabbitMQ keeps it: Base64 of a salt, and SHA-256 over salt and password."""
    salt = os.urandom(_SALT_BYTES)
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    return {
        "name": name,
        "password_hash": hashed,
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }


def _rights(name: str) -> dict[str, str]:
    own = rf"({_quoted(EXCHANGE)}|{_quoted(CALLS)})\.{_quoted(name)}(\..+)?"
    exchanges = f"{_quoted(EXCHANGE)}|{_quoted(CALLS)}"
    return {
        "user": name,
        "vhost": VHOST,
        "configure": f"^{own}$",
        "write": f"^({exchanges}|{_quoted(DEFAULT_EXCHANGE)}|{own})$",
        "read": f"^({exchanges}|{own})$",
    }


def _policies() -> list[dict[str, Any]]:
    limits = {"max-length": QUEUE_LIMIT_BATCHES, "max-length-bytes": QUEUE_LIMIT_BYTES, "overflow": "reject-publish"}
    calls = {**limits, "expires": CALLS_UNHEARD_MS}
    return [
        _policy("limits", rf"^{_quoted(EXCHANGE)}\.(?!unrouted$)", limits, priority=0),
        _policy("calls", rf"^{_quoted(CALLS)}\.", calls, priority=1),
    ]


def _policy(name: str, pattern: str, definition: Mapping[str, Any], *, priority: int) -> dict[str, Any]:
    return {
        "vhost": VHOST,
        "name": name,
        "pattern": pattern,
        "apply-to": "queues",
        "priority": priority,
        "definition": dict(definition),
    }


def _exchange(name: str, kind: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    fixed = {"vhost": VHOST, "durable": True, "auto_delete": False, "internal": False}
    return {"name": name, "type": kind, "arguments": dict(arguments), **fixed}


def _queue(name: str, arguments: Mapping[str, int]) -> dict[str, Any]:
    return {"name": name, "vhost": VHOST, "durable": True, "auto_delete": False, "arguments": dict(arguments)}


def _quoted(name: str) -> str:
    return name.replace(".", r"\.")
