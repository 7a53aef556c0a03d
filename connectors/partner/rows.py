"""From a file's lines to items, as a batch has them. A line that cannot be read is None, and hurts no other.

CSV is read line by line, so that a quote that is not closed is its own row's fault and swallows nobody;
a line feed within quotes is therefore not allowed. No value of a transfer needs one.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from connectors.partner.canonical import FIELDS, cell_value
from connectors.partner.lines import LINE_LIMIT_BYTES
from hub.web.json_text import JsonTextError, JsonValue, parse

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
HEADER: Final = ",".join(FIELDS).encode()
"""The first line of every CSV file."""

HEADER_LINES: Final[Mapping[str, int]] = {CSV: 1, NDJSON: 0}
"""How many lines of a file are no rows, by media type."""


def items_of(lines: Sequence[bytes], media_type: str) -> list[JsonValue]:
    """One item a line, in order; None for a line that cannot be read."""
    read = _READERS[media_type]
    return [read(line) if len(line) <= LINE_LIMIT_BYTES else None for line in lines]


def _csv_item(line: bytes) -> JsonValue:
    cells = _cells(line)
    if cells is None or len(cells) != len(FIELDS):
        return None
    transfer_id, link_id, points, to, occurred_at = cells
    return {
        "transfer_id": transfer_id,
        "link_id": link_id,
        "points": cell_value(points),
        "to": to,
        "occurred_at": occurred_at,
    }


def _cells(line: bytes) -> list[str] | None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text or "\r" in text:
        return None
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error:
        return None


def _ndjson_item(line: bytes) -> JsonValue:
    try:
        return parse(line)
    except JsonTextError:
        return None


_READERS: Final[Mapping[str, Callable[[bytes], JsonValue]]] = {CSV: _csv_item, NDJSON: _ndjson_item}
