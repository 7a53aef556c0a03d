"""The agent's uplink against real hubs: who it trusts, what it does when it is lost, what it tells."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from demo.ports import free_port
from hub.authority import Authority
from hub.keys import Signer
from reader_agent import enrolment
from reader_agent.enrolment import EnrolledAs, Identity
from reader_agent.fingerprint import NAMES
from reader_agent.hub_tls import HubAuthorityError
from reader_agent.page_html import UplinkState
from reader_agent.running import UplinkParts
from reader_agent.settings import Settings
from reader_agent.uplink import Pauses, Uplink, keep_up
from reader_agent.uplink_handshake import Self
from schemas.card_jobs import CardAnswer, PresenceOf
from schemas.problems import RefusalCode
from schemas.terminals import EnrolmentAnswer, SuspendTerminal, TerminalKind
from schemas.uplink import (
    PATH,
    AgentFrame,
    CardEvent,
    Challenge,
    Closing,
    Hello,
    Outcome,
    Proof,
    ReaderState,
    Role,
    Welcome,
    handshake_text,
)
from tests.connectors.terminal.agents import CITY, DEADLINE_S, RECIPE, Hub, Terminal, enrolled, hub_key, hubs, read_card
from tests.connectors.terminal.outside import TerminalProcess, leading_to
from tests.reader_agent.desk import MemoryDesk, NoPinPad
from tests.reader_agent.no_merges import NoMerges
from tests.waiting import wait_until

FORM = {
    "terminal_id": "T232343ABCDEF",
    "one_time_password": "7KQX-9M2D-41ZB-H8RC",
    "name": "試験 花子",
    "section": "図書館係",
    "phone": "03-0000-0000",
    "mail": "library@city.example",
    "address": "本町1-1",
}
QUICK = Pauses(first_s=0.05, last_s=0.2, long_s=0.2)


@dataclass
class AtWork:
    """An uplink that runs, its desk, and what it told of itself."""

    desk: MemoryDesk
    states: list[UplinkState]

    async def becomes(self, state: UplinkState) -> None:
        """Wait for it."""
        await wait_until(lambda: self.states[-1:] == [state], DEADLINE_S)


def who_is(terminal: Terminal, **changes: Any) -> Self:  # noqa: ANN401 - the fields of Self
    """All that the agent of a terminal knows."""
    made = Self(
        terminal_id=terminal.terminal_id,
        hub_origin=terminal.origin,
        hub_key=hub_key(),
        key=terminal.key,
        fingerprint=terminal.fingerprint,
        value_digests=terminal.values,
        recipe=RECIPE,
        version="test",
    )
    return replace(made, **changes)


@asynccontextmanager
async def at_work(
    who: Self, desk: MemoryDesk | None = None, pauses: Pauses = QUICK, tls: ssl.SSLContext | None = None
) -> AsyncIterator[AtWork]:
    """Run it, for as long as this lasts."""
    made = AtWork(desk or MemoryDesk(), [])
    running = asyncio.create_task(
        Uplink(who, made.desk, NoPinPad(), made.desk, NoMerges(), made.states.append, pauses=pauses, tls=tls).run()
    )
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert made.states[-1] == "off"


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Hub]:
    async with hubs(database_url, ["registry", "terminal"]) as opened:
        yield opened[0]


@pytest.fixture
async def terminal(hub: Hub) -> Terminal:
    return (await enrolled(hub.bus, hub.url))[0]


async def asked(hub: Hub, terminal: Terminal, **changes: Any) -> CardAnswer:  # noqa: ANN401 - the fields of the ask
    ask = read_card(terminal, **changes)
    return await hub.bus.call(ask, ask.deadline_s)


async def test_a_card_proves_itself_over_the_wire(hub: Hub, terminal: Terminal) -> None:
    async with at_work(who_is(terminal)) as agent:
        await agent.becomes("on")
        answer = await asked(hub, terminal)
        assert answer.is_done
        assert answer.proof is not None
        job, origin, terminal_id = agent.desk.asked[0]
        assert (origin, terminal_id) == (hub.url, terminal.terminal_id)
        assert (answer.proof.job_id, answer.proof.nonce) == (job.job_id, job.nonce)
    assert agent.states == ["connecting", "on", "off"]


async def test_nothing_is_proven_to_a_hub_that_was_not_pinned(hub: Hub, terminal: Terminal) -> None:
    other = Signer(Ed25519PrivateKey.generate()).verifier.pem
    with capture_logs() as logged:
        async with at_work(who_is(terminal, hub_key=other)) as agent:
            await agent.becomes("refused")
    assert "terminal_connected" not in {one["event"] for one in logged}
    assert hub.process.components


async def test_a_suspended_terminal_says_so(hub: Hub, terminal: Terminal) -> None:
    async with at_work(who_is(terminal)) as agent:
        await agent.becomes("on")
        await hub.bus.call(SuspendTerminal(terminal_id=terminal.terminal_id, reason="盗難"), DEADLINE_S)
        await agent.becomes("suspended")


async def test_an_agent_with_another_key_is_refused(terminal: Terminal) -> None:
    async with at_work(who_is(terminal, key=Ed25519PrivateKey.generate())) as agent:
        await agent.becomes("refused")


async def test_who_is_replaced_stays_away_for_a_while(terminal: Terminal) -> None:
    def lost(logged: list[Any]) -> list[int]:
        return [one["code"] for one in logged if one["event"] == "uplink_lost"]

    async with at_work(who_is(terminal), pauses=Pauses(first_s=0.05, long_s=1000)) as first:
        await first.becomes("on")
        # Captured from before the second one comes: the first is told in the same moment as the second.
        with capture_logs() as logged:
            async with at_work(who_is(terminal)) as second:
                await second.becomes("on")
                await wait_until(lambda: lost(logged), DEADLINE_S)
                assert lost(logged) == [Closing.replaced]
                assert second.states == ["connecting", "on"]
        assert first.states == ["connecting", "on"]


async def test_a_job_is_broken_off_with_the_connection_and_the_card_released(hub: Hub, terminal: Terminal) -> None:
    desk = MemoryDesk(waits=True)
    asking: asyncio.Task[CardAnswer]
    async with at_work(who_is(terminal), desk) as agent:
        await agent.becomes("on")
        asking = asyncio.create_task(asked(hub, terminal))
        await wait_until(lambda: desk.asked)
        assert (await asked(hub, terminal)).outcome is Outcome.busy
    assert (await asking).code == RefusalCode.terminal_gone
    assert desk.done[-1] == "release"


async def test_the_hub_is_told_of_the_reader_also_after_a_new_connection(hub: Hub, terminal: Terminal) -> None:
    card, other = uuid4(), uuid4()
    desk = MemoryDesk()
    desk.said.put_nowait(ReaderState(connected=True))
    for insertion in (card, other):
        desk.said.put_nowait(CardEvent(what="inserted", insertion=insertion))

    async def told() -> tuple[bool, object]:
        found = await hub.bus.call(PresenceOf(terminal_ids=[terminal.terminal_id]), DEADLINE_S)
        presence = found.terminals.get(terminal.terminal_id)
        return (False, None) if presence is None else (presence.has_reader, presence.insertion)

    async def becomes(state: tuple[bool, object]) -> None:
        async def is_so() -> bool:
            return await told() == state

        await wait_until(is_so, DEADLINE_S)

    async with at_work(who_is(terminal), desk) as agent:
        await agent.becomes("on")
        await becomes((True, other))
        desk.said.put_nowait(CardEvent(what="removed", insertion=other))
        await becomes((True, card))
        # As after a crash of the database: what is unlogged is gone.
        async with hub.process.database_of("terminal").transaction() as tx:
            await tx.execute("DELETE FROM terminal.presence")
        await wait_until(lambda: agent.states == ["connecting", "on", "connecting", "on"], DEADLINE_S)
        await becomes((True, card))
        desk.said.put_nowait(ReaderState(connected=False))
        await becomes((False, None))


async def test_a_killed_hub_process_is_left_for_another_one(database_url: str) -> None:
    origin_port, ports = free_port(), (free_port(), free_port())
    origin = f"http://127.0.0.1:{origin_port}"
    async with hubs(database_url, ["registry", "terminal"], http_port=ports[1], public_url=origin) as (kept,):
        (terminal,) = await enrolled(kept.bus, origin)
        killed = await TerminalProcess.start(database_url, ports[0], origin, ["terminal"])
        desk = MemoryDesk(waits=True)
        try:
            async with leading_to(origin_port, ports), at_work(who_is(terminal), desk) as agent:
                await agent.becomes("on")
                asking = asyncio.create_task(asked(kept, terminal))
                await wait_until(lambda: desk.asked, DEADLINE_S)
                await killed.kill()
                assert (await asking).code == RefusalCode.terminal_gone
                await agent.becomes("on")
                desk.waits = False
                assert (await asked(kept, terminal)).is_done
        finally:
            await killed.kill()


async def test_an_enrolled_machine_connects_as_what_it_is(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment, "machine_values", lambda: dict.fromkeys(NAMES, "of the test"))
    identity = Identity(tmp_path)
    found = identity.fingerprint()
    (terminal,) = await enrolled(
        hub.bus,
        hub.url,
        key=identity.agent_key(),
        fingerprint=found.digest,
        values=dict(found.value_digests),
    )
    desk, states = MemoryDesk(), list[UplinkState]()
    answer = EnrolmentAnswer(
        terminal_id=terminal.terminal_id, kind=TerminalKind.point_use, lg_code=CITY, place="市役所", hub_key=hub_key()
    )
    settings, known = Settings(hub_url=hub.url), EnrolledAs(hub_url=hub.url, terminal=answer)
    parts = UplinkParts(settings, identity, known, desk, NoPinPad(), desk, NoMerges(), states.append)
    running = asyncio.create_task(keep_up(parts))
    await wait_until(lambda: states[-1:] == ["on"], DEADLINE_S)
    assert (await asked(hub, terminal)).is_done
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("content", [None, "", "no certificate"], ids=["missing", "empty", "bad"])
async def test_a_hub_is_not_dialled_without_the_authorities_that_are_set(tmp_path: Path, content: str | None) -> None:
    file, desk, identity = tmp_path / "ours.pem", MemoryDesk(), Identity(tmp_path)
    if content is not None:
        file.write_text(content)
    settings = Settings(hub_url="https://127.0.0.1:9", hub_ca_file=file)
    answer = EnrolmentAnswer(
        terminal_id="T232343ABCDEF", kind=TerminalKind.point_use, lg_code=CITY, place="市役所", hub_key=hub_key()
    )
    known = EnrolledAs(hub_url=settings.hub_url, terminal=answer)
    states: list[UplinkState] = []
    with pytest.raises(HubAuthorityError, match=r"ours\.pem"):
        await keep_up(UplinkParts(settings, identity, known, desk, NoPinPad(), desk, NoMerges(), states.append))
    with pytest.raises(HubAuthorityError):
        await enrolment.enrol(settings, identity, FORM)


def test_without_tls_a_hub_is_on_this_machine() -> None:
    terminal = Terminal("T232343ABCDEF", Ed25519PrivateKey.generate(), bytes(32), {}, "http://hub.example")
    states: list[UplinkState] = []
    with pytest.raises(ValueError, match="https"):
        Uplink(who_is(terminal), MemoryDesk(), NoPinPad(), MemoryDesk(), NoMerges(), states.append)


class Impostor:
    """Somebody who has the hub's key, and says what the test has it say."""

    def __init__(self, frames: list[str]) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.frames = frames
        self.heard: list[str] = []

    async def talk(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        hello = Hello.model_validate_json(await socket.receive_str())
        nonce = bytes(32)
        origin = f"{request.scheme}://{request.host}"
        text = handshake_text(Role.hub, origin, hello.terminal_id, nonce, hello.agent_nonce, hello.fingerprint)
        challenge = Challenge(hub_nonce=nonce, signature=Signer(self.key).sign(text))
        await socket.send_str(challenge.model_dump_json())
        Proof.model_validate_json(await socket.receive_str())
        for frame in (Welcome().model_dump_json(), *self.frames):
            await socket.send_str(frame)
        async for message in socket:
            self.heard.append(str(message.data))
        return socket


@asynccontextmanager
async def served(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{site.port}"
    finally:
        await runner.cleanup()


JOB = '{"seq":%d,"said":{"kind":"number","job_id":"00000000-0000-7000-8000-00000000000%d","limit_s":5}}'


@pytest.mark.loopback
@pytest.mark.parametrize(
    "frames",
    [
        [JOB % (2, 1)],
        [JOB % (1, 1), JOB % (1, 2)],
        [JOB % (1, 1), JOB % (3, 2)],
        ["{}"],
        [JOB.replace("5}", "0}") % (1, 1)],
    ],
    ids=["late", "repeated", "gap", "no frame", "no time"],
)
async def test_a_hub_that_is_out_of_turn_is_hung_up_on(frames: list[str]) -> None:
    impostor = Impostor(frames)
    app = web.Application()
    app.router.add_get(PATH, impostor.talk)
    async with served(app) as origin:
        terminal = Terminal("T232343ABCDEF", Ed25519PrivateKey.generate(), bytes(32), {}, origin)
        who = who_is(terminal, hub_key=Signer(impostor.key).verifier.pem)
        with capture_logs() as logged:
            async with at_work(who):
                await wait_until(lambda: "uplink_frame_refused" in {one["event"] for one in logged})
    answers = [AgentFrame.model_validate_json(one) for one in impostor.heard]
    assert [one.seq for one in answers] == list(range(1, len(answers) + 1))


@pytest.mark.loopback
async def test_a_certificate_that_nobody_trusts_is_none(tmp_path: Path) -> None:
    authority = Authority(tmp_path, timedelta(days=1))
    there = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    there.load_cert_chain(*authority.issue("hub", "127.0.0.1"))
    impostor = Impostor([])
    app = web.Application()
    app.router.add_get(PATH, impostor.talk)
    async with served(app, there) as origin:
        terminal = Terminal("T232343ABCDEF", Ed25519PrivateKey.generate(), bytes(32), {}, origin)
        who = who_is(terminal, hub_key=Signer(impostor.key).verifier.pem)
        with capture_logs() as logged:
            async with at_work(who) as agent:
                await wait_until(lambda: "ClientConnectorCertificateError" in {one.get("error") for one in logged})
                assert "on" not in agent.states
        async with at_work(who, tls=ssl.create_default_context(cafile=authority.ca_file)) as agent:
            await agent.becomes("on")


@pytest.mark.loopback
async def test_a_hub_leads_nowhere_else() -> None:
    visited: list[str] = []

    async def visit(request: web.Request) -> web.Response:
        visited.append(request.path)
        return web.Response()

    async def lead_on(_request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    app = web.Application()
    app.router.add_get(PATH, lead_on)
    app.router.add_get("/elsewhere", visit)
    async with served(app) as origin:
        terminal = Terminal("T232343ABCDEF", Ed25519PrivateKey.generate(), bytes(32), {}, origin)
        with capture_logs() as logged:
            async with at_work(who_is(terminal)) as agent:
                await wait_until(lambda: "uplink_lost" in {one["event"] for one in logged})
                assert agent.states[0] == "connecting"
    assert visited == []
