"""From pydantic's findings to field errors with JSON pointers, in English and Japanese.

Never repeats the value.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from schemas.problems import FieldError

ERRORS_LIMIT: Final = 50
"""The most field errors in one answer."""
POINTER_CHARS_LIMIT: Final = 200
"""A longer pointer (a caller's key may be of any length) is cut."""


class _Text(NamedTuple):
    code: str
    detail: str
    detail_ja: str


_ANY: Final = _Text("value", "This value is not allowed here.", "この値は指定できません。")

_TEXTS: Final[Mapping[str, _Text]] = {
    "missing": _Text("missing", "This field is required.", "必須項目です。"),
    "extra_forbidden": _Text(
        "unknown_field", "There is no such field; leave it out.", "仕様にない項目です。取り除いてください。"
    ),
    "greater_than": _Text("range", "The value must be greater than {gt}.", "{gt}より大きい値を指定してください。"),
    "greater_than_equal": _Text("range", "The value must be at least {ge}.", "{ge}以上の値を指定してください。"),
    "less_than": _Text("range", "The value must be less than {lt}.", "{lt}より小さい値を指定してください。"),
    "less_than_equal": _Text("range", "The value must be at most {le}.", "{le}以下の値を指定してください。"),
    "string_too_short": _Text(
        "length", "At least {min_length} characters are needed.", "{min_length}文字以上で指定してください。"
    ),
    "string_too_long": _Text(
        "length", "At most {max_length} characters are allowed.", "{max_length}文字以内で指定してください。"
    ),
    "too_short": _Text("length", "At least {min_length} items are needed.", "{min_length}件以上指定してください。"),
    "too_long": _Text("length", "At most {max_length} items are allowed.", "{max_length}件以内で指定してください。"),
    "string_pattern_mismatch": _Text(
        "format", "The text must match {pattern}.", "形式が正しくありません（{pattern}）。"
    ),
    "literal_error": _Text(
        "choice", "The value must be one of: {expected}.", "次のいずれかを指定してください：{expected}"
    ),
    "enum": _Text("choice", "The value must be one of: {expected}.", "次のいずれかを指定してください：{expected}"),
    "int_type": _Text("type", "A whole number is needed, without quotes.", "整数を引用符なしで指定してください。"),
    "int_from_float": _Text("type", "A whole number is needed.", "整数で指定してください。"),
    "int_parsing": _Text("type", "A whole number in ASCII digits is needed.", "半角数字の整数で指定してください。"),
    "int_parsing_size": _Text("range", "The number is too large.", "数値が大きすぎます。"),
    "bool_type": _Text(
        "type", "true or false is needed, without quotes.", "trueかfalseを引用符なしで指定してください。"
    ),
    "string_type": _Text("type", "A text in quotes is needed.", "文字列を引用符で囲んで指定してください。"),
    "string_sub_type": _Text("type", "A text in quotes is needed.", "文字列を引用符で囲んで指定してください。"),
    "list_type": _Text("type", "A list is needed.", "配列で指定してください。"),
    "tuple_type": _Text("type", "A list is needed.", "配列で指定してください。"),
    "dict_type": _Text("type", "An object is needed.", "オブジェクトで指定してください。"),
    "model_type": _Text("type", "An object is needed.", "オブジェクトで指定してください。"),
    "model_attributes_type": _Text("type", "An object is needed.", "オブジェクトで指定してください。"),
    "uuid_type": _Text("format", "A UUID is needed.", "UUIDで指定してください。"),
    "uuid_parsing": _Text("format", "A UUID is needed.", "UUIDで指定してください。"),
    "date_type": _Text("format", "A date such as 2017-10-01 is needed.", "2017-10-01の形式の日付で指定してください。"),
    "date_parsing": _Text(
        "format", "A date such as 2017-10-01 is needed.", "2017-10-01の形式の日付で指定してください。"
    ),
    "date_from_datetime_parsing": _Text(
        "format", "A date such as 2017-10-01 is needed.", "2017-10-01の形式の日付で指定してください。"
    ),
    "datetime_type": _Text("format", "A time in ISO 8601 is needed.", "ISO 8601形式の日時で指定してください。"),
    "datetime_parsing": _Text("format", "A time in ISO 8601 is needed.", "ISO 8601形式の日時で指定してください。"),
    "datetime_from_date_parsing": _Text(
        "format", "A time in ISO 8601 is needed.", "ISO 8601形式の日時で指定してください。"
    ),
    "timezone_aware": _Text(
        "format", "The time needs an offset, such as +09:00.", "日時に時差（+09:00など）を付けてください。"
    ),
    "value_error": _Text("value", "The value is not right: {error}.", "値が正しくありません。"),
}


def pointer_to(*steps: str | int) -> str:
    """The JSON pointer (RFC 6901) of a place: `pointer_to("items", 3)` is `/items/3`."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def field_errors(error: ValidationError, *, query: bool = False) -> list[FieldError]:
    """The findings of pydantic as field errors, at most `ERRORS_LIMIT` of them.

    Constraints are told (lengths, patterns, choices), the value that was sent is not. With `query` they
    are about query parameters.
    """
    found = error.errors(include_url=False, include_input=False)[:ERRORS_LIMIT]
    return [_field_error(item["type"], item["loc"], item.get("ctx") or {}, query=query) for item in found]


def _field_error(kind: str, place: tuple[str | int, ...], context: Mapping[str, Any], *, query: bool) -> FieldError:
    text = _TEXTS.get(kind, _ANY)
    pointer = f"?{place[0]}" if query and place else pointer_to(*place)
    return FieldError(
        pointer=pointer[:POINTER_CHARS_LIMIT],
        code=text.code,
        detail=text.detail.format_map(context),
        detail_ja=text.detail_ja.format_map(context),
    )
