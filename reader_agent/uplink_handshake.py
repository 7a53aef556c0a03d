"""The agent's side of the handshake: the hub must be the one whose key was pinned, before anything is proven to it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import TypeAdapter, ValidationError

from schemas.uplink import NONCE_BYTES, Challenge, Hello, Proof, Refused, Role, Welcome, handshake_text


class WrongHubError(Exception):
    """Whoever answers is not the hub that was pinned when this terminal was enrolled, or speaks another language."""


class RefusedError(Exception):
    """The hub does not let this terminal in; `code` says why (schemas.problems)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Words(Protocol):
    """The connection, as far as the handshake needs it."""

    async def say(self, text: str) -> None:
        """One frame."""

    async def hear(self) -> str:
        """The next one."""


@dataclass(frozen=True)
class Self:
    """Which terminal this is, and which hub it belongs to. `hub_origin` is the very text that both sides sign."""

    terminal_id: str
    hub_origin: str
    hub_key: str
    """In PEM, as pinned at the enrolment."""
    key: Ed25519PrivateKey
    fingerprint: bytes
    value_digests: Mapping[str, bytes]
    recipe: str
    version: str

    @cached_property
    def hub(self) -> Ed25519PublicKey:
        """The hub's key. Raises WrongHubError: what was pinned is no such key."""
        try:
            key = load_pem_public_key(self.hub_key.encode())
        except ValueError as error:
            raise WrongHubError("pinned key") from error
        if not isinstance(key, Ed25519PublicKey):
            raise WrongHubError("pinned key")
        return key


Answer = TypeVar("Answer")
_CHALLENGE: Final = TypeAdapter(Challenge)
_END: Final[TypeAdapter[Welcome | Refused]] = TypeAdapter(Welcome | Refused)


async def shake_hands(words: Words, who: Self) -> None:
    """Prove both sides to each other. Raises WrongHubError, RefusedError, and whatever `words` does."""
    hello = Hello(
        terminal_id=who.terminal_id,
        agent_nonce=secrets.token_bytes(NONCE_BYTES),
        fingerprint=who.fingerprint,
        value_digests=dict(who.value_digests),
        recipe=who.recipe,
        version=who.version,
    )
    await words.say(hello.model_dump_json())
    challenge = _read(_CHALLENGE, await words.hear())
    try:
        who.hub.verify(challenge.signature, _text(Role.hub, who, hello, challenge))
    except InvalidSignature as error:
        raise WrongHubError("signature") from error
    proof = Proof(signature=who.key.sign(_text(Role.agent, who, hello, challenge)))
    await words.say(proof.model_dump_json())
    end = _read(_END, await words.hear())
    if isinstance(end, Refused):
        raise RefusedError(end.code)


def _text(role: Role, who: Self, hello: Hello, challenge: Challenge) -> bytes:
    return handshake_text(
        role, who.hub_origin, who.terminal_id, challenge.hub_nonce, hello.agent_nonce, hello.fingerprint
    )


def _read(adapter: TypeAdapter[Answer], text: str) -> Answer:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise WrongHubError("answer") from error
