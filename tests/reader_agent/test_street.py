"""What a street's software asks of the agent beside it, over real HTTP: who may, how often, and with whose consent."""

import re
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from demo.ports import free_port
from reader_agent.page import Page
from reader_agent.page_html import Standing
from reader_agent.street import pairing
from reader_agent.street.card_reads import CardReads
from reader_agent.street.door import StreetDoor
from reader_agent.street.hub_asking import HubAsking
from reader_agent.street.pairing import CODE_TRIES, PAIRING_FILE, Pairing
from reader_agent.typed_numbers import TypedNumbers
from schemas.problems import RefusalCode
from schemas.uplink import FromAgent, StreetCardAsk, StreetCardTold
from tests.reader_agent.test_page import TERMINAL
from tests.waiting import wait_until

pytestmark = pytest.mark.loopback
MEMBER = "520625"
POLL_S = 0.06
"""Who asks more often than it may is sent away."""


@dataclass
class Software:
    """The street's software, and the person in front of the agent's page."""

    client: ClientSession
    page: Page
    token: str = ""

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Status and answer."""
        if self.token:
            headers = {"Authorization": f"Bearer {self.token}"} | headers
        url = f"{self.page.url}street/v1{path}"
        sent: dict[str, Any] = {} if body is None else {"json": body}
        async with self.client.request(method, url, headers=headers, **sent) as answer:
            told = await answer.json() if answer.content_type == "application/json" else await answer.text()
            return answer.status, told

    async def press(self, path: str, **typed: str) -> int:
        """A button of the page."""
        headers, data = {"Origin": self.page.url.rstrip("/")}, {"token": self.page.token} | typed
        url = self.page.url.rstrip("/") + path
        async with self.client.post(url, headers=headers, data=data, allow_redirects=False) as answer:
            return answer.status

    async def shown(self) -> str:
        """The page."""
        async with self.client.get(self.page.url) as answer:
            return await answer.text()

    async def code(self) -> str:
        """A code, as the page shows it."""
        assert await self.press("/street-pairing", act="draw") == 303
        found = re.search(r"<strong>([2-9A-Z]{4}-[2-9A-Z]{4})</strong>", await self.shown())
        assert found is not None
        return found[1]

    async def pair(self) -> None:
        """By the code on the page."""
        status, told = await self.ask("POST", "/pairings", {"code": await self.code()})
        assert status == 201, told
        self.token = told["token"]

    async def start(self) -> str:
        """A read that waits for the person's consent."""
        status, told = await self.ask("POST", "/card-reads")
        assert (status, told["state"]) == (202, "consent")
        return str(told["read_id"])

    async def ended(self, read_id: str) -> Mapping[str, str]:
        """What came of it."""

        async def over() -> Mapping[str, str]:
            status, told = await self.ask("GET", f"/card-reads/{read_id}")
            assert status == 200, told
            return told if told["state"] in {"done", "failed"} else {}

        return await wait_until(over, every_s=POLL_S)


class Hub:
    """Answers what it is asked over the uplink, at once or never."""

    def __init__(self, asking: HubAsking) -> None:
        self.asking = asking
        self.asked: list[UUID] = []
        self.is_silent = False

    async def hear(self, said: FromAgent) -> None:
        assert isinstance(said, StreetCardAsk)
        self.asked.append(said.ask_id)
        if not self.is_silent:
            self.asking.told(StreetCardTold(ask_id=said.ask_id, member_id=MEMBER))


@asynccontextmanager
async def beside(folder: Path, asking: HubAsking, kept_s: float = 60.0) -> AsyncIterator[Software]:
    """An agent's page with its street door, and the software."""

    async def enrol(_typed: Mapping[str, str]) -> None:
        raise NotImplementedError

    def door(changed: Any) -> StreetDoor:  # noqa: ANN401 - as the page gives it
        return StreetDoor(Pairing(folder), CardReads(asking.ask, changed, kept_s=kept_s))

    page = Page(free_port(), Standing(terminal=TERMINAL), TypedNumbers(), enrol, door)
    async with page, ClientSession() as client:
        yield Software(client, page)


@pytest.fixture
async def hub() -> Hub:
    asking = HubAsking()
    hub = Hub(asking)
    asking.connected(hub.hear)
    return hub


@pytest.fixture
async def software(tmp_path: Path, hub: Hub) -> AsyncIterator[Software]:
    async with beside(tmp_path, hub.asking) as software:
        yield software


async def test_a_read_with_consent_tells_the_street_point_id_and_nothing_else(software: Software, hub: Hub) -> None:
    with capture_logs() as logged:
        await software.pair()
        read_id = await software.start()
        assert hub.asked == []
        assert "同意する" in await software.shown()
        assert (await software.ask("POST", "/card-reads"))[1]["code"] == RefusalCode.terminal_busy
        assert await software.press("/street-consent", read_id=read_id, answer="yes") == 303
        assert await software.ended(read_id) == {"read_id": read_id, "state": "done", "member_id": MEMBER}
        assert hub.asked == [UUID(read_id)]
        assert await software.press("/street-consent", read_id=read_id, answer="yes") == 422
        assert "同意する" not in await software.shown()
    assert MEMBER not in repr(logged)
    assert software.token not in repr(logged)


async def test_without_consent_nobody_is_asked(software: Software, hub: Hub) -> None:
    await software.pair()
    read_id = await software.start()
    assert await software.press("/street-consent", read_id=str(UUID(int=1)), answer="yes") == 422
    assert await software.press("/street-consent", read_id=read_id, answer="no") == 303
    told = await software.ended(read_id)
    assert (told["state"], told["code"]) == ("failed", RefusalCode.read_cancelled)
    assert told["detail"]
    assert told["detail_ja"]
    assert "member_id" not in told
    assert hub.asked == []


