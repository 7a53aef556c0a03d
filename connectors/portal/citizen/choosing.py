"""A MyKey ID is chosen: 「自動生成」 or an own one with 「重複チェック」 (画面16), for a new one and for a change (62).

The card has proven itself already. Each press of a button makes another draft, under a form key of its own, so that
back and reload show what was there; the registry counts the presses.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.ground.cards import CardPlace, CardRead
from connectors.portal.ground.forms import Filled, Form, FormView, Input, blank, filled
from connectors.portal.ground.inputs import MyKeyIdInput
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import FormKey, Ground, answer, once_of, redirect
from connectors.portal.ground.refusals import sentence
from hub.web.app import Route, query_of
from schemas.citizens import CheckMyKeyId, OfferMyKeyId
from schemas.problems import RefusalCode
from schemas.values import MyKeyId

TEMPLATE: Final = "citizen/choosing.html"
DEADLINE_S: Final = 5.0
TRIES: Final = 3


class Draft(BaseModel):
    """All that is known by now of a MyKey ID that is being made or changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    terminal_id: str
    operation_id: UUID
    insertion: UUID
    card_id: UUID | None = None
    """None in a draft of an earlier release, which goes on only while the terminal holds the card."""
    enrolment_id: UUID
    citizen_id: UUID
    card_expires_on: date | None = None
    offers: int = 0
    """How often 「自動生成」 was pressed."""
    checks_left: int = TRIES
    candidate: MyKeyId | None = None
    """What the registry keeps for this enrolment."""
    is_own: bool = False
    wanted: str = ""
    """What was asked for last and not kept."""
    fault: str = ""
    """Why not, of schemas.problems.REFUSALS."""
    prefecture: str = ""
    name: str = ""
    mail: str = ""
    base_lg_code: str = ""
    choices: tuple[str, ...] = ()

    @property
    def place(self) -> CardPlace:
        """Where the card is."""
        return CardPlace(self.terminal_id, self.operation_id)

    def with_(self, **changes: object) -> "Draft":
        """The next one."""
        return Draft.model_validate({**self.model_dump(), **changes})


class OwnForm(Form):
    """「重複チェック」."""

    mykey_id: Annotated[
        MyKeyIdInput,
        Input("お好きなマイキーID", hint="8桁の英大文字と数字です（例：AB12CD34）。", autocomplete="off"),
    ]


@dataclass(frozen=True, slots=True)
class Way:
    """Of which job choosing is a part: its addresses, its kept forms and their owner, the page that comes next."""

    prefix: str
    act: str
    owner: Callable[[web.Request], UUID]
    onward: str
    title: str
    step: int
    steps: tuple[str, ...]
    is_open: bool

    def shown_steps(self) -> list[str]:
        """The steps' names, in the language of the request."""
        return [_(name) for name in self.steps]


