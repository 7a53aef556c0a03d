"""応援ポイント移行集計 (画面80–82): what a partner moved in during a period, from the ledger's own books."""

from functools import partial
from typing import Final

from aiohttp import web

from connectors.partner.audience import SETTLEMENT
from connectors.partner.shapes import Settlement, SettlementDetail, SettlementDetails, SettlementLine
from hub.bus import Bus
from hub.web.app import Audience, Route, caller_of, json_response
from hub.web.periods import Period, period_of
from hub.web.settlement_details import DetailsQuery, details_page
from schemas.problems import ProblemCode
from schemas.settlement import DetailLine, PartnerSummaryOf, PartnerView

DEADLINE_S: Final = 10.0
CAME_IN: Final = frozenset({"credit", "coupon"})
"""The kinds of the lines that are totalled, less their corrections. The others say where it went on to."""
TRANSFER: Final = "credit"


class SettlementDoor:
    """`GET /settlement` and `GET /settlement/details`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def routes(self, audience: Audience) -> list[Route]:
        """Its two operations."""
        make = partial(Route, audience=audience, permission=SETTLEMENT, method="GET")
        return [
            make(
                path="/settlement",
                handler=self.summary,
                summary="What you moved in during a period, by municipality and pool",
                summary_ja="応援ポイント移行集計",
                query=Period,
                response=Settlement,
            ),
            make(
                path="/settlement/details",
                handler=self.details,
                summary="The transactions that a period's settlement adds up from, page by page",
                summary_ja="応援ポイント移行集計の明細（ページ単位）",
                query=DetailsQuery,
                response=SettlementDetails,
                problems=[ProblemCode.bad_cursor],
            ),
        ]

    async def summary(self, request: web.Request) -> web.Response:
        """The caller's own transfers only."""
        period = period_of(request, Period)
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

    async def details(self, request: web.Request) -> web.Response:
        """The caller's own."""
        view = PartnerView(party_id=caller_of(request).party_id)
        lines, after = await details_page(self._bus, view, period_of(request, DetailsQuery))
        return json_response(SettlementDetails(items=[_detail_of(line) for line in lines], next=after))


def _detail_of(line: DetailLine) -> SettlementDetail:
    return SettlementDetail(
        **line.model_dump(exclude={"command_id", "counterparty_id"}),
        transfer_id=line.command_id if line.kind == TRANSFER else None,
    )
