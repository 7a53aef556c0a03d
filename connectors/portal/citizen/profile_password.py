"""Another password (画面59), by the old one, or by the card and its PIN where that was forgotten.

Every other session of the citizen ends; nothing typed is kept.
"""

from contextlib import suppress
from typing import Annotated, Final
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.citizen.changing import What
from connectors.portal.citizen.identity import PURPOSE
from connectors.portal.citizen.profile import PATH
from connectors.portal.ground.cards import CardPlace
from connectors.portal.ground.forms import Form, FormView, Input, blank, filled
from connectors.portal.ground.inputs import PasswordInput
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, answer, once_of, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import signed_in_of, source_of
from hub.errors import TransientError
from hub.web.app import Route, query_of
from schemas.logins import ChangePassword, LoggedIn
from schemas.problems import RefusalCode

PASSWORD: Final = What("password", "パスワード", "パスワードを変更しました。")
DEADLINE_S: Final = 10.0


NEW: Final = f"{PASSWORD.path}/new"
NewPassword = Annotated[
    PasswordInput,
    Input(
        "新しいパスワード",
        hint="12文字以上。文字の種類は自由です。よく使われる言葉は使えません。",
        kind="password",
        autocomplete="new-password",
    ),
]


class PasswordsForm(Form):
    """Old and new."""

    old_password: Annotated[PasswordInput, Input("今のパスワード", kind="password", autocomplete="current-password")]
    new_password: NewPassword


class NewPasswordForm(Form):
    """The new one, where a card has said who it is."""

    new_password: NewPassword


class Proven(BaseModel):
    """A card of this citizen's, which has said who it is; none where the old password does."""

    model_config = ConfigDict(frozen=True)

    proof_id: UUID | None = None


class Changed(BaseModel):
    """That it was done: nothing of what was typed."""

    model_config = ConfigDict(frozen=True)


