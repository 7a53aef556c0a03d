"""Message bodies in the store: JSON, or sealed where the message type carries personal data (`PERSONAL`)."""

from typing import Final
from uuid import UUID

from hub.keys import Sealer, place
from schemas.message import Message

PURPOSE: Final = "message"


def body_of(message: Message, message_id: UUID, sealer: Sealer) -> bytes:
    """The body as stored."""
    plain = message.__pydantic_serializer__.to_json(message)
    return sealer.seal(plain, _place(message_id)) if message.PERSONAL else plain


def message_from(message_type: type[Message], body: bytes, message_id: UUID, sealer: Sealer) -> Message:
    """The message of a stored body. Raises pydantic.ValidationError or SealBrokenError when it does not fit."""
    plain = sealer.open(body, _place(message_id)) if message_type.PERSONAL else body
    return message_type.model_validate_json(plain)


def _place(message_id: UUID) -> str:
    return place("hub.message", "body", message_id)
