"""Reserve points to event points: a prefecture's event, or a municipality's (画面46–48); then `moving` (49–51)."""

from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from connectors.portal.citizen.catalogue import Catalogue
from connectors.portal.citizen.move_municipal import PrefectureQuery, prefecture_form
from connectors.portal.citizen.moving import DEADLINE_S, Moving, Target, Words
from connectors.portal.citizen.pool_texts import service_period
from connectors.portal.ground.forms import Option
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from hub.web.app import Route, query_of
from schemas.municipalities import PrefecturesOf, SupportEvent, SupportEventsOf
from schemas.values import event_pool, has_valid_check_digit

BASE: Final = "/my/move/event"
Choice = tuple[str, str, str]


class HolderQuery(BaseModel):
    """`?holder=<lg_code>`: a municipality that holds events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    holder: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class MoveEventPages:
    """画面46–51."""

    def __init__(self, ground: Ground, catalogue: Catalogue) -> None:
        self._ground = ground
        self._catalogue = catalogue
        words = Words(
            _("移行する特定支援イベント"),
            (_("都道府県"), _("特定支援イベント"), _("ポイント数"), _("確認")),
        )
        self._moving = Moving(ground, BASE, "move-event", words, self._target)

    def routes(self) -> list[Route]:
        """All six screens."""
        page, words = self._ground.page, ("Reserve to event points", "留保ポイントを特定支援イベントに移行")
        return [
            page("GET", BASE, self.prefectures, *words),
            page("GET", f"{BASE}/list", self.events, *words, query=PrefectureQuery),
            page("GET", f"{BASE}/municipality", self.events_of_municipality, *words, query=HolderQuery),
            *self._moving.routes(*words),
        ]

    async def prefectures(self, request: web.Request) -> web.Response:
        """画面46: which prefecture."""
        return await self._prefectures_page(request, is_asked=False)

    async def events(self, request: web.Request) -> web.Response:
        """画面47: the prefecture's own events, and its municipalities that hold some."""
        prefecture = query_of(request, PrefectureQuery).prefecture
        if not has_valid_check_digit(prefecture):
            return await self._prefectures_page(request, is_asked=True)
        found = await self._open_events(prefecture)
        own = [_choice(one) for one in found if one.lg_code == prefecture]
        holders = {one.lg_code: one.holder for one in found if one.lg_code != prefecture}
        municipal: list[Choice] = [
            (name, f"{BASE}/municipality?holder={lg_code}", _("この市区町村の特定支援イベントを見る"))
            for lg_code, name in sorted(holders.items())
        ]
        groups = [
            (_("都道府県の特定支援イベント"), own),
            (_("特定支援イベントのある市区町村"), municipal),
        ]
        return self._list_page(request, [group for group in groups if group[1]], BASE)

    async def events_of_municipality(self, request: web.Request) -> web.Response:
        """画面48: a municipality's events."""
        holder = query_of(request, HolderQuery).holder
        found = [one for one in await self._open_events(None) if one.lg_code == holder]
        name = found[0].holder if found else ""
        groups = [(_("%(name)sの特定支援イベント") % {"name": name}, [_choice(one) for one in found])]
        return self._list_page(request, groups if found else [], BASE)

    def _list_page(self, request: web.Request, groups: list[tuple[str, list[Choice]]], back: str) -> web.Response:
        return answer(
            request,
            "citizen/move_list.html",
            title=_("特定支援イベントの選択"),
            back=back,
            step=2,
            words=self._moving.words,
            groups=groups,
            empty=_("移行できる特定支援イベントはありません。"),
        )

    async def _prefectures_page(self, request: web.Request, *, is_asked: bool) -> web.Response:
        kit = self._ground.kit
        found = await kit.bus.call(PrefecturesOf(day=kit.clock.business_date()), DEADLINE_S)
        options = [Option(one.lg_code, one.name) for one in found.prefectures if one.support_events]
        return answer(
            request,
            "citizen/move_prefecture.html",
            title=_("留保ポイントを特定支援イベントに移行"),
            status=422 if is_asked else 200,
            failed=is_asked,
            back="/my/move",
            form=prefecture_form(request, options, None, is_asked=is_asked),
            action=f"{BASE}/list",
            words=self._moving.words,
            shortcut=None,
        )

    async def _open_events(self, prefecture: str | None) -> list[SupportEvent]:
        """Those that points can be moved to today."""
        kit = self._ground.kit
        today = kit.clock.business_date()
        found = await kit.bus.call(SupportEventsOf(prefecture=prefecture, day=today), DEADLINE_S)
        return [one for one in found.support_events if one.first <= today]

    async def _target(self, to: str) -> Target | None:
        try:
            event = (await self._catalogue.pools()).support_events.get(UUID(to))
        except ValueError:
            return None
        if event is None:
            return None
        name = f"{event.point_name}（{event.holder}）"
        return Target(to, event_pool(event.event_id), name, [(_("実施期間"), service_period(event))])


def _choice(event: SupportEvent) -> Choice:
    return (
        event.point_name,
        f"{BASE}/amount?to={event.event_id}",
        _("実施期間：%(period)s") % {"period": service_period(event)},
    )
