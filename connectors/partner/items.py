"""What is right and what is wrong with one transfer as a partner wrote it.

A whole batch is validated by one call of pydantic; only the items it finds fault with are looked at one by
one, by the same types, to say exactly what is wrong.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, with_config

from connectors.partner.canonical import FIELDS, request_hash, text_of
from hub.web.json_text import JsonValue
from schemas.problems import RefusalCode
from schemas.values import CommandId, LinkId, Points, Pool, has_valid_check_digit

ECHO_LIMIT_CHARS: Final = 64
"""How much of what is no transfer id is given back, so that the partner finds its row."""

SCHEME: Final = "scheme:"
_SCHEME_CODE: Final = re.compile(r"scheme:[0-9]{6}")


def _real_instant(text: str) -> str:
    datetime.fromisoformat(text.upper())
    return text


OccurredAt = Annotated[
    str,
    StringConstraints(
        strict=True,
        max_length=40,
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    ),
    AfterValidator(_real_instant),
]
"""RFC 3339 with an offset; the date and the time exist."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an item: the field (empty for the item as a whole) and the code."""

    field: str
    code: RefusalCode


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Good:
    """An item with no fault in itself, once the check digit of `pool` is right too; anybody may be behind the link."""

    transfer_id: CommandId
    link_id: LinkId
    points: Points
    pool: Annotated[Pool, Field(alias="to")]
    occurred_at: OccurredAt

    @property
    def request_hash(self) -> bytes:
        """16 bytes."""
        # The same text as canonical.text_of gives, without its detours: all five are plain here.
        return request_hash(f"{self.transfer_id}\n{self.link_id}\n{self.points}\n{self.pool}\n{self.occurred_at}")


@dataclass(frozen=True, slots=True)
class Faulty:
    """An item that is refused at the door.

    `transfer_id` is None where it has no valid one: then its refusal cannot be kept, and `shown_id` is what
    stood there, if it can be shown.
    """

    transfer_id: str | None
    shown_id: str | None
    faults: Sequence[Fault]
    request_hash: bytes


Checked = Good | Faulty

UNREADABLE: Final = Faulty(None, None, (Fault("", RefusalCode.bad_row),), b"")
"""What is not even an object, or a row of a file that cannot be read as one."""


_BATCH: Final = TypeAdapter(list[Good])
_FIELDS: Final[Mapping[str, tuple[TypeAdapter[object], RefusalCode]]] = {
    "transfer_id": (TypeAdapter(CommandId), RefusalCode.bad_id),
    "link_id": (TypeAdapter(LinkId), RefusalCode.bad_link),
    "points": (TypeAdapter(Points), RefusalCode.bad_points),
    "to": (TypeAdapter(Pool), RefusalCode.bad_to),
    "occurred_at": (TypeAdapter(OccurredAt), RefusalCode.bad_time),
}


def check(items: Sequence[JsonValue]) -> list[Checked]:
    """Each item's own verdict, in order; no item's faults touch another's."""
    try:
        suspects, right = frozenset[int](), _BATCH.validate_python(items)
    except ValidationError as error:
        suspects = _places(error)
        right = _BATCH.validate_python([item for place, item in enumerate(items) if place not in suspects])
    reachable = {pool for pool in {item.pool for item in right} if _has_right_code(pool)}
    rest = iter(right)
    return [
        _faulty(written) if place in suspects or (item := next(rest)).pool not in reachable else item
        for place, written in enumerate(items)
    ]


def _places(error: ValidationError) -> frozenset[int]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return frozenset(int(one["loc"][0]) for one in found)


def _has_right_code(pool: str) -> bool:
    return not pool.startswith(SCHEME) or has_valid_check_digit(pool.removeprefix(SCHEME))


def _faulty(item: JsonValue) -> Faulty:
    if not isinstance(item, dict):
        return UNREADABLE
    faults = list(_faults(item))
    wrong = {fault.field for fault in faults}
    shown = item.get("transfer_id")
    return Faulty(
        transfer_id=shown if isinstance(shown, str) and "transfer_id" not in wrong else None,
        shown_id=shown[:ECHO_LIMIT_CHARS] if isinstance(shown, str) and shown.isprintable() else None,
        faults=faults,
        request_hash=request_hash(text_of(item)),
    )


def _faults(item: Mapping[str, JsonValue]) -> Iterator[Fault]:
    """Everything that is wrong, in the order in which the first one becomes the item's code."""
    yield from _fault(item, "transfer_id")
    yield from (Fault(name, RefusalCode.unknown_field) for name in sorted(item.keys() - set(FIELDS)))
    yield from _fault(item, "link_id")
    yield from _fault(item, "points")
    pool = item.get("to")
    if isinstance(pool, str) and _SCHEME_CODE.fullmatch(pool) and not _has_right_code(pool):
        yield Fault("to", RefusalCode.bad_code)
    else:
        yield from _fault(item, "to")
    yield from _fault(item, "occurred_at")


def _fault(item: Mapping[str, JsonValue], name: str) -> Iterator[Fault]:
    adapter, code = _FIELDS[name]
    try:
        adapter.validate_python(item.get(name))
    except ValidationError:
        yield Fault(name, code)
