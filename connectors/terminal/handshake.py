"""The handshake: the hub proves itself to the agent that pinned its key, and the agent to the hub (RFC 8032)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ValidationError

from hub.bus import Bus
from hub.keys import Signer
from hub.web.sockets import Socket
from schemas.problems import RefusalCode
from schemas.terminals import AgentKeyOf, FoundAgentKey, SuspendTerminal
from schemas.uplink import NONCE_BYTES, Challenge, Hello, Proof, Refused, Role, handshake_text

DEADLINE_S: Final = 5.0
CHANGED_JA: Final = "端末識別情報が登録時と異なります"

log: Final = structlog.get_logger()
Model = TypeVar("Model", bound=BaseModel)


class NotLetInError(Exception):
    """Who was there is not the terminal it says; it has been told so where it knows how to listen."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Who is there, and the key that it has proven itself by."""

    terminal_id: str
    public_key: bytes


class Handshake:
    """What the hub needs for it: its key, and who to ask about agents."""

    def __init__(self, bus: Bus, signer: Signer, hub_origin: str) -> None:
        self._bus = bus
        self._signer = signer
        self._origin = hub_origin

    async def __call__(self, socket: Socket) -> Proven:
        """The terminal that is there, proven; the caller limits how long it may take.

        An unknown terminal, one without a key and a wrong key are all told the same. That a terminal is suspended is
        told to itself alone.

        Raises NotLetInError, SocketClosedError; TransientError where the registry does not answer.
        """
        hello = _read(Hello, await socket.receive())
        found = await self._bus.call(AgentKeyOf(terminal_id=hello.terminal_id), DEADLINE_S)
        hub_nonce = secrets.token_bytes(NONCE_BYTES)
        text = self._texts(hello, hub_nonce)
        await socket.send(Challenge(hub_nonce=hub_nonce, signature=self._signer.sign(text(Role.hub))).model_dump_json())
        proof = _read(Proof, await socket.receive())
        code = await self._refusal(hello, found, proof.signature, text(Role.agent))
        if code is not None or found.public_key is None:
            await _refuse(socket, hello.terminal_id, code or RefusalCode.terminal_unproven)
        return Proven(hello.terminal_id, found.public_key)

    async def ask_again(self, proven: Proven, socket: Socket) -> None:
        """Once the terminal is recorded as connected: what it has proven must hold still.

        The handshake asks before the proof comes. A suspension in between finds nothing recorded that it could end;
        one that comes after this does. Raises NotLetInError, SocketClosedError; TransientError as the handshake does.
        """
        found = await self._bus.call(AgentKeyOf(terminal_id=proven.terminal_id), DEADLINE_S)
        if found.suspended:
            await _refuse(socket, proven.terminal_id, RefusalCode.terminal_suspended)
        if found.public_key != proven.public_key:
            await _refuse(socket, proven.terminal_id, RefusalCode.terminal_unproven)

    def _texts(self, hello: Hello, hub_nonce: bytes) -> Callable[[Role], bytes]:
        def text(role: Role) -> bytes:
            return handshake_text(
                role, self._origin, hello.terminal_id, hub_nonce, hello.agent_nonce, hello.fingerprint
            )

        return text

    async def _refusal(self, hello: Hello, found: FoundAgentKey, signature: bytes, text: bytes) -> RefusalCode | None:
        if found.public_key is None or not _is_signed(found.public_key, signature, text):
            return RefusalCode.terminal_unproven
        if not found.suspended and found.fingerprint != hello.fingerprint:
            # What was enrolled is named; names of the agent's own would be words of whoever has taken its key along.
            changed = [name for name, digest in found.value_digests.items() if hello.value_digests.get(name) != digest]
            suspend = SuspendTerminal(terminal_id=hello.terminal_id, reason=CHANGED_JA, changed=changed)
            await self._bus.call(suspend, DEADLINE_S)
            return RefusalCode.terminal_suspended
        return RefusalCode.terminal_suspended if found.suspended else None


async def _refuse(socket: Socket, terminal_id: str, code: RefusalCode) -> NoReturn:
    log.warning("terminal_not_let_in", terminal_id=terminal_id, code=code.value)
    await socket.send(Refused(code=code.value).model_dump_json())
    raise NotLetInError(code.value)


def _read(model: type[Model], text: str) -> Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise NotLetInError(model.__name__) from error


def _is_signed(public_key: bytes, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
    except InvalidSignature:
        return False
    return True
