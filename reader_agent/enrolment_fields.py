"""The fields of the enrolment form (画面6–10, 22): what is meant by what was typed, and what is said where nothing is.

Names are kept as typed: another form of a character may be another name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

from schemas.card_numbers import HYPHENS
from schemas.terminals import typed_password

_HYPHENS: Final = re.escape(f"{HYPHENS}\u2500")
"""The line that frames are drawn with is typed for one, too."""
_BETWEEN: Final = re.compile(rf"[\s{_HYPHENS}]+")
_BETWEEN_DIGITS: Final = re.compile(rf"[\s()\[\]{_HYPHENS}]+")


def _narrow(typed: str) -> str:
    return normalize("NFKC", typed).strip()


def _code(typed: str) -> str:
    """`ｔ２３２３４３－ａｂｃｄｅｆ` → `T232343ABCDEF`."""
    return _BETWEEN.sub("", _narrow(typed)).upper()


def _phone(typed: str) -> str:
    """`０３（００００）００００` → `03-0000-0000`."""
    return _BETWEEN_DIGITS.sub("-", _narrow(typed)).strip("-")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its label, kind of input, what browsers fill in; how it is taken, and how a wrong one is mended."""

    label: str
    kind: str
    fills: str
    meant: Callable[[str], str]
    remedy: str
    required: bool = True

    def fault(self, typed: str) -> str:
        """One sentence for a field that was not taken."""
        return self.remedy if typed.strip() else f"{self.label}を入力してください。"


def _of_person(label: str, fills: str) -> Field:
    remedy = f"{label}は100文字以内で入力してください。改行や見えない文字は使えません。"
    return Field(label, "text", fills, str.strip, remedy)


CONTACT_FIELDS: Final[Mapping[str, Field]] = {
    "name": _of_person("担当者名", "name"),
    "section": _of_person("所属", "organization"),
    "phone": Field(
        "電話番号", "tel", "tel", _phone, "電話番号は市外局番から数字で入力してください（例：03-0000-0000）。"
    ),
    "mail": Field(
        "メールアドレス", "email", "email", _narrow,
        "メールアドレスは「name@example.jp」の形式で入力してください。",
    ),
    "address": _of_person("住所", "street-address"),
}  # fmt: skip
"""The contact (画面9)."""
FIELDS: Final[Mapping[str, Field]] = {
    "terminal_id": Field(
        "端末ID", "text", "off", _code,
        "端末IDは、用紙のとおりTから始まる13文字で入力してください（例：T232343ABCDEF）。",
    ),
    "one_time_password": Field(
        "ワンタイムパスワード", "password", "off", typed_password,
        "ワンタイムパスワードは、用紙のとおり16文字の英数字で入力してください。",
    ),
    "issuer_id": Field(
        "ID付与事業者の番号（サービスID登録用の端末のみ）", "text", "off", _code,
        "ID付与事業者の番号は6桁の数字で入力してください。サービスID登録用でない端末では空欄にしてください。",
        required=False,
    ),
    **CONTACT_FIELDS,
}  # fmt: skip
"""All, in the order of the form."""


def meant(typed: Mapping[str, str]) -> dict[str, str]:
    """Every field as it is meant."""
    return {name: field.meant(typed.get(name, "")) for name, field in FIELDS.items()}
