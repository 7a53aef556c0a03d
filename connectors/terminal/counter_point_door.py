"""The routes of `/api/counter` about points: used, put on vouchers, redeemed."""

from typing import Final
from uuid import UUID

from aiohttp import web

from connectors.terminal import counter_point_shapes as shapes
from connectors.terminal.counter_points import CounterPoints
from connectors.terminal.counter_routes import BODY_LIMIT_BYTES, OPERATION, CounterRoutes, operation_id_of
from connectors.terminal.counter_sessions import SESSION, Session
from connectors.terminal.counter_vouchers import CounterRedeeming, CounterVouchers
from hub.web.app import Route, json_response
from hub.web.bodies import read_model

VOUCHERS: Final = "/vouchers"


class PointDoor:
    """The routes, and what each reads and answers."""

    def __init__(
        self, counter: CounterRoutes, points: CounterPoints, vouchers: CounterVouchers, redeeming: CounterRedeeming
    ) -> None:
        self._counter = counter
        self._points = points
        self._vouchers = vouchers
        self._redeeming = redeeming

    def routes(self) -> list[Route]:
        """All of them."""
        return [*self._use_routes(), *self._voucher_routes(), *self._redeeming_routes()]

    def _use_routes(self) -> list[Route]:
        counter = self._counter
        return [
            counter.act(
                "/usable", self._usable, "The points that can be used here", "この端末で利用できるポイント残高",
                None, shapes.Usable,
            ),
            counter.act(
                "/use", self._use, "Use points at this place", "ポイント利用", shapes.UseForm, shapes.Receipt
            ),
            counter.route(
                "GET", f"{OPERATION}/receipt", self._receipt, "The receipt of what was used", "利用のレシート",
                response=shapes.Receipt,
            ),
        ]  # fmt: skip

    def _voucher_routes(self) -> list[Route]:
        counter = self._counter
        return [
            counter.act(
                "/issue-voucher", self._issue, "Issue a voucher", "ポイント券の発行", shapes.IssueForm, shapes.Paper
            ),
            counter.route(
                "GET", f"{OPERATION}/paper", self._paper, "Print the voucher that was issued just now again",
                "発行したポイント券の再発行", response=shapes.Paper,
            ),
            counter.act(
                "/vouchers", self._open_vouchers, "The citizen's vouchers that are not redeemed yet",
                "消込前のポイント券の一覧", None, shapes.OpenVouchers,
            ),
            counter.act(
                "/print-again", self._print_again, "Print one of them again", "ポイント券の再発行",
                shapes.PrintForm, shapes.Paper,
            ),
        ]  # fmt: skip

    def _redeeming_routes(self) -> list[Route]:
        counter = self._counter
        return [
            counter.route(
                "POST", f"{VOUCHERS}/look-up", self._look_up, "Which voucher is this?", "ポイント券情報読取",
                request=shapes.LookUpForm, response=shapes.VoucherView,
            ),
            counter.route(
                "POST", f"{VOUCHERS}/redeem", self._redeem, "Redeem a voucher, whole and once", "ポイント券の消込処理",
                request=shapes.RedeemForm, response=shapes.Redeemed,
            ),
            counter.route(
                "GET", "/places", self._places, "This municipality's places, which vouchers may be redeemed for",
                "消込の対象にできる店舗等", response=shapes.PlaceList,
            ),
        ]  # fmt: skip

    async def _usable(self, _request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        return json_response(await self._points.usable(operation_id, session))

    async def _use(self, request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        form = await read_model(request, shapes.UseForm, BODY_LIMIT_BYTES)
        return json_response(await self._points.use(operation_id, session, form))

    async def _receipt(self, request: web.Request) -> web.Response:
        return json_response(await self._points.receipt(operation_id_of(request), request[SESSION]))

    async def _issue(self, request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        form = await read_model(request, shapes.IssueForm, BODY_LIMIT_BYTES)
        return json_response(await self._vouchers.issue(operation_id, session, form))

    async def _paper(self, request: web.Request) -> web.Response:
        return json_response(await self._vouchers.paper(operation_id_of(request), request[SESSION]))

    async def _open_vouchers(self, _request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        return json_response(await self._vouchers.open_vouchers(operation_id, session))

    async def _print_again(self, request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        form = await read_model(request, shapes.PrintForm, BODY_LIMIT_BYTES)
        return json_response(await self._vouchers.print_again(operation_id, session, form))

    async def _look_up(self, request: web.Request) -> web.Response:
        form = await read_model(request, shapes.LookUpForm, BODY_LIMIT_BYTES)
        return json_response(await self._redeeming.look_up(request[SESSION], form))

    async def _redeem(self, request: web.Request) -> web.Response:
        form = await read_model(request, shapes.RedeemForm, BODY_LIMIT_BYTES)
        return json_response(await self._redeeming.redeem(request[SESSION], form))

    async def _places(self, request: web.Request) -> web.Response:
        return json_response(await self._redeeming.places(request[SESSION]))
