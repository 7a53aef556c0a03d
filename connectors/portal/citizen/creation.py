"""A MyKey ID is made (画面12–17): card and PIN, the MyKey ID, who and where, confirmed with a password, done.

Nobody has logged in yet: what is known by now belongs to a guest (`connectors.portal.ground.guests`). In the end the
very card logs its new citizen in, so that nobody is left behind at a shared terminal by taking it out. What the card
proves is fresh for five minutes only, and somebody who types takes longer: so the very card proves itself again at the
end, and with its PIN where the terminal has let go of it by then.
The password is asked for on the last page and kept nowhere.
"""

from contextlib import suppress
from functools import partial
from typing import Annotated, Final
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.citizen import places
from connectors.portal.citizen.choosing import Choosing, Draft, Way
from connectors.portal.citizen.mail_choices import chosen, options, texts
from connectors.portal.ground.cards import CardPlace, CardRead
from connectors.portal.ground.cookies import Cookie
from connectors.portal.ground.forms import Form, FormView, Input, Option, blank, filled
from connectors.portal.ground.guests import guest_of, new_guest
from connectors.portal.ground.inputs import MailInput, NameInput, PasswordInput
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, answer, once_of, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import SIGNED_IN, signed_in_of
from hub import passwords
from hub.errors import TransientError
from hub.ids import uuid7
from hub.web.app import Answer, Route, query_of
from hub.web.problems import ProblemError
from schemas.logins import LogInByCard
from schemas.mykey_ids import CreateMyKeyId
from schemas.problems import RefusalCode
from schemas.values import LgCode

PREFIX: Final = "/create"
ACT: Final = "create-mykey-id"
DEADLINE_S: Final = 10.0
STEPS: Final = ("カード", "マイキーID", "利用者情報", "確認")


class DetailsForm(Form):
    """画面16: who, and where reserve points go by themselves."""

    name: Annotated[NameInput, Input("氏名", autocomplete="name")]
    mail: Annotated[MailInput, Input("メールアドレス", kind="email", autocomplete="email")]
    base_lg_code: Annotated[
        LgCode, Input("基本自治体", hint="留保ポイントは、約3週間後に基本自治体のポイントへ移ります。", kind="select")
    ]
    choices: Annotated[
        tuple[str, ...], Input("お知らせメール", hint="受け取るものを選んでください。", kind="checkboxes")
    ] = ()


class NewPasswordForm(Form):
    """The last thing asked for."""

    password: Annotated[
        PasswordInput,
        Input(
            "マイページのパスワード",
            hint="12文字以上。文字の種類は自由です。よく使われる言葉は使えません。",
            kind="password",
            autocomplete="new-password",
        ),
    ]


class Created(BaseModel):
    """What came of it; `proof_id` is the card's that it was made with, by which its citizen is logged in."""

    model_config = ConfigDict(frozen=True)

    mykey_id: str
    base: str
    proof_id: UUID | None = None


