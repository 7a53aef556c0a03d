"""Which service IDs are registered (画面58): library cards and street point cards, by issuer."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route
from schemas.service_ids import IssuerKind, ServiceIdsOf, ServiceIdState

PATH: Final = "/my/service-ids"
DEADLINE_S: Final = 5.0
KINDS: Final[Mapping[IssuerKind, str]] = {IssuerKind.library: "図書館", IssuerKind.street: "商店街"}
STATES: Final[Mapping[ServiceIdState, str]] = {
    ServiceIdState.not_checked: "登録済み",
    ServiceIdState.confirmed: "登録済み（確認済み）",
    ServiceIdState.unconfirmed: "登録済み（図書館に確認中）",
    ServiceIdState.doubted: "登録済み（図書館で番号を確認できません）",
}


class ServiceIdsPage:
    """画面58."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def routes(self) -> list[Route]:
        """The one."""
        return [self._ground.page("GET", PATH, self.show, "Service IDs", "サービスIDの登録状況照会")]

    async def show(self, request: web.Request) -> web.Response:
        """By issuer; where a library does not know a number, whom to ask."""
        asked = ServiceIdsOf(citizen_id=signed_in_of(request).citizen_id)
        found = (await self._ground.kit.bus.call(asked, DEADLINE_S)).service_ids
        return answer(
            request,
            "citizen/service_ids.html",
            title=_("サービスIDの登録状況照会"),
            back="/my",
            rows=[
                (one.issuer_name, _(KINDS[one.kind]), one.number, _(STATES[one.state]), one.registered_at)
                for one in found
            ],
            has_doubt=any(one.state is ServiceIdState.doubted for one in found),
        )
