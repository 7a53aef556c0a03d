"""Pages of a list: an opaque cursor that says where the next one begins, and a bounded limit."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Final, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hub.web.json_text import JsonTextError, parse
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

PAGE_DEFAULT: Final = 100
PAGE_LIMIT: Final = 1_000
CURSOR_CHARS_LIMIT: Final = 512
INTEGER_LIMIT: Final = 2**31 - 1
BIGINT_LIMIT: Final = 2**63 - 1
"""What PostgreSQL's columns hold; a cursor is typed by anybody, so its numbers are bounded by them."""

Position = TypeVar("Position", bound=BaseModel)
Item = TypeVar("Item")


def _ascii_integer(value: object) -> object:
    """Only ASCII digits: `int()` would also take `１２`, ` 12` and `1_2`."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value) is None:
        return None
    return value


QueryInt = Annotated[int, BeforeValidator(_ascii_integer)]
"""A whole number in a query, which is always text."""


class PageQuery(BaseModel):
    """The query of a paged list; a list with filters of its own inherits from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: QueryInt = Field(PAGE_DEFAULT, ge=1, le=PAGE_LIMIT, description="The most items on the page.")
    cursor: str | None = Field(None, max_length=CURSOR_CHARS_LIMIT, description="`next` of the page before.")


class Page(BaseModel, Generic[Item]):
    """One page. `next` is the cursor of the next one, or null on the last."""

    model_config = ConfigDict(frozen=True)

    items: list[Item]
    next: str | None = None


def encode_cursor(position: BaseModel) -> str:
    """The cursor for a position, such as the last id on the page.

    Not secret, not signed: put no secret in it.
    """
    return urlsafe_b64encode(position.model_dump_json().encode()).decode("ascii").rstrip("=")


def decode_cursor(cursor: str, model: type[Position]) -> Position:
    """The position in a cursor, validated.

    Raises ProblemError bad_cursor: rights are checked as if it were typed in.
    """
    try:
        if re.fullmatch(r"[A-Za-z0-9_-]{1,512}", cursor) is None:
            raise ProblemError(ProblemCode.bad_cursor)
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        parse(raw)
        return model.model_validate_json(raw)
    except (ValidationError, JsonTextError, ValueError) as error:
        raise ProblemError(ProblemCode.bad_cursor) from error