class CreationPages:
    """画面12–17, open to everybody."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit
        self._choosing = Choosing(
            ground,
            Way(PREFIX, ACT, self._owner, "place", "マイキーIDの作成・登録", 2, STEPS, is_open=True),
        )

    def routes(self) -> list[Route]:
        """In the order of the pages."""
        return [
            self._page("GET", "", self.begin),
            self._page("POST", "", self.read),
            *self._choosing.routes(),
            self._page("GET", "/place", self.place, query=FormKey),
            self._page("POST", "/place", self.take_place),
            self._page("GET", "/details", self.details, query=FormKey),
            self._page("POST", "/details", self.take_details),
            self._page("GET", "/confirm", self.confirm, query=FormKey),
            self._page("POST", "/confirm", self.create),
            self._page("GET", "/done", self.done, query=FormKey),
        ]

    async def begin(self, request: web.Request) -> web.Response:
        """画面12–14: what is needed, and where the card is."""
        return self._card_page(request, self._kit.cards.blank(request))

    async def read(self, request: web.Request) -> web.Response:
        """画面15: the card proves itself by its PIN; one that has a MyKey ID already makes no other."""
        form, terminal_id = await self._kit.cards.terminal_of(request)
        if not terminal_id:
            return self._card_page(request, form.view())
        place = CardPlace(terminal_id, uuid4())
        try:
            card = await self._kit.cards.read(request, place, ACT)
        except RefusedError as refused:
            form.refuse("card", sentence(refused.code))
            return self._card_page(request, form.view())
        if card.citizen_id is not None:
            await self._kit.cards.release(place)
            form.refuse("card", sentence(RefusalCode.card_has_mykey_id))
            return self._card_page(request, form.view())
        draft = Draft(
            terminal_id=place.terminal_id,
            operation_id=place.operation_id,
            insertion=card.insertion,
            card_id=card.card_id,
            enrolment_id=uuid4(),
            citizen_id=uuid7(),
            card_expires_on=card.expires_on,
        )
        guest = uuid4()
        key = await self._kit.form_keys.keep(guest, ACT, draft)
        response = redirect(request, f"{PREFIX}/id?form={key}")
        new_guest(self._kit.cookies, response, guest)
        return response

    async def place(self, request: web.Request) -> web.Response:
        """画面16: the prefecture of the base municipality."""
        key = query_of(request, FormKey).form
        draft = await self._choosing.draft(request, key)
        choices = await places.prefectures(self._kit)
        form = blank(request, places.PrefectureForm, {"prefecture": draft.prefecture}, choices, key)
        return self._answer(request, "citizen/creation_place.html", form=form, back=f"{PREFIX}/id?form={key}")

    async def take_place(self, request: web.Request) -> web.Response:
        """On to its municipalities."""
        key = once_of(request)
        draft = await self._choosing.draft(request, key)
        form = filled(request, places.PrefectureForm, await places.prefectures(self._kit))
        if form.value is None:
            back = f"{PREFIX}/id?form={key}"
            return self._answer(request, "citizen/creation_place.html", form=form.view(str(key)), back=back)
        return await self._choosing.go_on(request, draft.with_(prefecture=form.value.prefecture), "details")

    async def details(self, request: web.Request) -> web.Response:
        """画面16: name, mail address, mail choices, base municipality."""
        key = query_of(request, FormKey).form
        draft = await self._choosing.draft(request, key)
        given = {
            "name": draft.name,
            "mail": draft.mail,
            "base_lg_code": draft.base_lg_code,
            "choices": draft.choices,
        }
        form = blank(request, DetailsForm, given, await self._choices(draft), key)
        return self._details_page(request, key, form)

    async def take_details(self, request: web.Request) -> web.Response:
        """Kept, to be confirmed."""
        key = once_of(request)
        draft = await self._choosing.draft(request, key)
        form = filled(request, DetailsForm, await self._choices(draft))
        if form.value is None:
            return self._details_page(request, key, form.view(str(key)))
        return await self._choosing.go_on(request, draft.with_(**form.value.model_dump()), "confirm")

    async def confirm(self, request: web.Request) -> web.Response:
        """画面16: everything once more, and the password."""
        key = query_of(request, FormKey).form
        kept = await self._kit.form_keys.kept(self._owner(request), ACT, key, Draft)
        if kept.is_done:
            return redirect(request, f"{PREFIX}/done?form={key}")
        return await self._confirm_page(request, key, kept.value, blank(request, NewPasswordForm, once=key))

    async def create(self, request: web.Request) -> web.Response:
        """「登録」: everything, or nothing; and the new citizen is logged in."""
        key = once_of(request)
        draft, form = await self._choosing.draft(request, key), filled(request, NewPasswordForm)
        if form.value is None or draft.candidate is None:
            return await self._confirm_page(request, key, draft, form.view(str(key)))
        password = form.value.password
        try:
            _check(password, draft)
            await self._choosing.act(request, key, draft, lambda card: self._create(draft, password, card))
        except RefusedError as refused:
            form.refuse("password", sentence(refused.code))
            return await self._confirm_page(request, key, draft, form.view(str(key)))
        return await self._logged_in(request, key, draft)

    async def done(self, request: web.Request) -> web.Response:
        """画面17, the citizen's own from now on. A guest who could not be logged in sees it once."""
        receipt = await self._kit.form_keys.receipt(self._owner(request), ACT, query_of(request, FormKey).form, Created)
        response = self._answer(request, "citizen/creation_done.html", receipt=receipt, created=receipt.outcome)
        self._kit.cookies.drop(response, Cookie.guest)
        return response

    async def _create(self, draft: Draft, password: str, card: CardRead) -> Created:
        # Before the command: whatever fails after it would be told as if nothing had been done.
        base = await places.name_of(self._kit, draft.base_lg_code)
        asked = CreateMyKeyId(
            citizen_id=draft.citizen_id,
            proof_id=card.proof_id,
            enrolment_id=draft.enrolment_id,
            mykey_id=draft.candidate or "",
            name=draft.name,
            mail=draft.mail,
            password=password,
            base_lg_code=draft.base_lg_code,
            choices=chosen(draft.choices),
        )
        made = await self._kit.bus.call(asked, DEADLINE_S)
        if made.code is not None:
            raise RefusedError(made.code)
        await self._kit.cards.release(draft.place)
        return Created(mykey_id=asked.mykey_id, base=base, proof_id=card.proof_id)

    async def _logged_in(self, request: web.Request, key: UUID, draft: Draft) -> web.Response:
        """To what was done, in a session or, where none could begin, without."""
        response = redirect(request, f"{PREFIX}/done?form={key}")
        with suppress(TransientError, ProblemError):
            await self._log_in(request, response, key, draft)
        return response

    async def _log_in(self, request: web.Request, response: web.Response, key: UUID, draft: Draft) -> None:
        """By the very card, so that the session ends when it is taken out; the form is its citizen's from now on."""
        form_keys = self._kit.form_keys
        created = (await form_keys.receipt(self._owner(request), ACT, key, Created)).outcome
        if created.proof_id is None:
            return
        asked = LogInByCard(login_id=draft.citizen_id, proof_id=created.proof_id, purpose=ACT)
        logged_in = await self._kit.bus.call(asked, DEADLINE_S)
        if logged_in.session is not None:
            await form_keys.keep(draft.citizen_id, ACT, draft, key)
            await form_keys.act(draft.citizen_id, ACT, key, partial(_told, created))
            await self._kit.sessions.begin(request, response, logged_in)

    def _owner(self, request: web.Request) -> UUID:
        """The guest, as long as there is one; then the citizen. Raises ProblemError not_found."""
        if SIGNED_IN in request and self._kit.cookies.read(request, Cookie.guest) is None:
            return signed_in_of(request).citizen_id
        return guest_of(self._kit.cookies, request)

    async def _choices(self, draft: Draft) -> dict[str, list[Option]]:
        return {"base_lg_code": await places.municipalities(self._kit, draft.prefecture), "choices": options()}

    def _card_page(self, request: web.Request, form: FormView) -> web.Response:
        return self._answer(request, "citizen/creation_card.html", form=form, back="/")

    def _details_page(self, request: web.Request, key: UUID, form: FormView) -> web.Response:
        return self._answer(request, "citizen/creation_details.html", form=form, back=f"{PREFIX}/place?form={key}")

    async def _confirm_page(self, request: web.Request, key: UUID, draft: Draft, form: FormView) -> web.Response:
        return self._answer(
            request,
            "citizen/creation_confirm.html",
            form=form,
            back=f"{PREFIX}/details?form={key}",
            draft=draft,
            base=await places.name_of(self._kit, draft.base_lg_code),
            notices=texts(chosen(draft.choices)),
        )

    @staticmethod
    def _answer(request: web.Request, name: str, **values: object) -> web.Response:
        form, back = values.get("form"), values.pop("back", None)
        failed = isinstance(form, FormView) and bool(form.errors)
        return answer(
            request,
            name,
            title=_("マイキーIDの作成・登録"),
            status=422 if failed else 200,
            failed=failed,
            back=str(back) if back else None,
            notice=None,
            steps=[_(name) for name in STEPS],
            **values,
        )

    def _page(self, method: str, path: str, handler: Answer, query: type[BaseModel] | None = None) -> Route:
        words = ("Make a MyKey ID", "マイキーIDの作成・登録")
        return self._ground.page(method, f"{PREFIX}{path}", handler, *words, is_open=True, query=query)


async def _told(created: Created) -> Created:
    return created


def _check(password: str, draft: Draft) -> None:
    code = passwords.refusal(password, [draft.candidate or "", draft.name, draft.mail.partition("@")[0]])
    if code is not None:
        raise RefusedError(code)
