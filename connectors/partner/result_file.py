"""A file's results as CSV for people and programs: with a BOM, and safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Sequence
from typing import Final

from connectors.partner.lines import BOM
from connectors.partner.store import ResultRow
from hub.spreadsheets import safe_cell
from schemas.points import PostingStatus
from schemas.problems import REFUSALS, RefusalCode

BLOCK_ROWS: Final = 5_000
"""How many rows are read and sent at once."""
COLUMNS: Final = ("line", "transfer_id", "status", "code", "points", "posted_on", "replayed", "detail", "detail_ja")
HEAD: Final = BOM + ",".join(COLUMNS).encode() + b"\r\n"


def csv_lines(rows: Sequence[ResultRow]) -> bytes:
    """The rows as CSV lines."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows(_cells(row) for row in rows)
    return text.getvalue().encode()


def _cells(row: ResultRow) -> tuple[str | int, ...]:
    status = PostingStatus.posted if row.code is None else PostingStatus.refused
    detail, detail_ja = ("", "") if row.code is None else REFUSALS[RefusalCode(row.code)]
    return (
        row.line,
        safe_cell(row.transfer_id or ""),
        status.value,
        row.code or "",
        row.points,
        row.posted_on.isoformat() if row.posted_on else "",
        "true" if row.replayed else "false",
        detail,
        detail_ja,
    )
