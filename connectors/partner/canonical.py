"""The text of one transfer that its hash is taken over: a CSV row and a JSON item of equal content share it.

The five fields in order, joined by line feeds, then any unknown fields by name as `name=value`. Values
that are no strings are written as in the JSON text (`1000`, `true`, `1.5`, `1e3`). So that no two
different transfers share a text, a string that begins with a quote or has anything unprintable in it is
written as a JSON string, and so are `points` in quotes that look like a number or `true`: `"1000"` is
refused where `1000` is posted, and must not be taken for it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final

from hub.web.json_text import INTEGER_CHARS_LIMIT, JsonValue, RawNumber

FIELDS: Final = ("transfer_id", "link_id", "points", "to", "occurred_at")
"""The fields of a transfer, in the order of a file's columns."""

HASH_BYTES: Final = 16

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<rest>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")


def cell_value(cell: str) -> JsonValue:
    """What a CSV cell would be in JSON: a number literal a number, `true` true, all else a string."""
    if cell == "true":
        return True
    number = _NUMBER.fullmatch(cell)
    if number is None:
        return cell
    return RawNumber(cell) if number["rest"] or len(cell) > INTEGER_CHARS_LIMIT else int(cell)


def request_hash(text: str) -> bytes:
    """The 16 bytes by which the ledger tells the same request from another one under the same id."""
    return hashlib.sha256(text.encode()).digest()[:HASH_BYTES]


def text_of(item: Mapping[str, JsonValue]) -> str:
    """The canonical text of an item that may be faulty. Fields that are missing are written as empty ones."""
    known = [_points_text(item.get(name, "")) if name == "points" else _text(item.get(name, "")) for name in FIELDS]
    unknown = [f"{_text(name)}={_text(item[name])}" for name in sorted(item.keys() - set(FIELDS))]
    return "\n".join([*known, *unknown])


def _points_text(value: JsonValue) -> str:
    if isinstance(value, str) and cell_value(value) != value:
        return json.dumps(value)
    return _text(value)


def _text(value: JsonValue) -> str:
    if isinstance(value, RawNumber):
        return value.text
    if isinstance(value, str) and value.isprintable() and not value.startswith('"'):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
