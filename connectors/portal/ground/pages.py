"""The way of a request to a page, and of a page to the browser.

A page file has a class that is given the `Ground` and lists its routes with `Ground.page`. Its handlers read the form
with `forms.filled`, ask the workers by `Kit.bus`, and return `answer(request, "citizen/x.html", title=…, …)` or
`redirect(request, "/my/x")`. Who may come, tokens, cookies and headers are taken care of here.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from connectors.portal.ground.cards import Cards
from connectors.portal.ground.cookies import VALUE_LIMIT_CHARS, Cookie, Cookies
from connectors.portal.ground.csrf import Csrf
from connectors.portal.ground.frame import Frame, Language, MenuItem
from connectors.portal.ground.guesses import Guesses
from connectors.portal.ground.headers import page_headers
from connectors.portal.ground.language import LANGUAGE, _
from connectors.portal.ground.look import Look
from connectors.portal.ground.onetime import FormKeys
from connectors.portal.ground.rendering import Screens
from connectors.portal.ground.sent import FORM_TOKEN, FORM_TYPE, ONCE, SENT, TOKEN, read_sent
from connectors.portal.ground.sessions import MY_PAGE, SIGNED_IN, Sessions, new_visit
from hub.bus import Bus
from hub.clock import Clock
from hub.keys import Hasher
from hub.settings import Settings
from hub.web.answers import REFERENCE, new_nonce
from hub.web.app import PUBLIC, Answer, Audience, Route
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

HTML: Final = "text/html"
SEE_OTHER: Final = 303

Menu = Callable[[web.Request], Sequence[MenuItem]]


class PageProblemError(ProblemError):
    """A problem with a sentence of its own for a person: what is the matter, and what to do."""

    def __init__(self, code: ProblemCode, title: str, text: str) -> None:
        super().__init__(code)
        self.title = title
        self.text = text


class FormKey(BaseModel):
    """The query of a page about one kept form: `?form=<key>`. The key is worth nothing without its owner's session."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: UUID


class Addresses:
    """Addresses of pages that may be gone back to, those with an id in them included."""

    def __init__(self) -> None:
        self._plain: set[str] = set()
        self._patterns: list[re.Pattern[str]] = []

    def add(self, path: str) -> None:
        """A route's path, in aiohttp's form."""
        if "{" in path:
            self._patterns.append(web.DynamicResource(path).get_info()["pattern"])
        else:
            self._plain.add(path)

    def __contains__(self, path: str) -> bool:
        """Whether a page is there."""
        return path in self._plain or any(one.fullmatch(path) for one in self._patterns)


