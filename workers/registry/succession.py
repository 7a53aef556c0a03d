"""Whether a certificate was revoked, and which ones came before it: a port, since only registered verifiers may ask.

Add a provider by a class with `standing_of` and a case in `provider_of`. The default knows nothing, so that a card is
good until its last day, and a reissued one is a card we have not seen before. One that does not answer is no such
default: meanwhile only cards are taken that somebody holds.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from hub.errors import PermanentError
from workers.registry.certificates import CardName

FILE_LIMIT_BYTES: Final = 1 << 20
PREDECESSORS_LIMIT: Final = 10
"""A card lives five years: nobody has more of them."""
ANSWER_TIMEOUT_S: Final = 3.0


class Revocation(StrEnum):
    """What is known of a certificate."""

    good = "good"
    revoked = "revoked"
    unknown = "unknown"


class Standing(NamedTuple):
    """How a certificate stands; `predecessors` are those it was issued in place of, the latest first."""

    revocation: Revocation = Revocation.unknown
    predecessors: tuple[CardName, ...] = ()


class Provider(Protocol):
    """Whoever may ask the certificate authority."""

    async def standing_of(self, name: CardName) -> Standing:
        """How this certificate stands; `unknown` where nobody can say. Raises TransientError where nobody answers."""


class UnknownStanding:
    """Asks nobody."""

    async def standing_of(self, name: CardName) -> Standing:  # noqa: ARG002 - it is the same for all
        """Unknown, always."""
        return Standing()


_NAME: Final = r"^[0-9a-f]{16}/[0-9a-f]{2,40}$"
Name = Annotated[str, StringConstraints(strict=True, pattern=_NAME)]
"""`<generation>/<serial>`, as in CardName."""


class Register(BaseModel):
    """What the simulated provider knows: old name → the name of the certificate issued in its place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    successors: Mapping[Name, Name] = {}
    revoked: frozenset[Name] = frozenset()


class RegisterError(PermanentError):
    """MYKEY_CARD_REGISTER names no register of certificates as workers/registry/succession.py describes it."""


class SimulatedStanding:
    """For the demo, the sandbox and tests: a JSON file, read anew each time, so that a story can go on.

    `{"successors": {"<generation>/<serial>": "<generation>/<serial>"}, "revoked": ["<generation>/<serial>"]}`; whatever
    has a successor is revoked too.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    async def standing_of(self, name: CardName) -> Standing:
        """Good or revoked, never unknown. Raises RegisterError."""
        register = self._read()
        by_successor = {new: old for old, new in register.successors.items()}
        predecessors: list[str] = []
        before = by_successor.get("/".join(name))
        while before is not None and len(predecessors) < PREDECESSORS_LIMIT:
            predecessors.append(before)
            before = by_successor.get(before)
        is_revoked = "/".join(name) in register.revoked or "/".join(name) in register.successors
        names = tuple(CardName(*one.split("/")) for one in predecessors)
        return Standing(Revocation.revoked if is_revoked else Revocation.good, names)

    def _read(self) -> Register:
        try:
            with self._file.open("rb") as opened:
                return Register.model_validate(json.loads(opened.read(FILE_LIMIT_BYTES)))
        except (OSError, ValueError, ValidationError) as error:
            raise RegisterError from error


def provider_of(register: Path | None) -> Provider:
    """The provider of the settings: simulated where there is a file for it."""
    return UnknownStanding() if register is None else SimulatedStanding(register)
