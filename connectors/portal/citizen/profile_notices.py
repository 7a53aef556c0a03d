"""Which mails are wanted (画面60)."""

from typing import Annotated, Final

from aiohttp import web

from connectors.portal.citizen.changing import Change, Changing, What
from connectors.portal.citizen.mail_choices import chosen, names_of, options, texts
from connectors.portal.citizen.profile import DEADLINE_S, PATH, profile_of
from connectors.portal.ground.forms import Form, FormView, Input, blank, filled
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route
from schemas.citizens import ChangeMailChoices

NOTICES: Final = What("notices", "お知らせメール", "お知らせメールの設定を変更しました。")


class NoticesForm(Form):
    """画面60."""

    choices: Annotated[
        tuple[str, ...], Input("お知らせメール", hint="受け取るものを選んでください。", kind="checkboxes")
    ] = ()


class NoticesPages:
    """画面60."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._changing = Changing(ground, NOTICES, self._change)

    def routes(self) -> list[Route]:
        """Input, confirmation, done."""
        page, words = self._ground.page, ("Change the mail choices", "お知らせメールの変更")
        return [
            page("GET", NOTICES.path, self.show, *words),
            page("POST", NOTICES.path, self.take, *words),
            *self._changing.routes(),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """The input, as it is now."""
        profile = await profile_of(request, self._kit)
        given = {"choices": names_of(profile.choices)}
        return self._page(request, blank(request, NoticesForm, given, {"choices": options()}))

    async def take(self, request: web.Request) -> web.Response:
        """Kept, to be confirmed."""
        form = filled(request, NoticesForm, {"choices": options()})
        if form.value is None:
            return self._page(request, form.view())
        before, after = (await profile_of(request, self._kit)).choices, chosen(form.value.choices)
        change = Change(value=",".join(names_of(after)), before=tuple(texts(before)), after=tuple(texts(after)))
        return await self._changing.keep(request, change)

    async def _change(self, request: web.Request, value: str) -> str | None:
        citizen_id = signed_in_of(request).citizen_id
        asked = ChangeMailChoices(citizen_id=citizen_id, choices=chosen(value.split(",")))
        return (await self._kit.bus.call(asked, DEADLINE_S)).code

    @staticmethod
    def _page(request: web.Request, form: FormView) -> web.Response:
        return answer(
            request,
            "citizen/change_input.html",
            title=_("お知らせメールの変更"),
            status=422 if form.errors else 200,
            failed=bool(form.errors),
            back=PATH,
            form=form,
            action=NOTICES.path,
            now=[],
            next=_("確認へ進む"),
        )
