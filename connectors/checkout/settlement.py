"""自治体ポイント集計 (画面87, 参考88) of a shop or fund: what municipalities owe it, from the ledger's own books."""

from functools import partial
from typing import Final

from aiohttp import web

from connectors.checkout.audience import SETTLEMENT
from connectors.checkout.orders import DEADLINE_S, own_id
from connectors.checkout.shapes import PlaceDetail, PlaceDetails
from hub.bus import Bus
from hub.web.app import Audience, Route, caller_of, json_response
from hub.web.periods import Period, period_of
from hub.web.place_settlement import PlaceSettlement, settlement_of
from hub.web.settlement_details import DetailsQuery, details_page
from schemas.problems import ProblemCode
from schemas.settlement import DetailLine, StoreSummaryOf, StoreView

PATH: Final = "/settlement"
CAPTURE: Final = "capture"
REFUND: Final = "refund"


class SettlementDoor:
    """`GET /settlement` and `GET /settlement/details`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def routes(self, audience: Audience) -> list[Route]:
        """Its two operations."""
        make = partial(Route, audience=audience, permission=SETTLEMENT, method="GET")
        return [
            make(
                path=PATH,
                handler=self.summary,
                summary="What municipalities owe you for a period, by municipality and pool",
                summary_ja="自治体ポイント集計",
                query=Period,
                response=PlaceSettlement,
            ),
            make(
                path=PATH + "/details",
                handler=self.details,
                summary="The captures and refunds that a period's settlement adds up from, page by page",
                summary_ja="自治体ポイント集計の明細（ページ単位）",
                query=DetailsQuery,
                response=PlaceDetails,
                problems=[ProblemCode.bad_cursor],
            ),
        ]

    async def summary(self, request: web.Request) -> web.Response:
        """The caller's own only."""
        period = period_of(request, Period)
        asked = StoreSummaryOf(store_id=caller_of(request).party_id, first=period.first, last=period.last)
        return json_response(settlement_of(await self._bus.call(asked, DEADLINE_S)))

    async def details(self, request: web.Request) -> web.Response:
        """The caller's own."""
        view = StoreView(store_id=caller_of(request).party_id)
        lines, after = await details_page(self._bus, view, period_of(request, DetailsQuery))
        return json_response(PlaceDetails(items=[_detail_of(line) for line in lines], next=after))


def _detail_of(line: DetailLine) -> PlaceDetail:
    own = own_id(line.command_id or "")
    return PlaceDetail(
        **line.model_dump(exclude={"command_id", "counterparty_id", "reverses"}),
        order_id=own if line.kind == CAPTURE else None,
        refund_id=own if line.kind == REFUND else None,
    )
