"""Reading what was said in another version: an older one is made newer, a newer one is parked until the upgrade."""

import re
from functools import cache
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from hub.errors import PermanentError
from hub.keys import SealBrokenError, Sealer
from hub.sealing import plain_of
from schemas.catalog import CATALOG, OLD_VERSIONS
from schemas.message import Message, OldVersion

REMEDY: Final = "upgrade the program, then redrive"

_VERSION: Final = re.compile(r"(.*)\.v([0-9]{1,9})")
_UNKNOWN_FIELD: Final = "extra_forbidden"


class UnreadableMessageError(PermanentError):
    """The stored body does not fit its type, or nobody knows the type: mend the sender, then redrive."""


class NewerMessageError(UnreadableMessageError):
    """The message is of a later release than this program: upgrade the program, then redrive what is parked."""


def current_type(name: str | None) -> type[Message] | None:
    """The message type that a stored type is handled as; None where nobody knows it."""
    if name is None:
        return None
    old = OLD_VERSIONS.get(name)
    return CATALOG.get(name) if old is None else old.newest_type()


def version_named(name: str) -> type[Message] | type[OldVersion] | None:
    """The very version that a message was said in; None where nobody knows it."""
    return CATALOG.get(name) or OLD_VERSIONS.get(name)


def is_personal(name: str) -> bool:
    """Whether a stored body of this type is sealed; what nobody knows may be."""
    found = version_named(name)
    return found is None or found.PERSONAL


def read(name: str, plain: bytes | str) -> Message:
    """The message in its newest version, of its JSON in any that is read. Raises UnreadableMessageError."""
    return _read(name, _kind(name), plain)


def read_all(name: str, plain: bytes) -> list[Message]:
    """The same of a list of one type. Raises UnreadableMessageError."""
    adapter = _list_of(_kind(name))
    try:
        return list(map(_newest, adapter.validate_json(plain)))
    except ValidationError as error:
        raise _unfit(name, error) from error


def read_stored(name: str | None, body: bytes, message_id: UUID, sealer: Sealer) -> Message:
    """The message of a stored body; the name is None where its row is gone. Raises UnreadableMessageError."""
    if name is None:
        raise UnreadableMessageError("the message is not in the store")
    kind = _kind(name)
    try:
        plain = plain_of(kind, body, message_id, sealer)
    except SealBrokenError as error:
        raise UnreadableMessageError(name) from error
    return _read(name, kind, plain)


def _read(name: str, kind: type[Message] | type[OldVersion], plain: bytes | str) -> Message:
    try:
        said = kind.__pydantic_validator__.validate_json(plain)
    except ValidationError as error:
        raise _unfit(name, error) from error
    # What class a pydantic object is of takes as long to ask as reading a field or two.
    return said if name in CATALOG else _newest(said)


def _unfit(name: str, error: ValidationError) -> UnreadableMessageError:
    if all(one["type"] == _UNKNOWN_FIELD for one in error.errors(include_url=False, include_input=False)):
        return NewerMessageError(f"{name} has fields that this program does not know: {REMEDY}")
    return UnreadableMessageError(name)


def _newest(said: Message | OldVersion) -> Message:
    while isinstance(said, OldVersion):
        said = said.newer()
    return said


@cache
def _list_of(kind: type[Message] | type[OldVersion]) -> TypeAdapter[list[Message | OldVersion]]:
    listed: Any = list.__class_getitem__(kind)
    return TypeAdapter(listed)


def _kind(name: str) -> type[Message] | type[OldVersion]:
    kind = version_named(name)
    if kind is not None:
        return kind
    found = _VERSION.fullmatch(name)
    known = [] if found is None else _known(found[1])
    if found is None or not known:
        raise UnreadableMessageError(f"this program knows no {name!r}: if a later one does, {REMEDY}")
    if int(found[2]) > known[-1]:
        raise NewerMessageError(f"{name} is newer than v{known[-1]}, which this program knows: {REMEDY}")
    raise UnreadableMessageError(f"{name} is read no longer: redrive it with the last release that reads it")


def _known(stem: str) -> list[int]:
    """The versions of a message type that this program reads, in order."""
    found = (_VERSION.fullmatch(name) for name in (*CATALOG, *OLD_VERSIONS))
    return sorted(int(one[2]) for one in found if one is not None and one[1] == stem)