@dataclass(frozen=True, slots=True, eq=False)
class Kit:
    """What all audiences share."""

    look: Look
    screens: Screens
    cookies: Cookies
    csrf: Csrf
    sessions: Sessions
    form_keys: FormKeys
    cards: Cards
    coupons: Hasher
    """By which coupon numbers are known (schemas.grants.COUPON_KEY)."""
    guesses: Guesses
    bus: Bus
    clock: Clock
    settings: Settings
    opened: Addresses = field(default_factory=Addresses)
    """Of pages that need no log-in, whoever's audience: the language is changed on all of them."""

    @property
    def demo(self) -> bool:
        """Whether this is the demo, where everything is made up."""
        return self.settings.demo_file is not None


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What all pages of one audience share; `onward` are the addresses that a log-in may lead to."""

    kit: Kit
    audience: Audience
    service: str
    home: str
    log_in: str
    log_out: str
    menu: Menu
    onward: Addresses = field(default_factory=Addresses)

    def is_page(self, address: str) -> bool:
        """Whether one of our own pages is there: nothing else is gone back to."""
        path = address.partition("?")[0]
        return (path in self.onward or path in self.kit.opened) and address.isprintable()

    def page(
        self,
        method: str,
        path: str,
        handler: Answer,
        summary: str,
        summary_ja: str,
        *,
        is_open: bool = False,
        is_guests: bool = False,
        query: type[BaseModel] | None = None,
    ) -> Route:
        """One route. `is_open` is for everybody; the others need a log-in, and GETs among them may be where it leads.

        A POST is let in only from our own pages and with a form's token, and its form is read before the handler.
        `is_guests` is for a form that ends the session: its token is `guest_token`, good before and after that.
        """
        if method == "GET":
            (self.kit.opened if is_open else self.onward).add(self.audience.prefix + path)
        words = (summary, summary_ja)
        return self._route(method, path, handler, words, query, is_open=is_open, is_guests=is_guests)

    def aside(
        self, path: str, handler: Answer, summary: str, summary_ja: str, query: type[BaseModel] | None = None
    ) -> Route:
        """A GET that needs a log-in and that nobody is led back to: a picture, an answer that is good once."""
        return self._route("GET", path, handler, (summary, summary_ja), query)

    def _route(
        self,
        method: str,
        path: str,
        handler: Answer,
        words: tuple[str, str],
        query: type[BaseModel] | None,
        *,
        is_open: bool = False,
        is_guests: bool = False,
    ) -> Route:
        async def guarded(request: web.Request) -> web.StreamResponse:
            await self.prepare(request)
            if request.method == "POST":
                await self._check(request, _guest_binding(request) if is_guests else _binding(request))
            return await handler(request)

        return Route(
            audience=self.audience,
            method=method,
            path=path,
            handler=guarded,
            summary=words[0],
            summary_ja=words[1],
            permission=PUBLIC if is_open else MY_PAGE,
            query=query,
            consumes=(FORM_TYPE,) if method == "POST" else (),
            produces=(HTML,),
        )

    async def prepare(self, request: web.Request) -> None:
        """Know who looks, in which language, and which visit it is."""
        self.prepare_unknown(request)
        await self.kit.sessions.find(request)
        request[FORM_TOKEN] = self.kit.csrf.token(_binding(request))

    def prepare_unknown(self, request: web.Request) -> None:
        """The same, without asking who it is."""
        request[GROUND] = self
        request[VISIT] = self.kit.cookies.read(request, Cookie.visit) or new_visit()
        request[FORM_TOKEN] = self.kit.csrf.token(_binding(request))
        LANGUAGE.set("en" if self.kit.cookies.read(request, Cookie.language) == "en" else "ja")

    def say(self, response: web.Response, flash: str) -> None:
        """Have the next page show a sentence, once."""
        self.kit.cookies.set(response, Cookie.flash, _packed(flash))

    async def _check(self, request: web.Request, binding: str) -> None:
        if not self.kit.csrf.is_from_us(request):
            raise _stale()
        request[SENT] = sent = await read_sent(request)
        if not self.kit.csrf.is_token(sent.one(TOKEN), binding):
            raise _stale()


GROUND: Final = web.RequestKey("ground", Ground)
VISIT: Final = web.RequestKey("visit", str)


def browser_of(request: web.Request) -> bytes:
    """32 bytes that stand for this browser in this log-in: what began elsewhere does not end here."""
    return sha256(_binding(request).encode()).digest()


def _binding(request: web.Request) -> str:
    """What a token is good for: this browser's visit, and in it this log-in, whatever the session's id is now."""
    signed_in = request.get(SIGNED_IN)
    if signed_in is None:
        return request[VISIT]
    return f"{request[VISIT]}|{signed_in.citizen_id}|{signed_in.session.begun_at.isoformat()}"


def guest_token(request: web.Request) -> str:
    """A form token that is good for this browser's guest, whoever has logged in or out meanwhile."""
    return request[GROUND].kit.csrf.token(_guest_binding(request))


def _guest_binding(request: web.Request) -> str:
    guest = request[GROUND].kit.cookies.read(request, Cookie.guest)
    if guest is None:
        raise _stale()
    return f"guest|{guest}"


