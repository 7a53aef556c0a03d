"""Another password (画面59), by the old one. Every other session of the citizen ends; nothing typed is kept."""

from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.citizen.changing import What
from connectors.portal.citizen.profile import PATH
from connectors.portal.ground.forms import Form, FormView, Input, blank, filled
from connectors.portal.ground.inputs import PasswordInput
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import FormKey, Ground, answer, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import signed_in_of, source_of
from hub.ids import uuid7
from hub.web.app import Route, query_of
from schemas.logins import ChangePassword

PASSWORD: Final = What("password", "パスワード", "パスワードを変更しました。")
DEADLINE_S: Final = 10.0


class PasswordsForm(Form):
    """Old and new."""

    old_password: Annotated[PasswordInput, Input("今のパスワード", kind="password", autocomplete="current-password")]
    new_password: Annotated[
        PasswordInput,
        Input(
            "新しいパスワード",
            hint="12文字以上。文字の種類は自由です。よく使われる言葉は使えません。",
            kind="password",
            autocomplete="new-password",
        ),
    ]


class Changed(BaseModel):
    """That it was done: nothing of what was typed."""

    model_config = ConfigDict(frozen=True)


class PasswordPages:
    """画面59."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit

    def routes(self) -> list[Route]:
        """Input and done."""
        page, words = self._ground.page, ("Change the password", "パスワードの変更")
        return [
            page("GET", PASSWORD.path, self.show, *words),
            page("POST", PASSWORD.path, self.change, *words),
            page("GET", f"{PASSWORD.path}/done", self.done, *words, query=FormKey),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """The input."""
        return self._page(request, blank(request, PasswordsForm))

    async def change(self, request: web.Request) -> web.Response:
        """Whoever has the old session id is logged out, this browser has a new one.

        It needs no one-time key: once it is done, neither the old password nor the old session is good.
        """
        signed_in, form = signed_in_of(request), filled(request, PasswordsForm)
        if form.value is None:
            return self._page(request, form.view())
        asked = ChangePassword(
            change_id=uuid7(),
            source=source_of(request),
            session=signed_in.session_id,
            old_password=form.value.old_password,
            new_password=form.value.new_password,
        )
        changed = await self._kit.bus.call(asked, DEADLINE_S)
        if changed.code is not None:
            is_new = changed.code.startswith("password_")
            form.refuse("new_password" if is_new else "old_password", sentence(changed.code))
            return self._page(request, form.view())
        key = await self._kit.form_keys.keep(signed_in.citizen_id, PASSWORD.name, Changed())
        await self._kit.form_keys.act(signed_in.citizen_id, PASSWORD.name, key, _nothing)
        response = redirect(request, f"{PASSWORD.path}/done?form={key}")
        if changed.session is not None:
            self._kit.sessions.renew(response, changed)
        return response

    async def done(self, request: web.Request) -> web.Response:
        """Its receipt."""
        key: UUID = query_of(request, FormKey).form
        receipt = await self._kit.form_keys.receipt(signed_in_of(request).citizen_id, PASSWORD.name, key, Changed)
        return answer(
            request, "citizen/password_done.html", title=_("パスワードの変更の完了"), what=PASSWORD, receipt=receipt
        )

    @staticmethod
    def _page(request: web.Request, form: FormView) -> web.Response:
        return answer(
            request,
            "citizen/change_input.html",
            title=_("パスワードの変更"),
            status=422 if form.errors else 200,
            failed=bool(form.errors),
            back=PATH,
            form=form,
            action=PASSWORD.path,
            now=[],
            next=_("変更する"),
        )


async def _nothing() -> Changed:
    return Changed()