class Choosing:
    """The page and its three buttons."""

    def __init__(self, ground: Ground, way: Way) -> None:
        self._ground = ground
        self._way = way

    def routes(self) -> list[Route]:
        """All four."""
        page, prefix, is_open = self._ground.page, self._way.prefix, self._way.is_open
        return [
            page("GET", f"{prefix}/id", self.show, "Choose", "マイキーIDの選択", is_open=is_open, query=FormKey),
            page("POST", f"{prefix}/id/offer", self.offer, "Offer one", "自動生成", is_open=is_open),
            page("POST", f"{prefix}/id/check", self.check, "Check one", "重複チェック", is_open=is_open),
            page("POST", f"{prefix}/id/take", self.take, "Take it", "マイキーIDの決定", is_open=is_open),
        ]

    async def draft(self, request: web.Request, key: UUID) -> Draft:
        """What is known by now. Raises ProblemError not_found."""
        way = self._way
        return (await self._ground.kit.form_keys.kept(way.owner(request), way.act, key, Draft)).value

    async def act(
        self, request: web.Request, key: UUID, draft: Draft, do: Callable[[CardRead], Awaitable[BaseModel]]
    ) -> None:
        """Do it, once, with the very card: it signs without its PIN, as long as the terminal holds it.

        A terminal lets go of a card after some minutes. Then its PIN is asked for once more, outside of the act: a
        person takes longer than an act may. Raises RefusedError, and as `FormKeys.act` does.
        """
        kit, way = self._ground.kit, self._way

        async def with_held() -> BaseModel:
            return await do(await kit.cards.read_again(draft.place, way.act, draft.insertion))

        try:
            await kit.form_keys.act(way.owner(request), way.act, key, with_held)
        except RefusedError as refused:
            if refused.code != RefusalCode.card_removed:
                raise
            card = await kit.cards.read_anew(request, draft.place, way.act, draft.card_id)
            await kit.form_keys.act(way.owner(request), way.act, key, lambda: do(card))

    async def go_on(self, request: web.Request, draft: Draft, path: str) -> web.Response:
        """Keep the next draft and show its page."""
        way = self._way
        key = await self._ground.kit.form_keys.keep(way.owner(request), way.act, draft)
        return redirect(request, f"{way.prefix}/{path}?form={key}")

    async def show(self, request: web.Request) -> web.Response:
        """What there is to choose from."""
        key = query_of(request, FormKey).form
        return self._page(request, await self.draft(request, key), key)

    async def offer(self, request: web.Request) -> web.Response:
        """「自動生成」: again at most to 3; the third is the one to register."""
        filled(request, Form)
        draft = await self.draft(request, once_of(request))
        asked = OfferMyKeyId(enrolment_id=draft.enrolment_id, attempt=min(draft.offers + 1, TRIES))
        candidate = await self._ground.kit.bus.call(asked, DEADLINE_S)
        offers = TRIES - candidate.tries_left
        changes = {"offers": offers, "candidate": candidate.mykey_id, "is_own": False, "wanted": "", "fault": ""}
        if offers == TRIES:
            changes["checks_left"] = 0
        return await self.go_on(request, draft.with_(**changes), "id")

    async def check(self, request: web.Request) -> web.Response:
        """「重複チェック」: a free one is kept; after 3 failures only 「自動生成」."""
        key = once_of(request)
        draft, form = await self.draft(request, key), filled(request, OwnForm)
        if form.value is None:
            return self._page(request, draft, key, form)
        return await self._checked(request, draft, form.value.mykey_id, "id")

    async def take(self, request: web.Request) -> web.Response:
        """This one it is to be, if the registry still keeps it: an earlier page has an earlier one."""
        filled(request, Form)
        draft = await self.draft(request, once_of(request))
        if draft.candidate is None:
            return await self.go_on(request, draft, "id")
        return await self._checked(request, draft, draft.candidate, self._way.onward)

    async def _checked(self, request: web.Request, draft: Draft, mykey_id: str, path: str) -> web.Response:
        """On with it; or to what is wrong with it, under a key of its own, since the registry has counted."""
        asked = CheckMyKeyId(enrolment_id=draft.enrolment_id, mykey_id=mykey_id)
        found = await self._ground.kit.bus.call(asked, DEADLINE_S)
        if found.free:
            is_own = draft.is_own or mykey_id != draft.candidate
            kept = {"candidate": mykey_id, "is_own": is_own, "wanted": "", "fault": ""}
            return await self.go_on(request, draft.with_(checks_left=found.tries_left, **kept), path)
        left = None if mykey_id == draft.candidate else draft.candidate
        refused = {"candidate": left, "wanted": mykey_id, "fault": found.code}
        return await self.go_on(request, draft.with_(checks_left=found.tries_left, **refused), "id")

    def _page(self, request: web.Request, draft: Draft, key: UUID, form: Filled[OwnForm] | None = None) -> web.Response:
        own = _own(request, draft, key) if form is None else form.view(str(key))
        return answer(
            request,
            TEMPLATE,
            title=_(self._way.title),
            status=200 if form is None else 422,
            failed=bool(own.errors),
            way=self._way,
            draft=draft,
            offers_left=TRIES - draft.offers,
            own=own,
            buttons=blank(request, Form, once=key),
        )


def _own(request: web.Request, draft: Draft, key: UUID) -> FormView:
    """The field for an own choice, with what was wrong with the last one; where there is no field any more, on top."""
    view = blank(request, OwnForm, {"mykey_id": draft.wanted}, once=key)
    if not draft.fault:
        return view
    return view.faulted("mykey_id" if draft.checks_left else "", sentence(draft.fault))
