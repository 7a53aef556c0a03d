"""What a browser sends with a form: read once, within limits, every field text.

The reader knows nothing of what a form means (`connectors.portal.ground.forms`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from hub.web.bodies import read_bytes
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

FORM_TYPE: Final = "application/x-www-form-urlencoded"
BODY_LIMIT_BYTES: Final = 64 * 1024
FIELDS_LIMIT: Final = 64
FIELD_LIMIT_CHARS: Final = 8_192
TOKEN: Final = "form_token"  # noqa: S105 - the name of a field
ONCE: Final = "once"
_OURS: Final = frozenset({TOKEN, ONCE})
_FORBIDDEN: Final = frozenset(map(chr, {*range(0x20), 0x7F} - set(b"\t\r\n")))


@dataclass(frozen=True, slots=True)
class Sent:
    """The fields of a form, in the order of their first coming."""

    fields: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str:
        """The field's only value, empty where it did not come, or came more than once."""
        values = self.fields.get(name, ())
        return values[0] if len(values) == 1 else ""

    def of(self, names: Collection[str]) -> dict[str, Sequence[str]]:
        """These fields. Raises ProblemError bad_request where there are others."""
        if not self.fields.keys() <= _OURS | set(names):
            raise ProblemError(ProblemCode.bad_request, "Unknown field.", "入力項目が正しくありません。")
        return {name: self.fields[name] for name in names if name in self.fields}


SENT: Final = web.RequestKey("sent", Sent)
FORM_TOKEN: Final = web.RequestKey("form_token", str)
"""The form token for whoever looks at the page."""


async def read_sent(request: web.Request) -> Sent:
    """The form of this request.

    Raises ProblemError: media_type, too_large, body_timeout; bad_request for what no browser would send.
    """
    raw = await read_bytes(request, BODY_LIMIT_BYTES, (FORM_TYPE,))
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_LIMIT)
    except ValueError as error:
        raise _malformed() from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if len(value) > FIELD_LIMIT_CHARS or not _is_text(value):
            raise _malformed()
        fields.setdefault(name, []).append(value)
    return Sent(fields)


def _is_text(value: str) -> bool:
    """No control characters but those that a text area sends."""
    return value.isprintable() or _FORBIDDEN.isdisjoint(value)


def _malformed() -> ProblemError:
    return ProblemError(
        ProblemCode.bad_request, "The form is not well-formed.", "送信された内容の形式が正しくありません。"
    )
