"""The agent as a whole, with a reader and an uplink of the test's own: enrolled or not, its page is there."""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from demo.ports import free_port
from reader_agent import running
from reader_agent.__main__ import main
from reader_agent.enrolment import TERMINAL_FILE, EnrolledAs
from reader_agent.hub_tls import HubAuthorityError
from reader_agent.ports import CardDesk, PinPad
from reader_agent.private_files import OpenToOthersError, write_private
from reader_agent.running import Agent, UplinkParts
from reader_agent.settings import Settings
from reader_agent.typed_numbers import TypedNumbers
from schemas.terminals import EnrolmentAnswer, TerminalKind
from schemas.uplink import CardEvent, CardJob, CardResult, NumberJob, NumberResult, ReaderState
from tests.waiting import wait_until

pytestmark = pytest.mark.loopback
HUB = "https://hub.example"
HUNG = """
import threading
from reader_agent import __main__
from reader_agent.enrolment import Identity
from reader_agent.files import dropping
from reader_agent.files.merge_folder import MergeDrop

def hang(*_):
    print("hung", flush=True)
    threading.Event().wait()

{hung} = hang
__main__.program()
"""
"""The agent's program beside a share that hangs."""
FAILS = """
import threading
from reader_agent import __main__

threading.Thread(target=threading.Event().wait).start()
__main__.main = lambda: {}["a defect"]
__main__.program()
"""
"""The same, where it fails in a way that nobody thought of while a thread hangs."""
END_LIMIT_S = 15.0


@dataclass
class Desk:
    """A reader that says what the test has it say."""

    said: "asyncio.Queue[CardEvent | ReaderState]" = field(default_factory=asyncio.Queue)

    async def prove(self, job: CardJob, pin_pad: PinPad, hub_origin: str, terminal_id: str) -> CardResult:
        raise NotImplementedError

    async def release(self) -> None:
        raise NotImplementedError

    async def number(self, job: NumberJob) -> NumberResult:
        raise NotImplementedError

    async def events(self) -> AsyncIterator[CardEvent | ReaderState]:
        while True:
            yield await self.said.get()


def keep(folder: Path, terminal_id: str = "T232343ABCDEF") -> EnrolledAs:
    """As if it had enrolled."""
    terminal = EnrolmentAnswer(
        terminal_id=terminal_id, kind=TerminalKind.voucher, lg_code="232343", place="商工会", hub_key="pem"
    )
    enrolled = EnrolledAs(hub_url=HUB, terminal=terminal)
    write_private(folder / TERMINAL_FILE, enrolled.model_dump_json().encode())
    return enrolled


@asynccontextmanager
async def at_work(
    agent: Agent, desk: Desk, links: list[UplinkParts], failing: list[Exception] | None = None
) -> AsyncIterator[ClientSession]:
    """At work, with an uplink that stays up once there is nothing in `failing` any more."""

    @asynccontextmanager
    async def open_desk(_numbers: TypedNumbers) -> AsyncIterator[CardDesk]:
        yield desk

    async def keep_up(parts: UplinkParts) -> None:
        links.append(parts)
        try:
            if failing:
                raise failing[-1]
            parts.tell("on")
            await asyncio.Event().wait()
        finally:
            links.remove(parts)

    at_it = asyncio.create_task(agent.run(open_desk, keep_up))
    async with ClientSession() as client:
        yield client
    at_it.cancel()
    await asyncio.gather(at_it, return_exceptions=True)
    assert links == []


async def shown(client: ClientSession, url: str, text: str) -> None:
    async def shows() -> bool:
        try:
            async with client.get(url) as answer:
                return text in await answer.text()
        except OSError:
            return False

    await wait_until(shows)


async def test_what_is_enrolled_connects_and_shows_what_the_reader_says(tmp_path: Path) -> None:
    enrolled = keep(tmp_path)
    agent = Agent(Settings(hub_url=HUB, page_port=free_port()), tmp_path)
    desk, links = Desk(), list[UplinkParts]()
    async with at_work(agent, desk, links) as client:
        await shown(client, agent.page.url, "<dt>センターとの接続</dt><dd>接続中</dd>")
        assert [link.enrolled for link in links] == [enrolled]
        await shown(client, agent.page.url, "見つかりません")
        desk.said.put_nowait(ReaderState(connected=True))
        card, other = uuid4(), uuid4()
        for insertion in (card, other):
            desk.said.put_nowait(CardEvent(what="inserted", insertion=insertion))
        await shown(client, agent.page.url, "挿入されています")
        desk.said.put_nowait(CardEvent(what="removed", insertion=card))
        await wait_until(desk.said.empty)
        await shown(client, agent.page.url, "挿入されています")
        desk.said.put_nowait(CardEvent(what="removed", insertion=other))
        await shown(client, agent.page.url, "ありません")
        desk.said.put_nowait(ReaderState(connected=False))
        await shown(client, agent.page.url, "見つかりません")
        again = keep(tmp_path, "T232343ZZZZZZ")
        agent._take(again)
        await wait_until(lambda: [link.enrolled for link in links] == [again])