class PasswordPages:
    """画面59."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit

    def routes(self) -> list[Route]:
        """Input, the way by the card, done."""
        page, words = self._ground.page, ("Change the password", "パスワードの変更")
        return [
            page("GET", PASSWORD.path, self.show, *words),
            page("POST", PASSWORD.path, self.change, *words),
            page("POST", f"{PASSWORD.path}/card", self.read, *words),
            page("GET", NEW, self.ask, *words, query=FormKey),
            page("POST", NEW, self.replace, *words),
            page("GET", f"{PASSWORD.path}/done", self.done, *words, query=FormKey),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """The input, and the other way."""
        return self._page(request, _blank(request), self._kit.cards.blank(request))

    async def change(self, request: web.Request) -> web.Response:
        """Whoever has the old session id is logged out, this browser has a new one; once, under the page's own key."""
        key, signed_in, form = once_of(request), signed_in_of(request), filled(request, PasswordsForm)
        if form.value is None:
            return self._page(request, form.view(str(key)), self._kit.cards.blank(request))
        asked = ChangePassword(
            change_id=await self._kit.form_keys.keep(signed_in.citizen_id, PASSWORD.name, Proven(), key),
            source=source_of(request),
            session=signed_in.session_id,
            old_password=form.value.old_password,
            new_password=form.value.new_password,
        )
        try:
            return await self._changed_once(request, asked)
        except RefusedError as refused:
            is_new = refused.code.startswith("password_")
            form.refuse("new_password" if is_new else "old_password", sentence(refused.code))
        return self._page(request, form.view(str(key)), self._kit.cards.blank(request))

    async def read(self, request: web.Request) -> web.Response:
        """The card says who it is, so that the old password is not needed; the new one is asked for next."""
        form, terminal_id = await self._kit.cards.terminal_of(request)
        if terminal_id:
            try:
                proven = await self._proven(request, CardPlace(terminal_id, uuid4()))
            except RefusedError as refused:
                form.refuse("card", sentence(refused.code))
            else:
                key = await self._kit.form_keys.keep(signed_in_of(request).citizen_id, PASSWORD.name, proven)
                return redirect(request, f"{NEW}?form={key}")
        return self._page(request, _blank(request), form.view())

    async def ask(self, request: web.Request) -> web.Response:
        """The new one. Where it was changed already, its receipt."""
        key, citizen_id = query_of(request, FormKey).form, signed_in_of(request).citizen_id
        kept = await self._kit.form_keys.kept(citizen_id, PASSWORD.name, key, Proven)
        if kept.is_done:
            return redirect(request, f"{PASSWORD.path}/done?form={key}")
        return self._new_page(request, blank(request, NewPasswordForm, once=key))

    async def replace(self, request: web.Request) -> web.Response:
        """By what the card has proven, once."""
        key, signed_in = once_of(request), signed_in_of(request)
        proven = (await self._kit.form_keys.kept(signed_in.citizen_id, PASSWORD.name, key, Proven)).value
        form = filled(request, NewPasswordForm)
        if form.value is None:
            return self._new_page(request, form.view(str(key)))
        asked = ChangePassword(
            change_id=key,
            source=source_of(request),
            session=signed_in.session_id,
            proof_id=proven.proof_id,
            new_password=form.value.new_password,
        )
        try:
            return await self._changed_once(request, asked)
        except RefusedError as refused:
            form.refuse("new_password", sentence(refused.code))
        return self._new_page(request, form.view(str(key)))

    async def done(self, request: web.Request) -> web.Response:
        """Its receipt."""
        key: UUID = query_of(request, FormKey).form
        receipt = await self._kit.form_keys.receipt(signed_in_of(request).citizen_id, PASSWORD.name, key, Changed)
        return answer(
            request, "citizen/password_done.html", title=_("パスワードの変更の完了"), what=PASSWORD, receipt=receipt
        )

    async def _proven(self, request: web.Request, place: CardPlace) -> Proven:
        card = await self._kit.cards.read(request, place, PURPOSE)
        await self._kit.cards.release(place)
        if card.citizen_id != signed_in_of(request).citizen_id:
            raise RefusedError(RefusalCode.other_citizen)
        return Proven(proof_id=card.proof_id)

    async def _changed_once(self, request: web.Request, asked: ChangePassword) -> web.Response:
        """Under the form's own key. Of two clicks the second is told the same session as the first."""
        key, citizen_id, told = asked.change_id, signed_in_of(request).citizen_id, list[LoggedIn]()

        async def do() -> Changed:
            told.append(await self._changed(asked))
            return Changed()

        await self._kit.form_keys.act(citizen_id, PASSWORD.name, key, do)
        response = redirect(request, f"{PASSWORD.path}/done?form={key}")
        with suppress(TransientError):
            changed = told[0] if told else await self._kit.bus.call(asked, DEADLINE_S)
            if changed.session is not None:
                self._kit.sessions.renew(response, changed)
        return response

    async def _changed(self, asked: ChangePassword) -> LoggedIn:
        changed = await self._kit.bus.call(asked, DEADLINE_S)
        if changed.code is not None:
            raise RefusedError(changed.code)
        return changed

    @staticmethod
    def _page(request: web.Request, by_password: FormView, by_card: FormView) -> web.Response:
        failed = bool(by_password.errors or by_card.errors)
        return answer(
            request,
            "citizen/password_input.html",
            title=_("パスワードの変更"),
            status=422 if failed else 200,
            failed=failed,
            back=PATH,
            by_password=by_password,
            by_card=by_card,
            action=PASSWORD.path,
        )

    @staticmethod
    def _new_page(request: web.Request, form: FormView) -> web.Response:
        return answer(
            request,
            "citizen/change_input.html",
            title=_("パスワードの変更"),
            status=422 if form.errors else 200,
            failed=bool(form.errors),
            back=PASSWORD.path,
            form=form,
            action=NEW,
            now=[],
            next=_("変更する"),
        )


def _blank(request: web.Request) -> FormView:
    """Under a key of its own, so that two clicks are one change; nothing is kept until it is sent."""
    return blank(request, PasswordsForm, once=uuid4())
