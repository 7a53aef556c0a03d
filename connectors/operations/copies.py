"""Edited bodies: must be messages of their type; what differs is told by the names of fields, never by their values."""

import json
from collections.abc import Mapping
from uuid import UUID

from pydantic import ValidationError

from hub.errors import PermanentError
from hub.keys import SealBrokenError, Sealer
from hub.sealing import plain_of
from hub.versions import current_type, version_named
from hub.web.validation import field_errors
from schemas.message import Message


class UnknownTypeError(PermanentError):
    """The message is of a type that this program does not know, so that no copy of it can be checked."""


class BadBodyError(PermanentError):
    """The edited body does not fit the message's type."""

    def __init__(self, error: ValidationError) -> None:
        self.errors = field_errors(error)
        super().__init__("; ".join(f"{one.pointer}: {one.detail}" for one in self.errors))


def edited(type_name: str, data: Mapping[str, object]) -> Message:
    """The edited body as a message of its type, in the newest version. Raises UnknownTypeError, BadBodyError."""
    message_type = current_type(type_name)
    if message_type is None:
        raise UnknownTypeError(type_name)
    try:
        return message_type.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        raise BadBodyError(error) from None


def changed(type_name: str, body: bytes, message_id: UUID, sealer: Sealer, copy: Message) -> list[str]:
    """The names of the fields that differ from the stored body; all of them where that cannot be read."""
    version = version_named(type_name)
    try:
        before = None if version is None else json.loads(plain_of(version, body, message_id, sealer))
    except (ValueError, SealBrokenError):
        before = None
    after = copy.model_dump(mode="json")
    if not isinstance(before, dict):
        return sorted(after)
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
