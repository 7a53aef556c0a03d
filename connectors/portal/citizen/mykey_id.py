"""Another MyKey ID (画面62), by the card and its PIN, chosen by the same two ways as the first.

Points and links stay.
"""

from typing import Final
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.citizen.choosing import Choosing, Draft, Way
from connectors.portal.citizen.profile import profile_of
from connectors.portal.ground.cards import CardPlace, CardRead
from connectors.portal.ground.forms import Form, FormView, blank, filled
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, answer, once_of, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import signed_in_of
from hub.web.app import Route, query_of
from schemas.mykey_ids import ChangeMyKeyId
from schemas.problems import RefusalCode

PREFIX: Final = "/my/mykey-id"
ACT: Final = "change-mykey-id"
DEADLINE_S: Final = 5.0
STEPS: Final = ("カード", "マイキーID", "確認")


class Changed(BaseModel):
    """What came of it."""

    model_config = ConfigDict(frozen=True)

    before: str
    after: str


class MyKeyIdPages:
    """画面62."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit
        way = Way(PREFIX, ACT, _owner, "confirm", "マイキーIDの変更", 2, STEPS, is_open=False)
        self._choosing = Choosing(ground, way)

    def routes(self) -> list[Route]:
        """Card, choice, confirmation, done."""
        page, words = self._ground.page, ("Change the MyKey ID", "マイキーIDの変更")
        return [
            page("GET", PREFIX, self.begin, *words),
            page("POST", PREFIX, self.read, *words),
            *self._choosing.routes(),
            page("GET", f"{PREFIX}/confirm", self.confirm, *words, query=FormKey),
            page("POST", f"{PREFIX}/confirm", self.change, *words),
            page("GET", f"{PREFIX}/done", self.done, *words, query=FormKey),
        ]

    async def begin(self, request: web.Request) -> web.Response:
        """Where the card is."""
        return await self._card_page(request, self._kit.cards.blank(request))

    async def read(self, request: web.Request) -> web.Response:
        """The card proves itself; it must be this citizen's."""
        form, terminal_id = await self._kit.cards.terminal_of(request)
        if not terminal_id:
            return await self._card_page(request, form.view())
        place, citizen_id = CardPlace(terminal_id, uuid4()), signed_in_of(request).citizen_id
        try:
            card = await self._own_card(request, place, citizen_id)
        except RefusedError as refused:
            form.refuse("card", sentence(refused.code))
            return await self._card_page(request, form.view())
        draft = Draft(
            terminal_id=place.terminal_id,
            operation_id=place.operation_id,
            insertion=card.insertion,
            card_id=card.card_id,
            enrolment_id=uuid4(),
            citizen_id=citizen_id,
        )
        return await self._choosing.go_on(request, draft, "id")

    async def confirm(self, request: web.Request) -> web.Response:
        """The old one and the new one."""
        key = query_of(request, FormKey).form
        kept = await self._kit.form_keys.kept(_owner(request), ACT, key, Draft)
        if kept.is_done:
            return redirect(request, f"{PREFIX}/done?form={key}")
        return await self._confirm_page(request, key, kept.value, None)

    async def change(self, request: web.Request) -> web.Response:
        """It is done, once, with the very card; by its PIN again where the terminal has let go of it."""
        key = once_of(request)
        filled(request, Form)
        draft = await self._choosing.draft(request, key)
        before = (await profile_of(request, self._kit)).mykey_id
        try:
            await self._choosing.act(request, key, draft, lambda card: self._change(draft, before, card))
        except RefusedError as refused:
            return await self._confirm_page(request, key, draft, sentence(refused.code))
        return redirect(request, f"{PREFIX}/done?form={key}")

    async def done(self, request: web.Request) -> web.Response:
        """Its receipt."""
        key = query_of(request, FormKey).form
        receipt = await self._kit.form_keys.receipt(_owner(request), ACT, key, Changed)
        return answer(
            request,
            "citizen/mykey_id_done.html",
            title=_("マイキーIDの変更の完了"),
            receipt=receipt,
            changed=receipt.outcome,
        )

    async def _own_card(self, request: web.Request, place: CardPlace, citizen_id: UUID) -> CardRead:
        card = await self._kit.cards.read(request, place, ACT)
        if card.citizen_id != citizen_id:
            await self._kit.cards.release(place)
            raise RefusedError(RefusalCode.other_citizen)
        return card

    async def _change(self, draft: Draft, before: str, card: CardRead) -> Changed:
        if draft.candidate is None:
            raise RefusedError(RefusalCode.mykey_id_not_kept)
        asked = ChangeMyKeyId(
            citizen_id=draft.citizen_id,
            proof_id=card.proof_id,
            enrolment_id=draft.enrolment_id,
            mykey_id=draft.candidate,
        )
        changed = await self._kit.bus.call(asked, DEADLINE_S)
        if changed.code is not None:
            raise RefusedError(changed.code)
        await self._kit.cards.release(draft.place)
        return Changed(before=before, after=draft.candidate)

    async def _card_page(self, request: web.Request, form: FormView) -> web.Response:
        profile = await profile_of(request, self._kit)
        return answer(
            request,
            "citizen/mykey_id_card.html",
            title=_("マイキーIDの変更"),
            status=422 if form.errors else 200,
            failed=bool(form.errors),
            back="/my/profile",
            form=form,
            steps=[_(name) for name in STEPS],
            mykey_id=profile.mykey_id,
        )

    async def _confirm_page(self, request: web.Request, key: UUID, draft: Draft, fault: str | None) -> web.Response:
        profile = await profile_of(request, self._kit)
        return answer(
            request,
            "citizen/mykey_id_confirm.html",
            title=_("マイキーIDの変更の確認"),
            status=200 if fault is None else 409,
            failed=fault is not None,
            back=f"{PREFIX}/id?form={key}",
            form=blank(request, Form, once=key),
            faults={"errors": [] if fault is None else [("", fault)]},
            steps=[_(name) for name in STEPS],
            before=profile.mykey_id,
            after=draft.candidate or "",
        )


def _owner(request: web.Request) -> UUID:
    return signed_in_of(request).citizen_id
