"""The one thing the world may ask of this connector: no more such mails, please (RFC 8058)."""

import secrets
from importlib.resources import files
from string import Template
from typing import Final

import structlog
from aiohttp import web

from connectors.mail.unsubscribing import PATH, Unsubscribing
from hub.bus import Bus
from hub.web.answers import page_policy
from hub.web.app import PUBLIC, Audience, Route
from hub.web.limits import RateLimiter
from hub.web.problems import ProblemError
from schemas.citizens import EndMailChoice, MailChoice
from schemas.problems import ProblemCode

DEADLINE_S: Final = 5.0
RATE_PER_S: Final = 5.0
BURST: Final = 100
"""Of one address: mail providers unsubscribe for many people at once."""

_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_ASK: Final = (
    "お知らせメールの停止",
    (
        '<p>このお知らせメールを停止します。よろしければ「停止する」を押してください。</p><form method="post">'
        '<button type="submit">停止する</button></form>'
    ),
)
_DONE: Final = (
    "お知らせメールを停止しました",
    "<p>このお知らせメールを停止しました。もう一度受け取りたいときは、マイページの「お知らせメール」で設定してください。</p>",
)

log = structlog.get_logger()


class UnsubscribePages:
    """The page behind a mail's link, and the one click behind a mail program's button.

    Reading a page changes nothing: mail scanners follow links. The body of the POST is not read, because
    the token in the address says all.
    """

    def __init__(self, unsubscribing: Unsubscribing, bus: Bus) -> None:
        self._unsubscribing = unsubscribing
        self._bus = bus
        self._page = Template((files("connectors.mail") / "texts" / "page.html").read_text("utf-8"))

    def routes(self) -> list[Route]:
        """The two routes."""
        audience = Audience(
            name="mail",
            prefix="/mail",
            title="Unsubscribing",
            title_ja="お知らせメールの停止",
            rate=RateLimiter(RATE_PER_S, BURST),
            documented=False,
        )
        path = PATH.removeprefix(audience.prefix) + "/{token:[A-Za-z0-9_-]{44}}"
        ask = Route(
            audience=audience,
            method="GET",
            path=path,
            handler=self.ask,
            summary="Ask whether such mails shall stop",
            summary_ja="お知らせメールの停止の確認",
            permission=PUBLIC,
            produces=("text/html",),
        )
        stop = Route(
            audience=audience,
            method="POST",
            path=path,
            handler=self.stop,
            summary="Stop such mails",
            summary_ja="お知らせメールの停止",
            permission=PUBLIC,
            consumes=_FORM_TYPES,
            produces=("text/html",),
        )
        return [ask, stop]

    async def ask(self, request: web.Request) -> web.Response:
        """The page with the button."""
        if self._unsubscribing.read(request.match_info["token"]) is None:
            raise ProblemError(ProblemCode.not_found)
        return self._shown(*_ASK)

    async def stop(self, request: web.Request) -> web.Response:
        """Switch the choice off, where it is kept: what is known of it here may be old. Again is no error."""
        read = self._unsubscribing.read(request.match_info["token"])
        if read is None:
            raise ProblemError(ProblemCode.not_found)
        citizen_id, choice = read
        asked = EndMailChoice(citizen_id=citizen_id, choice=MailChoice(choice.value))
        if (await self._bus.call(asked, DEADLINE_S)).code is not None:
            raise ProblemError(ProblemCode.not_found)
        log.info("unsubscribed", citizen_id=str(citizen_id), choice=choice.value)
        return self._shown(*_DONE)

    def _shown(self, title: str, main: str) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        return web.Response(
            text=self._page.substitute(title=title, main=main, nonce=nonce),
            content_type="text/html",
            charset="utf-8",
            headers={"Content-Security-Policy": page_policy(nonce)},
        )
