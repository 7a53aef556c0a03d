"""One JSON value out of bytes, strictly (RFC 8259, I-JSON's unique keys).

Nothing is guessed, nothing is lost.

Numbers with a fraction or an exponent, and integers of more than `INTEGER_CHARS_LIMIT` characters, become
`RawNumber`: a field that wants points refuses them by type, and their neighbours in a batch are unhurt.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final, TypeAlias

from hub.web.validation import POINTER_CHARS_LIMIT, pointer_to

DEPTH_LIMIT: Final = 32
INTEGER_CHARS_LIMIT: Final = 19
NUMBER_CHARS_LIMIT: Final = 1_000

_SUSPECT_ESCAPE: Final = re.compile(rb"\\(?:u(?:[dD][89a-fA-F]|00[01])|[bf])")
"""Escapes that may stand for half a surrogate pair or a control character: only then is more looked at."""
_GOOD_ESCAPE: Final = re.compile(
    rb'\\(?:["\\/nrt]|u(?:[dD][89abAB]..\\u[dD][c-fC-F]..|000[9aAdD]|(?!00[01]|[dD][89a-fA-F])....))'
)
"""Whole pairs, tabs, line ends and all that is above: a backslash left without them is a fault."""
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class RawNumber:
    """A number that is not a small integer, as it was written.

    Not a `str`: else a text field would take `1.5`.
    """

    text: str

    def __str__(self) -> str:
        """The number as it was written."""
        return self.text


JsonValue: TypeAlias = "str | int | bool | RawNumber | list[JsonValue] | dict[str, JsonValue] | None"


class JsonFault(StrEnum):
    """What is wrong with a JSON text."""

    empty = "empty"
    encoding = "encoding"
    syntax = "syntax"
    depth = "depth"
    duplicate_key = "duplicate_key"
    not_a_number = "not_a_number"
    long_number = "long_number"
    character = "character"


_SENTENCES: Final[dict[JsonFault, tuple[str, str]]] = {
    JsonFault.empty: ("The body is empty.", "本文が空です。"),
    JsonFault.encoding: ("The body is not UTF-8 (byte {at}).", "本文がUTF-8ではありません（{at}バイト目）。"),
    JsonFault.syntax: ("The JSON is broken at {at}.", "JSONの構文が正しくありません（{at}）。"),
    JsonFault.depth: (
        f"Lists and objects are nested more than {DEPTH_LIMIT} deep.",
        f"配列やオブジェクトの入れ子が{DEPTH_LIMIT}段を超えています。",
    ),
    JsonFault.duplicate_key: ("A key stands twice in one object.", "同じキーが重複しています。"),
    JsonFault.not_a_number: ("NaN and Infinity are not JSON.", "NaNとInfinityは使えません。"),
    JsonFault.long_number: (
        f"A number has more than {NUMBER_CHARS_LIMIT} characters.",
        f"数値が{NUMBER_CHARS_LIMIT}文字を超えています。",
    ),
    JsonFault.character: (
        "A text has a control character or half of a surrogate pair.",
        "文字列に制御文字または不完全なサロゲートが含まれています。",
    ),
}


class JsonTextError(ValueError):
    """The bytes are not one acceptable JSON value; `pointer` says where, if it is known."""

    def __init__(self, code: JsonFault, pointer: str = "", at: str = "") -> None:
        detail, detail_ja = _SENTENCES[code]
        self.code = code
        self.pointer = _FORBIDDEN.sub("?", pointer)[:POINTER_CHARS_LIMIT]
        self.detail = detail.format(at=at)
        self.detail_ja = detail_ja.format(at=at)
        super().__init__(self.detail)


@dataclass(frozen=True, slots=True)
class _Fault:
    """Put in a value's place while parsing, so that the whole path to it can be told afterwards."""

    code: JsonFault
    key: str | None = None


