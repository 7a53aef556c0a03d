"""`/street/v1` on the agent's loopback address: for programs on this machine, never for a browser's page.

Whatever says where it comes from (`Origin`, `Sec-Fetch-Site`) is a browser and is refused. Only the paired software
gets more than a refusal; it is told what a street knows a citizen by, and nothing else.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from reader_agent.street.card_reads import CardRead, CardReads
from reader_agent.street.pairing import Pairing
from reader_agent.street.rates import Rate
from schemas.problems import Refusal, RefusalCode

PREFIX: Final = "/street/v1/"
JSON: Final = "application/json"
BEARER: Final = "Bearer "
PAIRED_RATE: Final = (20.0, 40.0)
"""A second, and at once: what asks for results every 0.1 s or so gets them."""
STRANGER_RATE: Final = (1.0, 20.0)
READ_RATE: Final = (0.2, 10.0)

_TEXTS: Final[Mapping[str, tuple[HTTPStatus, str, str]]] = {
    "from_browser": (
        HTTPStatus.FORBIDDEN,
        "This is for programs, not for web pages. Ask without Origin and Sec-Fetch-Site.",
        "ウェブページからは利用できません。商店街のソフトから、OriginとSec-Fetch-Siteを付けずに送ってください。",
    ),
    "token": (
        HTTPStatus.UNAUTHORIZED,
        "This software is not paired. Have a code shown on the terminal program's page and send it to /pairings.",
        "このソフトは接続されていません。端末の画面で接続コードを表示し、/pairingsに送ってください。",
    ),
    "pairing_code": (
        HTTPStatus.FORBIDDEN,
        "The code is wrong, used or too old. Have a new one shown on the terminal program's page.",
        "接続コードが違うか、使用済みか、期限が切れています。端末の画面で新しい接続コードを表示してください。",
    ),
    "body": (
        HTTPStatus.BAD_REQUEST,
        "The body is not as documented. Send the documented JSON, with Content-Type: application/json.",
        "本文が仕様と異なります。仕様のJSONを、Content-Type: application/jsonで送ってください。",
    ),
    "no_read": (
        HTTPStatus.NOT_FOUND,
        "There is no such read, or it is too old. Begin a new one.",
        "この読み取りはないか、古すぎます。新しい読み取りを始めてください。",
    ),
    "too_many": (
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests. Wait for the seconds in Retry-After.",
        "リクエストが多すぎます。Retry-Afterの秒数を待ってから、もう一度お試しください。",
    ),
}


class PairingForm(BaseModel):
    """The code that the page shows."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    code: Annotated[str, StringConstraints(strict=True, max_length=20)]


class StreetDoor:
    """The routes; `page` puts them beside its own."""

    def __init__(self, pairing: Pairing, reads: CardReads) -> None:
        self.pairing = pairing
        self.reads = reads
        self._paired, self._strangers, self._reads = Rate(*PAIRED_RATE), Rate(*STRANGER_RATE), Rate(*READ_RATE)

    def add_to(self, router: web.UrlDispatcher) -> None:
        """All of them."""
        router.add_post(f"{PREFIX}pairings", self._pair)
        router.add_post(f"{PREFIX}card-reads", self._start)
        router.add_get(f"{PREFIX}card-reads/{{read_id}}", self._tell, allow_head=False)

    async def guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The answer, or why there is none, for whatever is under `PREFIX`."""
        if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
            return _refused("from_browser")
        is_known = self._is_known(request)
        wait_s = (self._paired if is_known else self._strangers).wait_s()
        if wait_s:
            return _too_many(wait_s)
        if not is_known and request.path != f"{PREFIX}pairings":
            return _refused("token")
        return await handler(request)

    def _is_known(self, request: web.Request) -> bool:
        given = request.headers.getall("Authorization", [])
        return len(given) == 1 and given[0].startswith(BEARER) and self.pairing.knows(given[0].removeprefix(BEARER))

    async def _pair(self, request: web.Request) -> web.Response:
        if request.content_type != JSON:
            return _refused("body")
        try:
            form = PairingForm.model_validate_json(await request.read())
        except ValidationError:
            return _refused("body")
        token = self.pairing.exchange(form.code)
        if token is None:
            return _refused("pairing_code")
        self.reads.forget()
        return _answer(HTTPStatus.CREATED, {"token": token})

    async def _start(self, request: web.Request) -> web.Response:
        # What may take no body may not be sent by a form.
        if await request.read() not in {b"", b"{}"}:
            return _refused("body")
        wait_s = self._reads.wait_s()
        if wait_s:
            return _too_many(wait_s)
        read = self.reads.start()
        if read is None:
            return _answer(HTTPStatus.CONFLICT, _told(RefusalCode.terminal_busy))
        return _answer(HTTPStatus.ACCEPTED, _shown(read))

    async def _tell(self, request: web.Request) -> web.Response:
        try:
            read = self.reads.of(UUID(request.match_info["read_id"]))
        except ValueError:
            read = None
        return _refused("no_read") if read is None else _answer(HTTPStatus.OK, _shown(read))


def _shown(read: CardRead) -> dict[str, str]:
    shown = {"read_id": str(read.read_id), "state": read.state}
    if read.state == "done" and read.member_id is not None:
        shown["member_id"] = read.member_id
    if read.state == "failed":
        shown |= _told(read.code or RefusalCode.reader_failed)
    return shown


def _told(code: str) -> dict[str, str]:
    # A hub that is newer than this agent may know more codes.
    refusal = Refusal.of(code if code in set(RefusalCode) else RefusalCode.reader_failed)
    return {"code": refusal.code.value, "detail": refusal.detail, "detail_ja": refusal.detail_ja}


def _refused(code: str) -> web.Response:
    status, detail, detail_ja = _TEXTS[code]
    return _answer(status, {"code": code, "detail": detail, "detail_ja": detail_ja})


def _too_many(wait_s: float) -> web.Response:
    answer = _refused("too_many")
    answer.headers["Retry-After"] = str(ceil(wait_s))
    return answer


def _answer(status: HTTPStatus, body: Mapping[str, str]) -> web.Response:
    text = json.dumps(body, ensure_ascii=False)
    return web.Response(text=text, status=status, content_type=JSON, charset="utf-8")