def _stale() -> PageProblemError:
    return PageProblemError(
        ProblemCode.forbidden,
        "この画面は古くなっています",
        "操作は行われていません。お手数ですが、ページを開き直して、もう一度操作してください。",
    )


def once_of(request: web.Request) -> UUID:
    """The one-time key that came with the form. Raises ProblemError bad_request."""
    try:
        return UUID(request[SENT].one(ONCE))
    except ValueError as error:
        raise ProblemError(ProblemCode.bad_request, "No form key.", "送信内容の形式が正しくありません。") from error


def answer(
    request: web.Request,
    name: str,
    *,
    title: str,
    status: int = 200,
    failed: bool = False,
    back: str | None = None,
    notice: str | None = None,
    **values: object,
) -> web.Response:
    """The page `name` (`citizen/home.html`) in its frame.

    `failed` marks a form that is shown again with its errors; `notice` is a sentence on top, where nothing is flashed.
    """
    ground = request[GROUND]
    nonce = new_nonce()
    flash = _unpacked(ground.kit.cookies.read(request, Cookie.flash))
    frame = _frame(request, title, nonce, failed=failed, back=back, flash=flash or notice)
    response = web.Response(
        text=ground.kit.screens.render(name, frame, **values),
        status=status,
        content_type=HTML,
        charset="utf-8",
        headers=page_headers(nonce),
    )
    if ground.kit.cookies.read(request, Cookie.visit) is None:
        ground.kit.cookies.set(response, Cookie.visit, request[VISIT])
    if flash is not None:
        ground.kit.cookies.drop(response, Cookie.flash)
    return response


def _frame(request: web.Request, title: str, nonce: str, *, failed: bool, back: str | None, flash: str | None) -> Frame:
    ground = request[GROUND]
    is_signed_in = SIGNED_IN in request
    language: Language = LANGUAGE.get()
    return Frame(
        title=title,
        service=_(ground.service),
        lang=language,
        home=ground.home if is_signed_in else "/",
        menu=ground.menu(request) if is_signed_in else (),
        nonce=nonce,
        form_token=request[FORM_TOKEN],
        signed_in=is_signed_in,
        demo=ground.kit.demo,
        failed=failed,
        back=back,
        flash=flash,
        reference=str(request[REFERENCE].request_id),
        here=request.path_qs if request.method == "GET" and ground.is_page(request.path_qs) else ground.home,
        logout=ground.log_out,
    )


def redirect(request: web.Request, path: str, flash: str | None = None) -> web.Response:
    """On to another of our pages, by GET (303); `flash` is a sentence shown there once.

    Raises ValueError for an address that is not ours.
    """
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//") or "\\" in path:
        raise ValueError(path)
    response = web.Response(status=SEE_OTHER, headers={"Location": path, **page_headers(new_nonce())})
    if flash is not None:
        request[GROUND].say(response, flash)
    return response


def to_log_in(request: web.Request) -> web.Response:
    """On to the log-in, and from there back to where somebody wanted to go, if that is one of our pages.

    A session's cookie stays until the log-in is shown: the answer to an earlier click may just have brought a new one.
    """
    ground = request[GROUND]
    response = redirect(request, ground.log_in)
    if request.method == "GET" and request.path in ground.onward:
        packed = _packed(request.path_qs)
        if len(packed) <= VALUE_LIMIT_CHARS:
            ground.kit.cookies.set(response, Cookie.onward, packed)
    return response


def onward(request: web.Request) -> str:
    """Where to go after the log-in: where somebody wanted to, if that is on the list, else home."""
    ground = request[GROUND]
    wanted = _unpacked(ground.kit.cookies.read(request, Cookie.onward)) or ""
    return wanted if wanted.partition("?")[0] in ground.onward and "\n" not in wanted else ground.home


def _packed(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except ValueError:
        return None
