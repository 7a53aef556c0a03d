"""From a file's bytes to items: each physical line by itself."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.partner.canonical import FIELDS
from connectors.partner.items import check
from connectors.partner.lines import BOM, LINE_LIMIT_BYTES, LineSplitter
from connectors.partner.rows import CSV, HEADER, NDJSON, items_of
from hub.web.json_text import JsonTextError, JsonValue, parse
from tests.connectors.partner.town import TIME, transfer

ROW = f"t-1,l-1,1000,reserve,{TIME}".encode()


def csv_item(line: bytes) -> JsonValue:
    """What one line says."""
    (item,) = items_of([line], CSV)
    return item


def split(content: bytes, size: int) -> list[bytes]:
    """The lines of a content that comes in chunks of this size."""
    splitter = LineSplitter()
    lines = [line for start in range(0, len(content), size) for line in splitter.feed(content[start : start + size])]
    return [*lines, *splitter.end()]


def test_the_header_names_the_five_fields() -> None:
    assert HEADER == b"transfer_id,link_id,points,to,occurred_at"


def test_a_row_is_the_item_that_a_batch_would_have() -> None:
    assert csv_item(ROW) == transfer("t-1")
    assert csv_item(b'"t-1","l-1","1000","reserve","%s"' % TIME.encode()) == transfer("t-1")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"t-1",
        ROW + b",",
        b'"' + ROW,
        ROW.replace(b"t-1", b'"t-1'),
        ROW.replace(b"t-1", b'"t-1"x'),
        ROW.replace(b"t-1", b"t\0"),
        ROW.replace(b"t-1", b"t\r1"),
        ROW.replace(b"t-1", b"\xff"),
        ROW.replace(b",", b";"),
        ROW + b" " * LINE_LIMIT_BYTES,
    ],
)
def test_a_line_that_cannot_be_read_is_its_own_row_s_fault(line: bytes) -> None:
    assert items_of([ROW, line, ROW], CSV) == [transfer("t-1"), None, transfer("t-1")]


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"x", b"{}{}", b'{"points":1,"points":2}', b'{"points":NaN}', b'{"a":"\\u0000"}', b"\xff", b"[" * 99],
)
def test_a_line_that_is_no_json_is_its_own_row_s_fault(line: bytes) -> None:
    row = json.dumps(transfer("t-1")).encode()
    assert items_of([row, line, row], NDJSON) == [transfer("t-1"), None, transfer("t-1")]


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=9), st.integers(1, 50))
def test_lines_do_not_depend_on_the_chunks(lines: list[bytes], size: int) -> None:
    content = b"".join(line + b"\n" for line in lines)
    expected = [line.removeprefix(BOM) if n == 0 else line for n, line in enumerate(lines)]
    assert split(content, size) == [line.removesuffix(b"\r") for line in expected]
    assert split(content, size) == split(content, len(content) + 1)


def test_the_last_line_needs_no_end_and_a_bom_goes() -> None:
    assert split(BOM + b"a\r\nb", 2) == [b"a", b"b"]
    assert split(b"a\n\nb\n", 2) == [b"a", b"", b"b"]


def test_an_endless_line_is_held_only_so_far() -> None:
    splitter = LineSplitter()
    for _ in range(100):
        assert splitter.feed(b"x" * 100_000) == []
        assert len(splitter._rest) <= LINE_LIMIT_BYTES + 2
    (line,) = splitter.feed(b"\n")
    assert len(line) == LINE_LIMIT_BYTES + 1
    assert splitter.feed(b"a\n") == [b"a"]


plain = st.text(st.characters(exclude_characters='\n\r\0"', exclude_categories=["Cs", "Cc"]), max_size=12)
texts = plain | st.sampled_from(["t-1", "reserve", TIME, "1000", "1e3", "-500", "true", "null", "１０００", "0", "1.5"])


@given(st.lists(texts, min_size=5, max_size=5))
def test_a_csv_row_and_a_json_item_of_equal_content_have_equal_hashes(cells: list[str]) -> None:
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    (row,) = items_of([quoted.encode()], CSV)
    (bare,) = items_of([",".join(cells).encode()], CSV)
    item = parse(as_json(cells))
    assert check([row]) == check([item])
    if not any("," in cell for cell in cells):
        assert bare == row


def as_json(cells: list[str]) -> bytes:
    """A partner's JSON for the same transfer: points as the number they look like."""
    values = [json.dumps(cell) for cell in cells]
    if cells[2] == "true" or is_number(cells[2]):
        values[2] = cells[2]
    return ("{" + ",".join(f'"{name}":{value}' for name, value in zip(FIELDS, values, strict=True)) + "}").encode()


def is_number(text: str) -> bool:
    """Whether it is a JSON number."""
    try:
        value = parse(text.encode())
    except JsonTextError:
        return False
    return text.strip() == text and not isinstance(value, bool | str | list | dict | None)


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=20))
def test_each_line_of_a_file_ends_exactly_once(lines: list[bytes]) -> None:
    for media_type in (CSV, NDJSON):
        assert len(check(items_of(lines, media_type))) == len(lines)
