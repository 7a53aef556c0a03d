"""応援ポイント移行集計 (画面80): what a partner moved in during a period, from the ledger's own books."""

import re
from datetime import date, timedelta
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from connectors.partner.audience import SETTLEMENT
from connectors.partner.shapes import Settlement, SettlementLine
from hub.bus import Bus
from hub.web.app import Audience, Route, caller_of, json_response, query_of
from hub.web.problems import ProblemError
from schemas.problems import FieldError, ProblemCode
from schemas.settlement import PartnerSummaryOf

PERIOD_LIMIT: Final = timedelta(days=1_096)
DEADLINE_S: Final = 10.0
CAME_IN: Final = frozenset({"credit", "coupon"})
"""The kinds of the lines that are totalled, less their corrections. The others say where it went on to."""


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


class SettlementDoor:
    """`GET /settlement`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def routes(self, audience: Audience) -> list[Route]:
        """Its one operation."""
        return [
            Route(
                audience=audience,
                method="GET",
                path="/settlement",
                handler=self.get,
                permission=SETTLEMENT,
                summary="What you moved in during a period, by municipality and pool",
                summary_ja="応援ポイント移行集計",
                query=Period,
                response=Settlement,
            )
        ]

    async def get(self, request: web.Request) -> web.Response:
        """The caller's own transfers only."""
        period = query_of(request, Period)
        if not timedelta(0) <= period.last - period.first <= PERIOD_LIMIT:
            raise ProblemError(ProblemCode.bad_query, errors=[BAD_PERIOD])
        asked = PartnerSummaryOf(party_id=caller_of(request).party_id, first=period.first, last=period.last)
        found = await self._bus.call(asked, deadline_s=DEADLINE_S)
        lines = [
            SettlementLine(
                kind=line.kind,
                reverses=line.reverses,
                lg_code=line.lg_code,
                pool=line.pool,
                transfers=line.transfers,
                points=line.points,
            )
            for line in found.lines
        ]
        return json_response(
            Settlement(
                first=period.first,
                last=period.last,
                transfers=sum(line.transfers for line in lines if line.kind in CAME_IN),
                points=sum(line.points for line in lines if line.kind in CAME_IN)
                - sum(line.points for line in lines if line.reverses in CAME_IN),
                lines=lines,
            )
        )


BAD_PERIOD: Final = FieldError(
    pointer="?last",
    code="range",
    detail="The last day must not be before the first one, nor more than three years after it.",
    detail_ja="最終日は開始日以後、開始日から3年以内の日付を指定してください。",
)
