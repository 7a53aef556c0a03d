"""What people type, taken as it is meant: full and half width, lower case, spaces, hyphens, 西暦 and 和暦.

Each type is used in a form's field (`connectors.portal.ground.forms`). What cannot be meant raises PydanticCustomError,
whose message says how to mend it; `{label}` in it is the field's own.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final

from pydantic import BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.values import MAX_POINTS, MailAddress, MyKeyId, Name

POINTS_CHARS_LIMIT: Final = 40
PASSWORD_CHARS_LIMIT: Final = 1_024

_BETWEEN: Final = re.compile(r"[\s\u2010-\u2015\u2212\u30fc\uff0d-]+")
_POINTS: Final = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:ポイント|pt|p)?", re.IGNORECASE)
_WESTERN: Final = re.compile(r"([0-9]{4})(?:[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?|([0-9]{2})([0-9]{2}))")
_JAPANESE: Final = re.compile(
    r"(明治|大正|昭和|平成|令和|[MTSHR])(元|[0-9]{1,2})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?", re.IGNORECASE
)
_ERAS: Final[Mapping[str, tuple[date, date]]] = {
    "明治": (date(1868, 10, 23), date(1912, 7, 29)),
    "大正": (date(1912, 7, 30), date(1926, 12, 24)),
    "昭和": (date(1926, 12, 25), date(1989, 1, 7)),
    "平成": (date(1989, 1, 8), date(2019, 4, 30)),
    "令和": (date(2019, 5, 1), date.max),
}
"""First and last day of each era; before 明治6年 the calendar was another one, so such a day may be a month off."""
_LETTERS: Final[Mapping[str, str]] = {"M": "明治", "T": "大正", "S": "昭和", "H": "平成", "R": "令和"}


def narrow(text: str) -> str:
    """Half width (Unicode NFKC), without what surrounds it."""
    return unicodedata.normalize("NFKC", text).strip()


def without_gaps(text: str) -> str:
    """Half width, without spaces and hyphens of whatever kind."""
    return _BETWEEN.sub("", narrow(text))


def points_of(typed: object) -> int:
    """`１，０００ポイント` → 1000. Raises PydanticCustomError."""
    text = re.sub(r"\s", "", narrow(_text(typed))).replace("、", ",")
    found = _POINTS.fullmatch(text) if len(text) <= POINTS_CHARS_LIMIT else None
    if found is None:
        raise PydanticCustomError("points", "{label}は1以上の整数で入力してください（例：500）。")
    points = int(found[1].replace(",", ""))
    if points == 0:
        raise PydanticCustomError("points_zero", "{label}は1以上で入力してください。")
    if points > MAX_POINTS:
        raise PydanticCustomError("points_many", "{label}は999,999,999以下で入力してください。")
    return points


def mykey_id_of(typed: object) -> str:
    """`ａｂ12-34cd` → `AB1234CD`. Raises PydanticCustomError."""
    text = without_gaps(_text(typed)).upper()
    if re.fullmatch(r"[0-9A-Z]{8}", text) is None:
        raise PydanticCustomError("mykey_id", "{label}は8桁の英数字で入力してください（例：AB12CD34）。")
    return text


def mail_of(typed: object) -> str:
    """Half width, no spaces around. Raises PydanticCustomError for what is no mail address."""
    text = narrow(_text(typed))
    if not text.isascii() or text.count("@") != 1 or re.search(r"\s", text):
        raise PydanticCustomError("mail", "{label}は「name@example.jp」の形式で入力してください。")
    return text


def name_of(typed: object) -> str:
    """As typed, without what surrounds it. Raises PydanticCustomError for what cannot be a name."""
    text = _text(typed).strip()
    if not text.isprintable() and not set(text) <= {*filter(str.isprintable, text), "\u3000"}:
        raise PydanticCustomError("text", "{label}に使えない文字があります。")
    return text


def date_of(typed: object) -> date:
    """`2017-10-01`, `2017年10月1日`, `20171001`, `平成29年10月1日`, `H29.10.1`. Raises PydanticCustomError."""
    text = re.sub(r"\s", "", narrow(_text(typed)))
    try:
        found = _western(text) or _japanese(text)
    except ValueError:
        found = None
    if found is None:
        raise PydanticCustomError(
            "date", "{label}は「2017年10月1日」「平成29年10月1日」「2017-10-01」のいずれかの形式で入力してください。"
        )
    return found


def _western(text: str) -> date | None:
    found = _WESTERN.fullmatch(text)
    if found is None:
        return None
    return date(int(found[1]), int(found[2] or found[4]), int(found[3] or found[5]))


def _japanese(text: str) -> date | None:
    """The day by an era's year; the year must be of that era on that day."""
    found = _JAPANESE.fullmatch(text)
    if found is None:
        return None
    first, last = _ERAS[_LETTERS.get(found[1].upper(), found[1])]
    year = 1 if found[2] == "元" else int(found[2])
    day = date(first.year + year - 1, int(found[3]), int(found[4]))
    return day if year >= 1 and first <= day <= last else None


def _text(typed: object) -> str:
    if not isinstance(typed, str):
        raise PydanticCustomError("text", "{label}を入力してください。")
    return typed


PointsInput = Annotated[int, BeforeValidator(points_of)]
MyKeyIdInput = Annotated[MyKeyId, BeforeValidator(mykey_id_of)]
MailInput = Annotated[MailAddress, BeforeValidator(mail_of)]
NameInput = Annotated[Name, BeforeValidator(name_of)]
DateInput = Annotated[date, BeforeValidator(date_of)]
PasswordInput = Annotated[str, StringConstraints(min_length=1, max_length=PASSWORD_CHARS_LIMIT)]
"""Exactly as typed."""
