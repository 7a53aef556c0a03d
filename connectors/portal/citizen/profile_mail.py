"""Another mail address (画面59): asked again who it is; both addresses are told by mail."""

from typing import Annotated, Final

from aiohttp import web

from connectors.portal.citizen.changing import Change, Changing, What
from connectors.portal.citizen.profile import DEADLINE_S, PATH, profile_of
from connectors.portal.ground.forms import Form, FormView, Input, blank, filled
from connectors.portal.ground.inputs import MailInput
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route
from schemas.logins import ChangeMailAddress

MAIL: Final = What(
    "mail",
    "メールアドレス",
    "メールアドレスを変更しました。",
    asks_again="mail",
    note="変更をお知らせするメールを、変更前と変更後の両方のアドレスに送ります。",
)


class MailForm(Form):
    """The new one."""

    mail: Annotated[MailInput, Input("新しいメールアドレス", kind="email", autocomplete="email")]


class MailPages:
    """画面59."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._changing = Changing(ground, MAIL, self._change)

    def routes(self) -> list[Route]:
        """Input, confirmation, done."""
        page, words = self._ground.page, ("Change the mail address", "メールアドレスの変更")
        return [
            page("GET", MAIL.path, self.show, *words),
            page("POST", MAIL.path, self.take, *words),
            *self._changing.routes(),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """The input."""
        return await self._page(request, blank(request, MailForm))

    async def take(self, request: web.Request) -> web.Response:
        """Kept, to be confirmed."""
        form = filled(request, MailForm)
        if form.value is None:
            return await self._page(request, form.view())
        before = (await profile_of(request, self._kit)).mail
        change = Change(value=form.value.mail, before=(before,), after=(form.value.mail,))
        return await self._changing.keep(request, change)

    async def _change(self, request: web.Request, value: str) -> str | None:
        asked = ChangeMailAddress(session=signed_in_of(request).session_id, mail=value)
        return (await self._kit.bus.call(asked, DEADLINE_S)).code

    async def _page(self, request: web.Request, form: FormView) -> web.Response:
        profile = await profile_of(request, self._kit)
        return answer(
            request,
            "citizen/change_input.html",
            title=_("メールアドレスの変更"),
            status=422 if form.errors else 200,
            failed=bool(form.errors),
            back=PATH,
            form=form,
            action=MAIL.path,
            now=[(_("今のメールアドレス"), profile.mail)],
            next=_("確認へ進む"),
        )