def parse(raw: bytes) -> JsonValue:
    """Raises JsonTextError. At 500 transfers (60 KB) about 1 ms."""
    value: JsonValue = _decode(raw)
    _check_containers(value)
    if _SUSPECT_ESCAPE.search(raw) and b"\\" in _GOOD_ESCAPE.sub(b"", raw):
        _raise_at(value, _is_forbidden_text)
    return value


def canonical(value: JsonValue) -> bytes:
    """The same bytes for the same value, whatever its spacing and key order.

    What a request's hash is made of.

    `1.5` and `"1.5"` differ: a raw number is told by U+0000, which no text that was read can have.
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_marked)
    return text.encode()


def _marked(value: object) -> list[str]:
    if not isinstance(value, RawNumber):
        raise TypeError(type(value).__name__)
    return ["\x00number", value.text]


def _decode(raw: bytes) -> Any:  # noqa: ANN401 - JSON with faults in it, until they are looked for
    if not raw:
        raise JsonTextError(JsonFault.empty)
    try:
        return _DECODER.decode(raw.decode())
    except UnicodeDecodeError as error:
        raise JsonTextError(JsonFault.encoding, at=str(error.start + 1)) from error
    except json.JSONDecodeError as error:
        raise JsonTextError(JsonFault.syntax, at=f"{error.lineno}:{error.colno}") from error
    except RecursionError as error:
        raise JsonTextError(JsonFault.depth) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Fault:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [key for key, _ in pairs]
    return _Fault(JsonFault.duplicate_key, _first_doubled(names))


def _first_doubled(names: list[str]) -> str:
    """Found by sorting: an attacker's object may have thousands of keys."""
    ordered = sorted(names)
    return next(one for one, other in pairwise(ordered) if one == other)


def _integer(text: str) -> int | RawNumber | _Fault:
    return int(text) if len(text) <= INTEGER_CHARS_LIMIT else _number(text)


def _number(text: str) -> RawNumber | _Fault:
    return RawNumber(text) if len(text) <= NUMBER_CHARS_LIMIT else _Fault(JsonFault.long_number)


def _constant(_text: str) -> _Fault:
    return _Fault(JsonFault.not_a_number)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
)


def _check_containers(value: Any) -> None:  # noqa: ANN401 - JSON with faults in it
    """Level by level, so that the depth is known without recursion; texts and integers are passed over."""
    level: list[Any] = [[value]]
    for _ in range(DEPTH_LIMIT + 1):
        below: list[Any] = []
        for container in level:
            for child in container.values() if type(container) is dict else container:
                kind = type(child)
                if kind is str or kind is int:
                    continue
                if kind is dict or kind is list:
                    below.append(child)
                elif kind is _Fault:
                    _raise_at(value, lambda found: isinstance(found, _Fault))
        if not below:
            return
        level = below
    raise JsonTextError(JsonFault.depth)


def _is_forbidden_text(found: object) -> bool:
    return isinstance(found, str) and _FORBIDDEN.search(found) is not None


def _raise_at(value: Any, is_fault: Callable[[object], bool]) -> None:  # noqa: ANN401 - JSON with faults in it
    for pointer, found in _walk(value):
        if is_fault(found):
            if isinstance(found, _Fault):
                raise JsonTextError(found.code, pointer + (pointer_to(found.key) if found.key is not None else ""))
            raise JsonTextError(JsonFault.character, pointer)


def _walk(value: Any) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - JSON with faults in it
    """Every key and value with its pointer, in order.

    Only for what is already known to be at fault or suspect.
    """
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        pointer, found = waiting.pop()
        yield pointer, found
        if isinstance(found, dict):
            yield from ((pointer + pointer_to(key), key) for key in found)
            waiting.extend((pointer + pointer_to(key), child) for key, child in reversed(found.items()))
        elif isinstance(found, list):
            waiting.extend((f"{pointer}/{place}", child) for place, child in reversed(list(enumerate(found))))
