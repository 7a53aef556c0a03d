"""Logging in by the card and its PIN (画面18): the session ends when the card is taken out."""

from typing import Final
from uuid import uuid4

from aiohttp import web

from connectors.portal.ground.cards import CardPlace
from connectors.portal.ground.forms import FormView
from connectors.portal.ground.language import _
from connectors.portal.ground.onetime import RefusedError
from connectors.portal.ground.pages import Ground, answer, onward, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import SIGNED_IN
from hub.ids import uuid7
from hub.web.app import Route
from schemas.logins import LoggedIn, LogInByCard
from schemas.problems import RefusalCode

PATH: Final = "/login/card"
PURPOSE: Final = "log-in"
DEADLINE_S: Final = 5.0


class CardLogInPages:
    """画面18, the other way."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def routes(self) -> list[Route]:
        """Both."""
        page, words = self._ground.page, ("Log in by card", "カードでログイン")
        return [
            page("GET", PATH, self.show, *words, is_open=True),
            page("POST", PATH, self.log_in, *words, is_open=True),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Where the card is; somebody who has logged in already goes on."""
        if SIGNED_IN in request:
            return redirect(request, onward(request))
        return self._page(request, self._ground.kit.cards.blank(request))

    async def log_in(self, request: web.Request) -> web.Response:
        """To My Page, or the form again."""
        kit = self._ground.kit
        form, terminal_id = await kit.cards.terminal_of(request)
        if terminal_id:
            try:
                logged_in = await self._log_in(request, CardPlace(terminal_id, uuid4()))
            except RefusedError as refused:
                form.refuse("card", sentence(refused.code))
            else:
                response = redirect(request, onward(request))
                await kit.sessions.begin(request, response, logged_in)
                return response
        return self._page(request, form.view())

    async def _log_in(self, request: web.Request, place: CardPlace) -> LoggedIn:
        kit = self._ground.kit
        card = await kit.cards.read(request, place, PURPOSE)
        logged_in = await kit.bus.call(LogInByCard(login_id=uuid7(), proof_id=card.proof_id), DEADLINE_S)
        await kit.cards.release(place)
        if logged_in.session is None:
            raise RefusedError(logged_in.code or RefusalCode.log_in_failed)
        return logged_in

    @staticmethod
    def _page(request: web.Request, form: FormView) -> web.Response:
        return answer(
            request,
            "citizen/card_log_in.html",
            title=_("カードでログイン"),
            status=422 if form.errors else 200,
            failed=bool(form.errors),
            back="/login",
            form=form,
        )
