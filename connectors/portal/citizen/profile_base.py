"""Another base municipality (画面61): prefecture, then municipality; only those with a scheme."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.citizen import places
from connectors.portal.citizen.changing import Change, Changing, What
from connectors.portal.citizen.places import PrefectureForm
from connectors.portal.citizen.profile import DEADLINE_S, PATH, profile_of
from connectors.portal.ground.forms import Form, FormView, Input, Option, blank, filled
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer, redirect
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route, query_of
from schemas.citizens import ChooseBaseMunicipality
from schemas.values import LgCode

BASE: Final = What(
    "base",
    "基本自治体",
    "基本自治体を変更しました。",
    note="今ある留保ポイントと、これから入る留保ポイントは、期限が来ると新しい基本自治体へ移ります。",
)
CHOOSE: Final = f"{BASE.path}/municipality"


class PrefectureQuery(BaseModel):
    """`?prefecture=<lg_code>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefecture: LgCode


class BaseForm(Form):
    """画面61."""

    base_lg_code: Annotated[LgCode, Input("自治体", kind="select")]


class BasePages:
    """画面61."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._changing = Changing(ground, BASE, self._change)

    def routes(self) -> list[Route]:
        """Prefecture, municipality, confirmation, done."""
        page, words = self._ground.page, ("Change the base municipality", "基本自治体の変更")
        return [
            page("GET", BASE.path, self.show, *words),
            page("POST", BASE.path, self.take_prefecture, *words),
            page("GET", CHOOSE, self.municipalities, *words, query=PrefectureQuery),
            page("POST", CHOOSE, self.take, *words, query=PrefectureQuery),
            *self._changing.routes(),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Which prefecture."""
        profile = await profile_of(request, self._kit)
        given = {"prefecture": places.prefecture_of(profile.base_lg_code)}
        form = blank(request, PrefectureForm, given, await places.prefectures(self._kit))
        return await self._page(request, form, BASE.path, PATH, _("次へ進む"))

    async def take_prefecture(self, request: web.Request) -> web.Response:
        """On to its municipalities."""
        form = filled(request, PrefectureForm, await places.prefectures(self._kit))
        if form.value is None:
            return await self._page(request, form.view(), BASE.path, PATH, _("次へ進む"))
        return redirect(request, f"{CHOOSE}?prefecture={form.value.prefecture}")

    async def municipalities(self, request: web.Request) -> web.Response:
        """Which municipality of it."""
        prefecture = query_of(request, PrefectureQuery).prefecture
        form = blank(request, BaseForm, choices=await self._choices(prefecture))
        return await self._choose_page(request, form, prefecture)

    async def take(self, request: web.Request) -> web.Response:
        """Kept, to be confirmed."""
        prefecture = query_of(request, PrefectureQuery).prefecture
        form = filled(request, BaseForm, await self._choices(prefecture))
        if form.value is None:
            return await self._choose_page(request, form.view(), prefecture)
        profile, chosen = await profile_of(request, self._kit), form.value.base_lg_code
        before, after = await places.name_of(self._kit, profile.base_lg_code), await places.name_of(self._kit, chosen)
        return await self._changing.keep(request, Change(value=chosen, before=(before,), after=(after,)))

    async def _change(self, request: web.Request, value: str) -> str | None:
        asked = ChooseBaseMunicipality(citizen_id=signed_in_of(request).citizen_id, base_lg_code=value)
        return (await self._kit.bus.call(asked, DEADLINE_S)).code

    async def _choices(self, prefecture: str) -> dict[str, list[Option]]:
        return {"base_lg_code": await places.municipalities(self._kit, prefecture)}

    async def _choose_page(self, request: web.Request, form: FormView, prefecture: str) -> web.Response:
        return await self._page(request, form, f"{CHOOSE}?prefecture={prefecture}", BASE.path, _("確認へ進む"))

    async def _page(self, request: web.Request, form: FormView, action: str, back: str, onward: str) -> web.Response:
        profile = await profile_of(request, self._kit)
        return answer(
            request,
            "citizen/change_input.html",
            title=_("基本自治体の変更"),
            status=422 if form.errors else 200,
            failed=bool(form.errors),
            back=back,
            form=form,
            action=action,
            now=[(_("今の基本自治体"), await places.name_of(self._kit, profile.base_lg_code))],
            next=onward,
        )