async def test_with_a_full_disk_it_starts_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F26: the page and the uplink are there; the journal of merge files comes once there is room."""
    keep(tmp_path)
    (tmp_path / "drop").mkdir()
    settings = Settings(hub_url=HUB, page_port=free_port(), merge_folder=tmp_path / "drop")
    tries: list[Path] = []

    def full(path: Path, **_options: object) -> None:
        tries.append(path)
        raise sqlite3.OperationalError("database or disk is full")

    links = list[UplinkParts]()
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", full)
        agent = Agent(settings, tmp_path)
        async with at_work(agent, Desk(), links):
            await wait_until(lambda: len(tries) > 2)
            assert len(links) == 1
            patched.undo()
            await wait_until(lambda: agent._merges.trouble is None)


@pytest.mark.parametrize(
    "error, text",
    [
        (HubAuthorityError("ours.pem"), "hub_ca_file"),
        (OpenToOthersError("values.key"), "鍵ファイル"),
        (RuntimeError("marker"), "接続できません。自動でやり直しています"),
    ],
    ids=["no authority", "open to others", "unexpected"],
)
async def test_an_uplink_that_fails_by_itself_says_so_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    monkeypatch.setattr(running, "UPLINK_AGAIN_S", 0.05)
    keep(tmp_path)
    agent = Agent(Settings(hub_url=HUB, page_port=free_port()), tmp_path)
    failing = [error]
    with capture_logs() as logged:
        async with at_work(agent, Desk(), [], failing) as client:
            await shown(client, agent.page.url, text)
            failing.clear()
            await shown(client, agent.page.url, "<dt>センターとの接続</dt><dd>接続中</dd>")
    told = [one for one in logged if one["event"] == "uplink_failed"]
    assert told[0] == {"event": "uplink_failed", "error": type(error).__name__, "log_level": "error"}


async def test_who_enrols_anew_does_not_wait_for_what_has_failed(tmp_path: Path) -> None:
    keep(tmp_path)
    agent = Agent(Settings(hub_url=HUB, page_port=free_port()), tmp_path)
    failing: list[Exception] = [OpenToOthersError("values.key")]
    async with at_work(agent, Desk(), [], failing) as client:
        await shown(client, agent.page.url, "鍵ファイル")
        failing.clear()
        agent._take(keep(tmp_path, "T232343ZZZZZZ"))
        await shown(client, agent.page.url, "<dt>センターとの接続</dt><dd>接続中</dd>")


async def test_what_is_not_enrolled_asks_for_it_and_connects_nowhere(tmp_path: Path) -> None:
    agent = Agent(Settings(hub_url=HUB, page_port=free_port()), tmp_path)
    links = list[UplinkParts]()
    async with at_work(agent, Desk(), links) as client:
        await shown(client, agent.page.url, "端末の登録")
        assert links == []


def test_the_command_line_says_how_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--folder", str(tmp_path)]
    assert main([*folder, "status"]) == 1
    assert "agent.toml" in capsys.readouterr().err
    (tmp_path / "agent.toml").write_text(f'hub_url = "{HUB}"\npage_port = {free_port()}\n')
    assert main([*folder, "status"]) == 1
    assert "not enrolled" in capsys.readouterr().out
    keep(tmp_path)
    assert main([*folder, "status"]) == 0
    assert "T232343ABCDEF: 商工会" in capsys.readouterr().out
    main([*folder, "doctor"])
    lines = capsys.readouterr().out.splitlines()
    found = {"the hub's authorities", "this machine's values", "this terminal's key", "enrolled"}
    assert {f"ok      {one}" for one in found} <= set(lines)
    (tmp_path / TERMINAL_FILE).chmod(0o644)
    assert main([*folder, "status"]) == 1
    assert "OpenToOthersError" in capsys.readouterr().err


@asynccontextmanager
async def hung(folder: Path, what: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The agent at work, once `what` it does with files hangs; ended when this is left."""
    (folder / "drop").mkdir()
    (folder / "agent.toml").write_text(f'hub_url = "{HUB}"\npage_port = {port}\nmerge_folder = "{folder / "drop"}"\n')
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HUNG.format(hung=what), "--folder", str(folder), "run"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    try:
        assert await program.stdout.readline() == b"hung\n"
        yield program
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()


@pytest.mark.parametrize("what", ["MergeDrop._found", "Identity.fingerprint"])
async def test_it_ends_while_a_share_hangs(tmp_path: Path, what: str) -> None:
    keep(tmp_path)
    async with hung(tmp_path, what, free_port()) as program:
        program.send_signal(signal.SIGTERM)
        async with asyncio.timeout(END_LIMIT_S):
            assert await program.wait() == 0


async def test_it_ends_by_a_defect_although_a_thread_hangs() -> None:
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", FAILS, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(END_LIMIT_S):
            _, told = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
    assert program.returncode == 1
    assert b"KeyError: 'a defect'" in told


async def test_its_page_is_there_while_a_share_hangs_from_the_start(tmp_path: Path) -> None:
    keep(tmp_path)
    port = free_port()
    async with hung(tmp_path, "dropping.look_at", port) as program, ClientSession() as client:
        await shown(client, f"http://127.0.0.1:{port}/", "合算ポイントファイルの受渡しフォルダ")
        program.send_signal(signal.SIGTERM)
        async with asyncio.timeout(END_LIMIT_S):
            assert await program.wait() == 0