async def test_a_hub_that_is_away_or_lost_is_told_as_that(software: Software, hub: Hub) -> None:
    await software.pair()
    hub.is_silent = True
    read_id = await software.start()
    await software.press("/street-consent", read_id=read_id, answer="yes")
    await wait_until(lambda: bool(hub.asked))
    hub.asking.disconnected()
    assert (await software.ended(read_id))["code"] == RefusalCode.terminal_gone
    read_id = await software.start()
    await software.press("/street-consent", read_id=read_id, answer="yes")
    assert (await software.ended(read_id))["code"] == RefusalCode.terminal_away


async def test_a_result_is_forgotten_after_a_while(tmp_path: Path, hub: Hub) -> None:
    async with beside(tmp_path, hub.asking, kept_s=2.0) as software:
        await software.pair()
        read_id = await software.start()
        await software.press("/street-consent", read_id=read_id, answer="yes")
        await software.ended(read_id)

        async def is_gone() -> bool:
            return (await software.ask("GET", f"/card-reads/{read_id}"))[0] == 404

        await wait_until(is_gone, every_s=POLL_S)


async def test_a_token_is_kept_as_a_hash_and_outlives_a_restart_until_it_is_ended(tmp_path: Path, hub: Hub) -> None:
    async with beside(tmp_path, hub.asking) as software:
        await software.pair()
    kept = tmp_path / PAIRING_FILE
    assert software.token.encode() not in kept.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    async with beside(tmp_path, hub.asking) as again:
        again.token = software.token
        await again.start()
        assert await again.press("/street-pairing", act="end") == 303
        assert not kept.exists()
        assert (await again.ask("POST", "/card-reads"))[0] == 401
        await again.pair()
        before, again.token = again.token, ""
        await again.pair()
        assert (await again.ask("POST", "/card-reads", Authorization=f"Bearer {before}"))[0] == 401


async def test_a_code_is_good_once_and_for_few_guesses(software: Software, monkeypatch: pytest.MonkeyPatch) -> None:
    code = await software.code()
    assert (await software.ask("POST", "/pairings", {"code": code.lower().replace("-", "")}))[0] == 201
    status, told = await software.ask("POST", "/pairings", {"code": code})
    assert (status, told["code"]) == (403, "pairing_code")
    code = await software.code()
    for _ in range(CODE_TRIES):
        assert (await software.ask("POST", "/pairings", {"code": "AAAA-AAAA"}))[0] == 403
    assert (await software.ask("POST", "/pairings", {"code": code}))[0] == 403
    assert code not in await software.shown()
    monkeypatch.setattr(pairing, "CODE_GOOD_FOR_S", 0.0)
    await software.press("/street-pairing", act="draw")
    assert "接続コード：" not in await software.shown()


@pytest.mark.parametrize(
    "header", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_a_web_page_gets_nothing(software: Software, header: dict[str, str]) -> None:
    await software.pair()
    for method, path in (("POST", "/card-reads"), ("GET", "/card-reads/1"), ("POST", "/pairings")):
        status, told = await software.ask(method, path, **header)
        assert (status, told["code"]) == (403, "from_browser")
    assert (await software.ask("OPTIONS", "/card-reads"))[0] == 405
    assert (await software.ask("POST", "/card-reads", Host="evil.example"))[0] == 421


async def test_who_is_not_paired_or_says_it_wrongly_gets_an_error_in_both_languages(software: Software) -> None:
    for token in ("", "mks_wrong"):
        status, told = await software.ask("POST", "/card-reads", Authorization=f"Bearer {token}")
        assert (status, told["code"]) == (401, "token")
        assert told["detail"].isascii()
        assert "接続" in told["detail_ja"]
    bodies: tuple[object, ...] = ({}, {"code": 1}, {"code": "A" * 21}, {"code": "AAAA-AAAA", "more": 1}, [])
    for body in bodies:
        status, told = await software.ask("POST", "/pairings", body)
        assert (status, told["code"]) == (400, "body")
    await software.pair()
    assert (await software.ask("POST", "/card-reads", {"terminal_id": "T1"}))[0] == 400
    assert (await software.ask("GET", "/card-reads/1"))[0] == 404


async def test_too_many_are_sent_away_and_strangers_do_not_use_up_what_the_paired_one_has(software: Software) -> None:
    await software.pair()
    token, software.token = software.token, ""
    statuses = [(await software.ask("GET", "/card-reads/1"))[0] for _ in range(30)]
    assert set(statuses) == {401, 429}
    software.token = token
    for _ in range(10):
        read_id = await software.start()
        await software.press("/street-consent", read_id=read_id, answer="no")
        await software.ended(read_id)
    status, told = await software.ask("POST", "/card-reads")
    assert (status, told["code"]) == (429, "too_many")


async def test_it_is_off_unless_it_is_set() -> None:
    async def enrol(_typed: Mapping[str, str]) -> None:
        raise NotImplementedError

    page = Page(free_port(), Standing(terminal=TERMINAL), TypedNumbers(), enrol)
    async with page, ClientSession() as client:
        software = Software(client, page)
        assert (await software.ask("GET", "/card-reads/1"))[0] == 404
        assert (await software.ask("POST", "/pairings", {"code": "AAAA-AAAA"}))[0] == 403
        assert await software.press("/street-pairing", act="draw") == 404
        assert "商店街のソフト" not in await software.shown()
