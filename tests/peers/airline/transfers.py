"""The airline's transfers: a CSV file, whose rows are sent as they are, whatever is in them."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""A JSON number (RFC 8259)."""


class Month(NamedTuple):
    """A file's header and its rows, each as the bytes of its line without the line's end."""

    header: bytes
    rows: list[bytes]


def read_month(path: Path) -> Month:
    """Read a file of transfers."""
    header, *rows = path.read_bytes().split(b"\n")
    if rows and not rows[-1]:
        rows.pop()
    return Month(header, rows)


def batches(month: Month, first: int, size: int) -> Iterator[bytes]:
    """The first rows as JSON bodies of at most `size` transfers, in order."""
    names = month.header.decode("utf-8-sig").strip().split(",")
    for start in range(0, min(first, len(month.rows)), size):
        rows = month.rows[start : min(start + size, first)]
        yield f'{{"transfers":[{",".join(_item(names, row) for row in rows)}]}}'.encode()


def rest_as_file(month: Month, first: int) -> bytes:
    """The rows after the first ones as a CSV file, byte for byte as they are."""
    return b"\n".join([month.header, *month.rows[first:], b""])


def _item(names: list[str], row: bytes) -> str:
    text = row.decode(errors="replace").removesuffix("\r")
    try:
        cells = next(csv.reader([text]), [])
    except csv.Error:
        cells = text.split(",")
    fields = (f"{json.dumps(name)}:{_value(name, cell)}" for name, cell in zip(names, cells, strict=False))
    return "{" + ",".join(fields) + "}"


def _value(name: str, cell: str) -> str:
    """Points that look like a JSON number or `true` are sent as such; all else as a string."""
    if name == "points" and (cell == "true" or NUMBER.fullmatch(cell)):
        return cell
    return json.dumps(cell, ensure_ascii=False)
