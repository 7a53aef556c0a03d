"""What the agent and its card process say to each other over a pipe: frames of JSON, and what was typed beside it.

A frame is two lengths (4 bytes for the JSON, 1 byte for what was typed), then both. What was typed is no JSON, so that
the card process has it in one place, and wipes it there.
"""

import struct
from typing import Annotated, BinaryIO, Final, Literal, TypeAlias
from uuid import UUID

from pydantic import ConfigDict, Field, TypeAdapter

from schemas.message import Said
from schemas.uplink import CardEvent, Certificate, Outcome, ReaderState, Signature

FRAME_LIMIT_BYTES: Final = 64 * 1024
TYPED_LIMIT_BYTES: Final = 16
TEXT_LIMIT_BYTES: Final = 1024
HEAD: Final = struct.Struct(">IB")


Step: TypeAlias = Literal["open", "sign", "signature_tries", "signature_serial", "idm", "release"]


class FrameError(Exception):
    """The other end of the pipe does not speak as this one does."""


class Ask(Said):
    """What the agent asks of the card process; one at a time is done, in their order."""

    model_config = ConfigDict(hide_input_in_errors=True)

    id: Annotated[int, Field(strict=True, ge=1)]
    do: Step
    insertion: UUID | None = None
    """`open`: the card that is held and shall be so still; `idm`: which card."""
    text: Annotated[bytes, Field(max_length=TEXT_LIMIT_BYTES)] = b""
    """`sign`: what the card signs. With the PIN typed beside it, or without another where it was typed before."""


class Answer(Said):
    """What came of an Ask."""

    kind: Literal["answer"] = "answer"
    id: Annotated[int, Field(strict=True, ge=1)]
    outcome: Outcome
    insertion: UUID | None = None
    certificate: Certificate | None = None
    signature: Signature | None = None
    tries_left: Annotated[int, Field(ge=0, le=15)] | None = None
    signature_serial: str | None = None
    idm: str | None = None


FromProcess: TypeAlias = Annotated[Answer | CardEvent | ReaderState, Field(discriminator="kind")]
_FROM_PROCESS: Final[TypeAdapter[Answer | CardEvent | ReaderState]] = TypeAdapter(
    FromProcess, config=ConfigDict(hide_input_in_errors=True)
)


def frame(said: Said, typed: bytes = b"") -> bytes:
    """A whole frame."""
    body = said.model_dump_json(exclude_none=True).encode()
    return HEAD.pack(len(body), len(typed)) + body + typed


def lengths(head: bytes) -> tuple[int, int]:
    """How long the JSON is, and what was typed. Raises FrameError."""
    body, typed = HEAD.unpack(head)
    if body > FRAME_LIMIT_BYTES or typed > TYPED_LIMIT_BYTES:
        raise FrameError("a frame is too long")
    return body, typed


def read_ask(pipe: BinaryIO) -> tuple[Ask, bytearray] | None:
    """The next Ask and what was typed beside it, None at the pipe's end. Raises FrameError, ValueError."""
    head = pipe.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    body_length, typed_length = lengths(head)
    body, typed = pipe.read(body_length), bytearray(typed_length)
    for place in range(typed_length):
        typed[place : place + 1] = pipe.read(1)
    if len(body) < body_length or len(typed) < typed_length:
        return None
    return Ask.model_validate_json(body), typed


def read_said(body: bytes) -> Answer | CardEvent | ReaderState:
    """What the card process said. Raises ValueError."""
    return _FROM_PROCESS.validate_json(body)
