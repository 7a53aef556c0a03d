"""Periods in a query: first and last day, both inclusive, Asia/Tokyo."""

import re
from datetime import date, timedelta
from typing import Annotated, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hub.web.app import query_of
from hub.web.problems import ProblemError
from schemas.problems import FieldError, ProblemCode

PERIOD_LIMIT: Final = timedelta(days=1_096)

BAD_PERIOD: Final = FieldError(
    pointer="?last",
    code="range",
    detail="The last day must not be before the first one, nor more than three years after it.",
    detail_ja="最終日は開始日以後、開始日から3年以内の日付を指定してください。",
)


def _iso_day(value: object) -> object:
    """Only `2017-10-01`: pydantic would also take seconds since 1970."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is None:
        return None
    return value


Day = Annotated[date, BeforeValidator(_iso_day)]


class Period(BaseModel):
    """First and last day, inclusive, Asia/Tokyo; at most three years."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: Day = Field(description="The first day, such as 2017-10-01.")
    last: Day = Field(description="The last day, such as 2017-10-31.")


AnyPeriod = TypeVar("AnyPeriod", bound=Period)


def period_of(request: web.Request, model: type[AnyPeriod]) -> AnyPeriod:
    """The request's query. Raises ProblemError bad_query where the period ends before it begins, or is too long."""
    period = query_of(request, model)
    if not timedelta(0) <= period.last - period.first <= PERIOD_LIMIT:
        raise ProblemError(ProblemCode.bad_query, errors=[BAD_PERIOD])
    return period
