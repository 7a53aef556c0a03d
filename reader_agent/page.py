"""The agent's own page on 127.0.0.1: how the terminal stands, its enrolment, and where a PIN is typed.

A page of any other site may neither read it nor act on it: exact Host, exact Origin and a token of this start for every
act, no CORS, no frames. What is typed here is in no log and in no address.
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self
from unicodedata import normalize

from aiohttp import web
from aiohttp.typedefs import Handler

from reader_agent.enrolment import EnrolmentRefusedError, HubUnreachableError
from reader_agent.fingerprint import FingerprintError
from reader_agent.hub_tls import HubAuthorityError
from reader_agent.page_html import Question, Shown, Standing, StreetShown, page
from reader_agent.ports import PinRefusedError
from reader_agent.private_files import OpenToOthersError
from reader_agent.street.door import PREFIX as STREET
from reader_agent.street.door import StreetDoor
from reader_agent.typed_numbers import TypedNumbers
from schemas.uplink import CardJob

HOST: Final = "127.0.0.1"
BODY_LIMIT_BYTES: Final = 8 * 1024
FORM: Final = "application/x-www-form-urlencoded"
SHAPES: Final = {"pin": re.compile(r"[0-9]{4}"), "password": re.compile(r"[0-9A-Z]{6,16}")}
STOP_LIMIT_S: Final = 2.0
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # `no-referrer` would make browsers say `Origin: null` for our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "mykey-agent",
}

_FAULTS: Final = {
    HubUnreachableError: "センターに接続できません。ネットワークを確認して、もう一度「登録」を押してください。",
    FingerprintError: "この端末の情報を読み取れません。もう一度「登録」を押してください。",
    HubAuthorityError: "センターの証明書ファイル（hub_ca_file）を読み取れません。管理者に連絡してください。",
    OpenToOthersError: "鍵ファイルを他の利用者が読める状態です。管理者に連絡してください。",
}
_BAD_SHAPE: Final = {"pin": "暗証番号は数字4桁です。", "password": "パスワードは英数字6～16文字です。"}
_TOO_LATE: Final = "時間切れになったか、取り消されました。"
_NO_NUMBER: Final = "カード番号として読み取れません。もう一度お試しください。"

Enrol = Callable[[Mapping[str, str]], Awaitable[None]]
"""Sends what was typed into the enrolment form; raises what `enrolment.enrol` does."""


@dataclass(frozen=True, slots=True)
class _Asking:
    question: Question
    answer: "asyncio.Future[str]"


class Page:
    """The page, and with it the agent's PIN pad (ports.PinPad). An async context manager: inside it is served."""

    def __init__(
        self,
        port: int,
        standing: Standing,
        numbers: TypedNumbers,
        enrol: Enrol,
        street: Callable[[Callable[[], None]], StreetDoor] | None = None,
    ) -> None:
        """`numbers`: who waits for a card's number that is typed here; `enrol`: what becomes of the form.

        `street`: makes the door for a street's software, given what tells that the page is to show something else.
        """
        self._numbers = numbers
        self.token = secrets.token_urlsafe(32)
        self._standing = standing
        self._enrol = enrol
        self._enrolling = asyncio.Lock()
        self._port = port
        self._host = f"{HOST}:{port}"
        self._version = 0
        self._asking: _Asking | None = None
        self._street = None if street is None else street(self.changed)
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=STOP_LIMIT_S)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._street is not None:
            self._street.reads.forget()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self._host}/"

    def changed(self) -> None:
        """Something that it shows is other than before."""
        self._version += 1

    # what a card job wants (ports.PinPad)

    async def ask(self, job: CardJob, tries_left: int) -> str:
        """See ports.PinPad."""
        return await self._asked("pin", job, tries_left)

    async def ask_signature_password(self, job: CardJob, tries_left: int) -> str:
        """See ports.PinPad."""
        return await self._asked("password", job, tries_left)

    async def _asked(self, kind: Literal["pin", "password"], job: CardJob, tries_left: int) -> str:
        if self._asking is not None:
            raise PinRefusedError
        is_more = kind == "password" and job.again is not None
        question = Question(kind, job.job_id, job.purpose, tries_left, is_more=is_more)
        self._asking = _Asking(question, asyncio.get_running_loop().create_future())
        self.changed()
        try:
            return await self._asking.answer
        finally:
            self._asking = None
            self.changed()

    # HTTP

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._door], client_max_size=BODY_LIMIT_BYTES)
        app.on_response_prepare.append(_dress)
        app.router.add_get("/", self._show, allow_head=False)
        app.router.add_get("/version", self._tell_version, allow_head=False)
        app.router.add_get("/enrolment", self._show_enrolment, allow_head=False)
        app.router.add_post("/enrolment", self._take_enrolment)
        app.router.add_post("/pin", self._take_secret)
        app.router.add_post("/cancel", self._cancel)
        app.router.add_post("/number", self._take_number)
        if self._street is not None:
            self._street.add_to(app.router)
            app.router.add_post("/street-consent", self._take_consent)
            app.router.add_post("/street-pairing", self._change_pairing)
        return app

    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only our own page, in this machine's browser, gets through."""
        if request.headers.getall("Host", []) != [self._host]:
            raise web.HTTPMisdirectedRequest(text="Host")
        if self._street is not None and request.path.startswith(STREET):
            return await self._street.guarded(request, handler)
        if request.method == "POST":
            if request.headers.getall("Origin", []) != [f"http://{self._host}"]:
                raise web.HTTPForbidden(text="Origin")
            if request.content_type != FORM:
                raise web.HTTPUnsupportedMediaType(text=FORM)
            if not hmac.compare_digest((await _typed(request)).get("token", "").encode(), self.token.encode()):
                raise web.HTTPForbidden(text="token")
        return await handler(request)

    async def _show(self, _request: web.Request) -> web.Response:
        return self._page()

    async def _show_enrolment(self, _request: web.Request) -> web.Response:
        return self._page(enrolling=True)

    async def _tell_version(self, _request: web.Request) -> web.Response:
        consents = self._street is not None and self._street.reads.wants_consent is not None
        asks = self._asking is not None or self._numbers.is_wanted or consents
        return web.json_response({"version": self._now, "asks": asks})

    @property
    def _now(self) -> str:
        """Other where the page shows something else."""
        return f"{self._version}{'n' * self._numbers.is_wanted}"

    async def _take_secret(self, request: web.Request) -> web.Response:
        """Only for the job it was asked for: what is typed too late is forgotten."""
        typed = await _typed(request)
        asking = self._asked_for(typed)
        if asking is None:
            return self._page(fault=_TOO_LATE)
        secret = normalize("NFKC", typed.get("secret", "")).upper()
        if SHAPES[asking.question.kind].fullmatch(secret) is None:
            return self._page(fault=_BAD_SHAPE[asking.question.kind])
        asking.answer.set_result(secret)
        raise web.HTTPSeeOther("/")

    async def _cancel(self, request: web.Request) -> web.Response:
        asking = self._asked_for(await _typed(request))
        if asking is not None:
            asking.answer.set_exception(PinRefusedError())
        raise web.HTTPSeeOther("/")

    def _asked_for(self, typed: Mapping[str, str]) -> _Asking | None:
        asking = self._asking
        if asking is None or asking.answer.done() or typed.get("job_id") != str(asking.question.job_id):
            return None
        return asking

    async def _take_number(self, request: web.Request) -> web.Response:
        if not self._numbers.feed((await _typed(request)).get("number", "")):
            return self._page(fault=_NO_NUMBER if self._numbers.is_wanted else _TOO_LATE)
        raise web.HTTPSeeOther("/")

    async def _take_consent(self, request: web.Request) -> web.Response:
        typed = await _typed(request)
        if self._street is None or not self._street.reads.answer(
            typed.get("read_id", ""), agrees=typed.get("answer") == "yes"
        ):
            return self._page(fault=_TOO_LATE)
        raise web.HTTPSeeOther("/")

    async def _change_pairing(self, request: web.Request) -> web.Response:
        typed = await _typed(request)
        if self._street is not None and typed.get("act") == "end":
            self._street.reads.forget()
            self._street.pairing.end()
        elif self._street is not None:
            self._street.pairing.draw()
        self.changed()
        raise web.HTTPSeeOther("/")

    async def _take_enrolment(self, request: web.Request) -> web.Response:
        typed = await _typed(request)
        try:
            async with self._enrolling:
                await self._enrol(typed)
        except EnrolmentRefusedError as error:
            return self._page(enrolling=True, fault=error.text, typed=typed, wrong=error.fields)
        except tuple(_FAULTS) as error:
            return self._page(enrolling=True, fault=_FAULTS[type(error)], typed=typed)
        self.changed()
        raise web.HTTPSeeOther("/")

    def _page(
        self,
        *,
        enrolling: bool = False,
        fault: str = "",
        typed: Mapping[str, str] | None = None,
        wrong: Mapping[str, str] | None = None,
    ) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        shown = Shown(
            standing=self._standing,
            token=self.token,
            nonce=nonce,
            version=self._now,
            question=None if self._asking is None or self._asking.answer.done() else self._asking.question,
            number_wanted=self._numbers.is_wanted,
            street=None if self._street is None else _street_shown(self._street),
            enrolling=enrolling,
            fault=fault,
            typed=typed or {},
            wrong=wrong or {},
        )
        return web.Response(
            text=page(shown),
            content_type="text/html",
            charset="utf-8",
            status=422 if fault else 200,
            headers={"Content-Security-Policy": _policy(f"'nonce-{nonce}'")},
        )


def _street_shown(street: StreetDoor) -> StreetShown:
    return StreetShown(street.pairing.is_paired, street.pairing.code, street.reads.wants_consent)


async def _typed(request: web.Request) -> dict[str, str]:
    """The fields of a form; aiohttp reads a body once and remembers it."""
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


async def _dress(_request: web.Request, response: web.StreamResponse) -> None:
    """Before any answer leaves, the refusals too."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Content-Security-Policy", _policy("'none'"))


def _policy(inline: str) -> str:
    return (
        f"default-src 'none'; style-src {inline}; script-src {inline}; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )
