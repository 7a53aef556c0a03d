"""「明細ダウンロード」 of whoever settles (参考82, 88): its own transactions of a period, page by page."""

from typing import Annotated, Final

from pydantic import Field

from hub.bus import Bus
from hub.web.pages import BIGINT_LIMIT, INTEGER_LIMIT, PageQuery, decode_cursor, encode_cursor
from hub.web.periods import Period
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode
from schemas.settlement import DetailLine, DetailPlace, DetailsOf, View
from schemas.values import LANES

DEADLINE_S: Final = 10.0


class DetailsQuery(Period, PageQuery):
    """A period, and a page of it."""


class Position(DetailPlace):
    """How far the pages before went: up to and including this transaction."""

    partition: Annotated[int, Field(ge=0, lt=LANES)]
    block: Annotated[int, Field(ge=0, le=BIGINT_LIMIT)]
    number: Annotated[int, Field(ge=0, le=INTEGER_LIMIT)]


async def details_page(bus: Bus, view: View, query: DetailsQuery) -> tuple[list[DetailLine], str | None]:
    """The lines of the page, and the next one's cursor. Raises ProblemError bad_cursor, also for another period's."""
    asked = DetailsOf(view=view, first=query.first, last=query.last, after=_after(query), limit=query.limit)
    found = await bus.call(asked, DEADLINE_S)
    return found.lines, None if found.after is None else encode_cursor(found.after)


def _after(query: DetailsQuery) -> DetailPlace | None:
    if query.cursor is None:
        return None
    position = decode_cursor(query.cursor, Position)
    if not query.first <= position.day <= query.last:
        raise ProblemError(ProblemCode.bad_cursor)
    return position
