"""「自治体ポイント集計」 of a terminal's place (画面87, 参考88): what its municipality owes it."""

from typing import Final

from aiohttp import web

from connectors.terminal.counter_places import here
from connectors.terminal.counter_point_shapes import SettledTransaction, SettledTransactions
from connectors.terminal.counter_reasons import refused
from connectors.terminal.counter_routes import CounterRoutes
from connectors.terminal.counter_sessions import SESSION
from connectors.terminal.counter_shapes import redeems
from hub.bus import Bus
from hub.web.app import Route, json_response
from hub.web.periods import Period, period_of
from hub.web.place_settlement import PlaceSettlement, settlement_of
from hub.web.settlement_details import DetailsQuery, details_page
from schemas.problems import ProblemCode, RefusalCode
from schemas.settlement import DetailLine, StoreSummaryOf, StoreView

PATH: Final = "/settlement"
DEADLINE_S: Final = 10.0


class CounterSettlement:
    """For terminals at which points are used or vouchers redeemed."""

    def __init__(self, counter: CounterRoutes, bus: Bus) -> None:
        self._counter = counter
        self._bus = bus

    def routes(self) -> list[Route]:
        """Its two."""
        return [
            self._counter.route(
                "GET", PATH, self.summary, "What the municipality owes this place for a period", "自治体ポイント集計",
                query=Period, response=PlaceSettlement,
            ),
            self._counter.route(
                "GET", f"{PATH}/details", self.details, "The transactions that it adds up from, page by page",
                "自治体ポイント集計の明細（ページ単位）", query=DetailsQuery, response=SettledTransactions,
                problems=(ProblemCode.bad_cursor, ProblemCode.state_conflict),
            ),
        ]  # fmt: skip

    async def summary(self, request: web.Request) -> web.Response:
        """Of all terminals at this place, and of what was redeemed on its behalf."""
        period, view = period_of(request, Period), await self._view(request)
        asked = StoreSummaryOf(store_id=view.store_id, first=period.first, last=period.last)
        return json_response(settlement_of(await self._bus.call(asked, DEADLINE_S)))

    async def details(self, request: web.Request) -> web.Response:
        """The same, one by one."""
        query, view = period_of(request, DetailsQuery), await self._view(request)
        lines, after = await details_page(self._bus, view, query)
        return json_response(SettledTransactions(items=[_transaction(line) for line in lines], next=after))

    async def _view(self, request: web.Request) -> StoreView:
        session = request[SESSION]
        if not redeems(session.kind, point_use_too=session.point_use_too):
            raise refused(RefusalCode.not_at_this_terminal)
        return StoreView(store_id=(await here(self._bus, session.terminal_id)).place_id)


def _transaction(line: DetailLine) -> SettledTransaction:
    return SettledTransaction(
        **line.model_dump(exclude={"command_id", "counterparty_id", "reverses"}), receipt_number=line.command_id
    )
