"""Logging in by MyKey ID and password, and logging out (画面18, 19)."""

from typing import Annotated, Final

from aiohttp import web

from connectors.portal.ground.forms import Filled, Form, Input, Option, blank, filled
from connectors.portal.ground.inputs import MyKeyIdInput, PasswordInput
from connectors.portal.ground.language import _
from connectors.portal.ground.pages import Ground, answer, onward, redirect
from connectors.portal.ground.refusals import sentence
from connectors.portal.ground.sessions import SIGNED_IN, source_of
from hub.web.app import Route
from schemas.logins import LogIn

TEMPLATE: Final = "citizen/log_in.html"
DEADLINE_S: Final = 10.0
YES: Final = "yes"


class LogInForm(Form):
    """画面18."""

    mykey_id: Annotated[
        MyKeyIdInput, Input("マイキーID", hint="8桁の英数字です（例：AB12CD34）。", autocomplete="username")
    ]
    password: Annotated[PasswordInput, Input("パスワード", kind="password", autocomplete="current-password")]
    remember: Annotated[
        str,
        Input("この端末", hint="ご自分だけが使う端末のときだけ選んでください。", kind="checkboxes"),
    ] = ""


class LogInPages:
    """Both doors are open to everybody."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def routes(self) -> list[Route]:
        """Of the log-in and the log-out."""
        page = self._ground.page
        return [
            page("GET", "/login", self.show, "Log in", "ログイン", is_open=True),
            page("POST", "/login", self.log_in, "Log in", "ログイン", is_open=True),
            page("POST", "/logout", self.log_out, "Log out", "ログアウト"),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """画面18; somebody who has logged in already goes on. Of a session that has ended the browser forgets all."""
        if SIGNED_IN in request:
            return redirect(request, onward(request))
        is_over = self._ground.kit.sessions.is_over(request)
        notice = _("安全のため、ログアウトしました。") if is_over else None
        form = blank(request, LogInForm, choices=_choices())
        response = answer(request, TEMPLATE, title=_("ログイン"), notice=notice, form=form)
        if is_over:
            self._ground.kit.sessions.clear(response)
        return response

    async def log_in(self, request: web.Request) -> web.Response:
        """To My Page (画面19), or the form again."""
        form = filled(request, LogInForm, _choices())
        if form.value is None:
            return self._again(request, form)
        sessions = self._ground.kit.sessions
        asked = LogIn(
            mykey_id=form.value.mykey_id,
            password=form.value.password,
            source=source_of(request),
            device=sessions.device(request),
            remember=form.value.remember == YES,
        )
        logged_in = await self._ground.kit.bus.call(asked, DEADLINE_S)
        if logged_in.session is None:
            form.refuse("mykey_id", sentence(logged_in.code))
            return self._again(request, form)
        response = redirect(request, onward(request))
        await sessions.begin(request, response, logged_in)
        return response

    async def log_out(self, request: web.Request) -> web.Response:
        """The session is over, here and wherever else its id is known."""
        response = redirect(request, self._ground.log_in)
        await self._ground.kit.sessions.end(request, response)
        self._ground.say(response, _("ログアウトしました。"))
        return response

    @staticmethod
    def _again(request: web.Request, form: Filled[LogInForm]) -> web.Response:
        return answer(request, TEMPLATE, title=_("ログイン"), status=422, failed=True, form=form.view())


def _choices() -> dict[str, list[Option]]:
    return {"remember": [Option(YES, _("この端末を覚える"))]}
