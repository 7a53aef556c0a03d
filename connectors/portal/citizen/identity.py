"""Asked again who it is: by the password, or by the card and its PIN (mission section 3).

Before the mail address is changed, an account linked, or a MyKey ID revoked. Good for a few minutes; the session gets a
new id.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.ground.cards import CardPlace
from connectors.portal.ground.forms import Form, FormView, Input, blank, filled
from connectors.portal.ground.inputs import PasswordInput
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import Ground, Kit, answer, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import signed_in_of, source_of
from hub.web.app import Route, query_of
from schemas.logins import Confirm, LoggedIn
from schemas.problems import RefusalCode

PATH: Final = "/my/identity"
PURPOSE: Final = "confirm"
GOOD_FOR: Final = timedelta(minutes=4)
"""A little less than the registry's five minutes, so that what is shown as possible is."""
DEADLINE_S: Final = 10.0

Target = Literal["mail", "revoke", "link"]
TARGETS: Final[Mapping[Target, str]] = {
    "mail": "/my/profile/mail/confirm",
    "revoke": "/my/revoke/confirm",
    "link": "/my/link/confirm",
}


class IdentityQuery(BaseModel):
    """Which form waits for this."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    act: Target
    form: UUID


class PasswordForm(Form):
    """The present password."""

    password: Annotated[PasswordInput, Input("パスワード", kind="password", autocomplete="current-password")]


def is_identified(request: web.Request, kit: Kit) -> bool:
    """Whether the citizen was asked again just now."""
    confirmed_at = signed_in_of(request).session.confirmed_at
    return confirmed_at is not None and kit.clock.now() - confirmed_at <= GOOD_FOR


def to_identity(request: web.Request, act: Target, form: UUID) -> web.Response:
    """Ask again, then go on with that form."""
    return redirect(request, f"{PATH}?act={act}&form={form}")


class IdentityPages:
    """One page with two ways."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kit = ground.kit

    def routes(self) -> list[Route]:
        """All three."""
        page, words = self._ground.page, ("Asked again", "ご本人の確認")
        return [
            page("GET", PATH, self.show, *words, query=IdentityQuery),
            page("POST", PATH, self.by_password, *words, query=IdentityQuery),
            page("POST", f"{PATH}/card", self.by_card, *words, query=IdentityQuery),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Both ways."""
        return self._page(request, blank(request, PasswordForm), self._kit.cards.blank(request))

    async def by_password(self, request: web.Request) -> web.Response:
        """The password says who it is."""
        form = filled(request, PasswordForm)
        if form.value is not None:
            try:
                return await self._confirmed(request, password=form.value.password)
            except RefusedError as refused:
                form.refuse("password", sentence(refused.code))
        return self._page(request, form.view(), self._kit.cards.blank(request))

    async def by_card(self, request: web.Request) -> web.Response:
        """The card says who it is."""
        form, terminal_id = await self._kit.cards.terminal_of(request)
        if terminal_id:
            try:
                return await self._by_card(request, CardPlace(terminal_id, uuid4()))
            except RefusedError as refused:
                form.refuse("card", sentence(refused.code))
        return self._page(request, blank(request, PasswordForm), form.view())

    async def _by_card(self, request: web.Request, place: CardPlace) -> web.Response:
        card = await self._kit.cards.read(request, place, PURPOSE)
        response = await self._confirmed(request, proof_id=card.proof_id)
        await self._kit.cards.release(place)
        return response

    async def _confirmed(
        self, request: web.Request, password: str | None = None, proof_id: UUID | None = None
    ) -> web.Response:
        asked = Confirm(
            session=signed_in_of(request).session_id, source=source_of(request), password=password, proof_id=proof_id
        )
        confirmed: LoggedIn = await self._kit.bus.call(asked, DEADLINE_S)
        if confirmed.session is None:
            raise RefusedError(confirmed.code or RefusalCode.log_in_failed)
        query = query_of(request, IdentityQuery)
        response = redirect(request, f"{TARGETS[query.act]}?form={query.form}")
        self._kit.sessions.renew(response, confirmed)
        return response

    @staticmethod
    def _page(request: web.Request, by_password: FormView, by_card: FormView) -> web.Response:
        query = query_of(request, IdentityQuery)
        failed = bool(by_password.errors or by_card.errors)
        return answer(
            request,
            "citizen/identity.html",
            title=_("ご本人の確認"),
            status=422 if failed else 200,
            failed=failed,
            by_password=by_password,
            by_card=by_card,
            query=f"?act={query.act}&form={query.form}",
        )
