"""Reserve points to municipal points: which prefecture, which municipality (画面41, 42); then `moving` (43–45)."""

from datetime import date
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from connectors.portal.citizen.catalogue import Catalogue
from connectors.portal.citizen.moving import DEADLINE_S, Moving, Target, Words
from connectors.portal.citizen.pool_texts import scheme_expiry
from connectors.portal.ground.forms import Form, FormView, Input, Option, blank
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route, query_of
from schemas.citizens import BaseMunicipalitiesOf
from schemas.municipalities import PrefecturesOf, SchemesOf
from schemas.values import has_valid_check_digit, scheme_pool

BASE: Final = "/my/move/municipal"


class PrefectureForm(Form):
    """画面41, 46."""

    prefecture: Annotated[str, Input("都道府県", kind="select")]


class PrefectureQuery(BaseModel):
    """`?prefecture=<lg_code>`; empty where none was chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefecture: Annotated[str, Field(max_length=6, pattern=r"^([0-9]{6})?$")] = ""


def prefecture_form(request: web.Request, options: list[Option], chosen: str | None, *, is_asked: bool) -> FormView:
    """The pull-down; an error where 「表示」 was pressed and nothing chosen."""
    first = Option("", _("選択してください"))
    view = blank(request, PrefectureForm, {"prefecture": chosen or ""}, {"prefecture": [first, *options]}, is_get=True)
    return view.faulted("prefecture", _("都道府県を選択してください。")) if is_asked else view


class MoveMunicipalPages:
    """画面41–45."""

    def __init__(self, ground: Ground, catalogue: Catalogue) -> None:
        self._ground = ground
        self._catalogue = catalogue
        words = Words(
            _("移行する自治体ポイント"),
            (_("都道府県"), _("自治体ポイント"), _("ポイント数"), _("確認")),
        )
        self._moving = Moving(ground, BASE, "move-municipal", words, self._target)

    def routes(self) -> list[Route]:
        """All five screens."""
        page, words = self._ground.page, ("Reserve to municipal points", "留保ポイントを自治体ポイントに移行")
        return [
            page("GET", BASE, self.prefectures, *words),
            page("GET", f"{BASE}/list", self.schemes, *words, query=PrefectureQuery),
            *self._moving.routes(*words),
        ]

    async def prefectures(self, request: web.Request) -> web.Response:
        """画面41: which prefecture; the base municipality is a click away."""
        return await self._prefectures_page(request, is_asked=False)

    async def schemes(self, request: web.Request) -> web.Response:
        """画面42: which municipality of it."""
        prefecture = query_of(request, PrefectureQuery).prefecture
        if not has_valid_check_digit(prefecture):
            return await self._prefectures_page(request, is_asked=True)
        found = await self._ground.kit.bus.call(SchemesOf(prefecture=prefecture), DEADLINE_S)
        return answer(
            request,
            "citizen/move_list.html",
            title=_("自治体ポイントの選択"),
            back=BASE,
            step=2,
            words=self._moving.words,
            groups=[
                (
                    _("移行する自治体ポイントを選択してください。"),
                    [
                        (
                            f"{one.municipality}　{one.point_name}",
                            f"{BASE}/amount?to={one.lg_code}",
                            _("有効期限：%(expiry)s") % {"expiry": scheme_expiry(one, self._today())},
                        )
                        for one in found.schemes
                    ],
                )
            ],
            empty=_("この都道府県には、移行できる自治体ポイントがまだありません。"),
        )

    async def _prefectures_page(self, request: web.Request, *, is_asked: bool) -> web.Response:
        kit, citizen_id = self._ground.kit, signed_in_of(request).citizen_id
        found = await kit.bus.call(PrefecturesOf(day=kit.clock.business_date()), DEADLINE_S)
        options = [Option(one.lg_code, one.name) for one in found.prefectures if one.schemes]
        bases = await kit.bus.call(BaseMunicipalitiesOf(citizen_ids=[citizen_id]), DEADLINE_S)
        base = await self._target(bases.lg_codes.get(str(citizen_id), ""))
        form = prefecture_form(request, options, None, is_asked=is_asked)
        return answer(
            request,
            "citizen/move_prefecture.html",
            title=_("留保ポイントを自治体ポイントに移行"),
            status=422 if is_asked else 200,
            failed=is_asked,
            back="/my/move",
            form=form,
            action=f"{BASE}/list",
            words=self._moving.words,
            shortcut=None if base is None else (base.name, f"{BASE}/amount?to={base.to}"),
        )

    def _today(self) -> date:
        return self._ground.kit.clock.business_date()

    async def _target(self, to: str) -> Target | None:
        scheme = (await self._catalogue.pools()).schemes.get(to)
        if scheme is None:
            return None
        name = f"{scheme.point_name}（{scheme.municipality}）"
        return Target(to, scheme_pool(to), name, [(_("有効期限"), scheme_expiry(scheme, self._today()))])
