"""The agent's page over real HTTP: who gets through, what is typed, and where that may be seen."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
import structlog
from aiohttp import ClientSession

from demo.ports import free_port
from reader_agent.enrolment import EnrolmentRefusedError
from reader_agent.page import Page
from reader_agent.page_html import Standing
from reader_agent.ports import PinRefusedError
from reader_agent.typed_numbers import TypedNumbers
from schemas.terminals import EnrolmentAnswer, TerminalKind
from schemas.uplink import CardJob
from tests.waiting import wait_until

pytestmark = pytest.mark.loopback
PIN = "4711"
TERMINAL = EnrolmentAnswer(
    terminal_id="T232343ABCDEF", kind=TerminalKind.point_use, lg_code="232343", place="<b>店</b>", hub_key=""
)
ACTS = ("/enrolment", "/pin", "/cancel", "/number")


@dataclass
class Visitor:
    """Somebody in front of the page."""

    page: Page
    client: ClientSession
    standing: Standing
    numbers: TypedNumbers
    forms: list[Mapping[str, str]] = field(default_factory=list)
    refusal: EnrolmentRefusedError | None = None

    @property
    def origin(self) -> str:
        return self.page.url.rstrip("/")

    async def enrol(self, typed: Mapping[str, str]) -> None:
        self.forms.append(typed)
        if self.refusal is not None:
            raise self.refusal
        self.standing.terminal = TERMINAL

    async def get(self, path: str = "/", **headers: str) -> tuple[int, str, Mapping[str, str]]:
        async with self.client.get(self.origin + path, headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers

    async def post(self, path: str, headers: Mapping[str, str] | None = None, **typed: Any) -> tuple[int, str]:  # noqa: ANN401
        async with self.client.post(
            self.origin + path,
            data={"token": self.page.token} | typed,
            headers={"Origin": self.origin} | dict(headers or {}),
            allow_redirects=False,
        ) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    standing, numbers = Standing(terminal=TERMINAL), TypedNumbers()

    async def enrol(typed: Mapping[str, str]) -> None:
        await made.enrol(typed)

    async with Page(free_port(), standing, numbers, enrol) as page, ClientSession() as client:
        made = Visitor(page, client, standing, numbers)
        yield made


def job() -> CardJob:
    return CardJob(job_id=uuid4(), limit_s=10, purpose="register-service-id", nonce=bytes(32))


async def asked(visitor: Visitor, text: str = 'action="/pin"') -> str:
    """The page, once it asks."""

    async def shows() -> str | None:
        _, page, _ = await visitor.get()
        return page if text in page else None

    await wait_until(shows)
    return (await visitor.get())[1]


async def test_it_shows_how_the_terminal_stands_and_nothing_as_html(visitor: Visitor) -> None:
    visitor.standing.uplink, visitor.standing.reader = "on", True
    status, page, _ = await visitor.get()
    assert status == 200
    assert "T232343ABCDEF" in page
    assert "&lt;b&gt;店&lt;/b&gt;" in page
    assert "<b>店" not in page
    assert '<html lang="ja">' in page
    assert '<noscript><meta http-equiv="refresh"' in page


async def test_a_pin_is_typed_for_the_job_that_asks(visitor: Visitor) -> None:
    wanted = job()
    asking = asyncio.create_task(visitor.page.ask(wanted, 2))
    page = await asked(visitor)
    assert "サービスIDの登録" in page
    assert "あと2回間違えるとロックされます。" in page
    assert "http-equiv" not in page
    assert (await visitor.post("/pin", job_id=str(uuid4()), secret=PIN))[0] == 422
    status, again = await visitor.post("/pin", job_id=str(wanted.job_id), secret="12 4")
    assert (status, "数字4桁です" in again, PIN in again) == (422, True, False)
    assert (await visitor.post("/pin", job_id=str(wanted.job_id), secret="４７１１"))[0] == 303
    assert await asking == PIN
    assert (await visitor.post("/pin", job_id=str(wanted.job_id), secret=PIN))[0] == 422


async def test_a_signature_password_is_typed_in_any_width_and_case(visitor: Visitor) -> None:
    wanted = job()
    asking = asyncio.create_task(visitor.page.ask_signature_password(wanted, 5))
    await asked(visitor)
    assert (await visitor.post("/pin", job_id=str(wanted.job_id), secret="abc1"))[0] == 422
    assert (await visitor.post("/pin", job_id=str(wanted.job_id), secret="abc12３"))[0] == 303
    assert await asking == "ABC123"


async def test_a_reissued_cards_signature_certificate_can_wait(visitor: Visitor) -> None:
    again = job().model_copy(update={"again": uuid4(), "address_change": True})
    asking = asyncio.create_task(visitor.page.ask_signature_password(again, 5))
    page = await asked(visitor)
    assert "カードが新しくなりました" in page
    assert ">今はしない</button>" in page
    assert (await visitor.post("/cancel", job_id=str(again.job_id)))[0] == 303
    with pytest.raises(PinRefusedError):
        await asking
    asking = asyncio.create_task(visitor.page.ask(again, 3))
    assert "今はしない" not in await asked(visitor)
    asking.cancel()
    await asyncio.wait([asking])


async def test_cancelled_by_a_person_or_by_the_deadline(visitor: Visitor) -> None:
    wanted = job()
    asking = asyncio.create_task(visitor.page.ask(wanted, 3))
    await asked(visitor)
    assert (await visitor.post("/cancel", job_id=str(wanted.job_id)))[0] == 303
    with pytest.raises(PinRefusedError):
        await asking
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await visitor.page.ask(wanted, 3)
    assert 'action="/pin"' not in (await visitor.get())[1]


async def test_a_number_is_typed_by_a_reader_that_types(visitor: Visitor) -> None:
    waiting = asyncio.create_task(visitor.numbers.next_number())
    await asked(visitor, 'action="/number"')
    assert (await visitor.post("/number", number="<script>"))[0] == 422
    assert (await visitor.post("/number", number=" A１234567A "))[0] == 303
    assert await waiting == "A1234567A"


async def test_who_looks_is_told_when_to_look_again(visitor: Visitor) -> None:
    async def version() -> Any:  # noqa: ANN401 - any JSON
        async with visitor.client.get(f"{visitor.origin}/version") as answer:
            return await answer.json()

    before = await version()
    asking = asyncio.create_task(visitor.page.ask(job(), 3))
    await asked(visitor)
    assert before["asks"] is False
    assert (await version())["asks"] is True
    assert (await version())["version"] != before["version"]
    asking.cancel()


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "[::1]"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_another_host_gets_nothing(visitor: Visitor, host: str, method: str) -> None:
    host = host.replace("localhost", visitor.origin.rpartition("/")[2].replace("127.0.0.1", "localhost"))
    headers = {"Host": host, "Origin": visitor.origin}
    data = {"token": visitor.page.token} if method == "POST" else None
    path = "/cancel" if method == "POST" else "/"
    async with visitor.client.request(method, visitor.origin + path, headers=headers, data=data) as answer:
        assert answer.status == 421
        assert visitor.page.token not in await answer.text()


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1", "https", ""])
async def test_an_act_from_another_page_is_refused(visitor: Visitor, path: str, origin: str) -> None:
    origin = visitor.origin.replace("http", "https") if origin == "https" else origin
    assert (await visitor.post(path, headers={"Origin": origin}))[0] == 403
    async with visitor.client.post(visitor.origin + path, data={"token": visitor.page.token}) as answer:
        assert answer.status == 403
    assert visitor.forms == []


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize("token", ["", "wrong", "ｔｏｋｅｎ"])
async def test_an_act_without_the_token_of_this_start_is_refused(visitor: Visitor, path: str, token: str) -> None:
    assert (await visitor.post(path, token=token))[0] == 403
    assert visitor.forms == []


@pytest.mark.parametrize("path", ["/pin", "/cancel", "/number"])
async def test_reading_does_nothing(visitor: Visitor, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "OPTIONS"):
        async with visitor.client.request(method, visitor.origin + path) as answer:
            assert answer.status == 405
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_other_bodies_are_refused(visitor: Visitor) -> None:
    headers = {"Origin": visitor.origin}
    async with visitor.client.post(f"{visitor.origin}/pin", json={"secret": PIN}, headers=headers) as answer:
        assert answer.status == 415
    assert (await visitor.post("/pin", secret="1" * 20_000))[0] == 413


@pytest.mark.parametrize("path", ["/", "/enrolment", "/version", "/nowhere", "/pin"])
async def test_no_answer_can_be_framed_kept_or_guessed(visitor: Visitor, path: str) -> None:
    _, _, headers = await visitor.get(path)
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "mykey-agent"


async def test_each_page_has_a_nonce_of_its_own(visitor: Visitor) -> None:
    found = set()
    for _ in range(2):
        _, page, headers = await visitor.get()
        (nonce,) = set(re.findall(r'nonce="([^"]+)"', page))
        assert f"script-src 'nonce-{nonce}'" in headers["Content-Security-Policy"]
        found.add(nonce)
    assert len(found) == 2


async def test_what_is_typed_is_in_no_log(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wanted = job()
    with structlog.testing.capture_logs() as logged:
        asking = asyncio.create_task(visitor.page.ask(wanted, 3))
        await asked(visitor)
        for secret in (f"{PIN}x", PIN):
            await visitor.post("/pin", job_id=str(wanted.job_id), secret=secret)
        assert await asking == PIN
        visitor.refusal = EnrolmentRefusedError("refused")
        await visitor.post("/enrolment", one_time_password="MARKER99")
    seen = caplog.text + repr(logged)
    assert PIN not in seen
    assert "MARKER99" not in seen


async def test_the_enrolment_form_keeps_what_was_typed_but_the_password(visitor: Visitor) -> None:
    visitor.standing.terminal = None
    assert "端末の登録" in (await visitor.get())[1]
    faults = {"phone": "電話番号が違います。", "issuer_id": "番号が違います。<i>", "recipe": "端末が違います。"}
    visitor.refusal = EnrolmentRefusedError("入力内容を\n<b>", faults)
    status, page = await visitor.post("/enrolment", terminal_id="T1", one_time_password="MARKER99", name='"><b>')
    assert status == 422
    assert "<title>エラー：端末の登録" in page
    assert "入力内容を<br>&lt;b&gt;" in page
    assert re.findall(r"<li>(.*?)</li>", page) == [
        '<a href="#issuer_id">番号が違います。&lt;i&gt;</a>',
        '<a href="#phone">電話番号が違います。</a>',
        "端末が違います。",
    ]
    assert '<p class="wrong" id="issuer_id-fault">番号が違います。&lt;i&gt;</p>' in page
    assert 'value="T1"' in page
    assert "&quot;&gt;&lt;b&gt;" in page
    assert "MARKER99" not in page
    assert re.search(r'name="issuer_id"[^>]*aria-invalid="true" aria-describedby="issuer_id-fault"', page)
    assert page.count("aria-invalid") == len(["issuer_id", "phone", "in the style"])
    visitor.refusal = None
    assert (await visitor.post("/enrolment", terminal_id="T1", one_time_password="X"))[0] == 303
    assert "端末の状態" in (await visitor.get())[1]


async def test_it_listens_on_this_machine_alone(visitor: Visitor) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/", visitor.page.url)
    assert int(visitor.page.url.rstrip("/").rpartition(":")[2]) < 32_768
