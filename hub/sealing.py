"""Message bodies in the store: JSON, or sealed where the message type carries personal data (`PERSONAL`)."""

from typing import Final
from uuid import UUID

from hub.keys import Sealer, place
from schemas.message import Message, OldVersion

PURPOSE: Final = "message"


def body_of(message: Message, message_id: UUID, sealer: Sealer) -> bytes:
    """The body as stored."""
    plain = message.__pydantic_serializer__.to_json(message)
    return sealer.seal(plain, _place(message_id)) if message.PERSONAL else plain


def plain_of(kind: type[Message] | type[OldVersion], body: bytes, message_id: UUID, sealer: Sealer) -> bytes:
    """The JSON of a stored body, whether it fits its type or not (`hub.versions` reads it). Raises SealBrokenError."""
    return sealer.open(body, _place(message_id)) if kind.PERSONAL else body


def _place(message_id: UUID) -> str:
    return place("hub.message", "body", message_id)
