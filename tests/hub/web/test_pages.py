"""Cursors come back as they went out, and others are refused."""

from base64 import urlsafe_b64encode
from datetime import date

import pytest
from pydantic import BaseModel, ConfigDict, Field

from hub.web.pages import Page, decode_cursor, encode_cursor
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode


class Place(BaseModel):
    model_config = ConfigDict(extra="forbid")
    after: str = Field(max_length=64)
    day: date


def test_a_cursor_comes_back_as_it_went_out() -> None:
    place = Place(after="JA-201710-000500?/~あ", day=date(2017, 10, 1))
    cursor = encode_cursor(place)
    assert cursor.isascii()
    assert "=" not in cursor
    assert decode_cursor(cursor, Place) == place


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "=",
        "a",
        "あ",
        "a b",
        "a\n",
        "A" * 513,
        _base64(b"{}"),
        _base64(b"[" * 300),
        _base64(b"\xff\xff"),
        _base64(b'{"after":"a","day":"2017-10-01","more":1}'),
        _base64(b'{"after":"a","after":"b","day":"2017-10-01"}'),
        _base64(b'{"after":"\\u0000","day":"2017-10-01"}'),
        _base64(b'{"after":1,"day":"2017-10-01"}'),
        _base64(b'{"after":"a","day":"2017-13-01"}'),
        encode_cursor(Place(after="a", day=date(2017, 10, 1))) + "\n",
    ],
)
def test_other_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(ProblemError) as caught:
        decode_cursor(cursor, Place)
    assert caught.value.code is ProblemCode.bad_cursor


def test_the_last_page_has_no_next() -> None:
    assert Page[int](items=[1, 2]).model_dump() == {"items": [1, 2], "next": None}
