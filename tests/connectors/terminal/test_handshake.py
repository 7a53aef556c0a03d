"""Who is let in at the agents' door, and what the others are told."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientSession, WSCloseCode
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.terminal import uplink
from schemas.problems import RefusalCode
from schemas.terminals import RenewPassword, SuspendTerminal, TerminalsOf
from schemas.uplink import PATH, CardEvent, Closing, Proof, Refused, Welcome
from tests.connectors.terminal.agents import (
    CITY,
    DEADLINE_S,
    HASH,
    Agent,
    Hub,
    Terminal,
    enrolled,
    enrolment_of,
    hubs,
    read_card,
)


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Hub]:
    async with hubs(database_url, ["registry", "terminal"]) as opened:
        yield opened[0]


@pytest.fixture
async def terminal(hub: Hub) -> Terminal:
    return (await enrolled(hub.bus, hub.url))[0]


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as made:
        yield made


@asynccontextmanager
async def dialled(session: ClientSession, hub: Hub, terminal: Terminal) -> AsyncIterator[Agent]:
    """Connected, and nobody yet."""
    async with session.ws_connect(f"{hub.url}{PATH}") as socket:
        yield Agent(socket, terminal)


async def test_the_terminal_is_let_in(hub: Hub, terminal: Terminal, session: ClientSession) -> None:
    async with dialled(session, hub, terminal) as agent:
        assert await agent.prove() == Welcome()


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": Ed25519PrivateKey.generate()},
        {"origin": "http://127.0.0.1:1"},
        {"proof": Proof(signature=bytes(64))},
    ],
    ids=["another key", "signed for another hub", "no signature"],
)
async def test_who_does_not_prove_it_is_not_let_in(
    hub: Hub, terminal: Terminal, session: ClientSession, wrong: dict[str, Any]
) -> None:
    async with dialled(session, hub, terminal) as agent:
        assert await agent.prove(**wrong) == Refused(code=RefusalCode.terminal_unproven)
        assert await agent.closed() == Closing.refused


async def test_a_proof_is_good_for_one_connection(hub: Hub, terminal: Terminal, session: ClientSession) -> None:
    sent: list[Proof] = []

    class Overheard(Agent):
        async def send(self, said: Any) -> None:  # noqa: ANN401 - whatever is said
            await super().send(said)
            sent.extend([said] if isinstance(said, Proof) else [])

    hello = terminal.hello()
    async with session.ws_connect(f"{hub.url}{PATH}") as socket:
        assert await Overheard(socket, terminal).prove(hello=hello) == Welcome()
    async with dialled(session, hub, terminal) as agent:
        assert await agent.prove(hello=hello, proof=sent[0]) == Refused(code=RefusalCode.terminal_unproven)


async def test_an_unknown_terminal_is_told_no_more_than_a_wrong_key(
    hub: Hub, terminal: Terminal, session: ClientSession
) -> None:
    async with dialled(session, hub, replace(terminal, terminal_id="T232343ZZZZZZ")) as agent:
        assert await agent.prove() == Refused(code=RefusalCode.terminal_unproven)


async def test_the_hub_signs_for_what_the_agent_sees(hub: Hub, terminal: Terminal, session: ClientSession) -> None:
    async with dialled(session, hub, replace(terminal, origin="http://127.0.0.1:1")) as agent:
        with pytest.raises(InvalidSignature):
            await agent.prove()


async def test_another_machine_suspends_the_terminal_and_names_what_changed(
    hub: Hub, terminal: Terminal, session: ClientSession
) -> None:
    moved = replace(terminal, fingerprint=bytes(32), values=terminal.values | {"board": bytes(32)})
    async with dialled(session, hub, moved) as agent:
        assert await agent.prove(key=Ed25519PrivateKey.generate()) == Refused(code=RefusalCode.terminal_unproven)
    async with dialled(session, hub, terminal) as agent:
        assert await agent.prove() == Welcome()
    async with dialled(session, hub, moved) as agent:
        assert await agent.prove() == Refused(code=RefusalCode.terminal_suspended)
        assert await agent.closed() == Closing.refused
    (kept,) = (await hub.bus.call(TerminalsOf(lg_code=CITY), DEADLINE_S)).terminals
    assert (kept.state, kept.changed) == ("suspended", ["board"])
    async with dialled(session, hub, terminal) as agent:
        assert await agent.prove() == Refused(code=RefusalCode.terminal_suspended)


async def test_a_suspended_terminal_is_hung_up_on(hub: Hub, terminal: Terminal, session: ClientSession) -> None:
    agent = await Agent.dial(session, hub, terminal)
    await hub.bus.call(SuspendTerminal(terminal_id=terminal.terminal_id, reason="盗難"), DEADLINE_S)
    assert await agent.closed() == WSCloseCode.GOING_AWAY


async def suspended(hub: Hub, terminal: Terminal) -> None:
    """Its key is good no longer."""
    await hub.bus.call(SuspendTerminal(terminal_id=terminal.terminal_id, reason="盗難"), DEADLINE_S)


async def enrolled_anew(hub: Hub, terminal: Terminal) -> None:
    """Another machine is this terminal."""
    renewed = await hub.bus.call(
        RenewPassword(terminal_id=terminal.terminal_id, password_hash=f"{HASH}anew"), DEADLINE_S
    )
    assert renewed.code is None
    other = replace(terminal, key=Ed25519PrivateKey.generate())
    taken = await hub.bus.call(enrolment_of(other, f"{HASH}anew"), DEADLINE_S)
    assert taken.code is None


@pytest.mark.parametrize(
    "happens, code",
    [(suspended, RefusalCode.terminal_suspended), (enrolled_anew, RefusalCode.terminal_unproven)],
    ids=["suspended", "another key"],
)
async def test_who_is_the_terminal_no_longer_by_the_end_of_the_handshake_is_not_let_in(
    hub: Hub,
    terminal: Terminal,
    session: ClientSession,
    happens: Callable[[Hub, Terminal], Awaitable[None]],
    code: RefusalCode,
) -> None:
    class Slow(Agent):
        async def send(self, said: Any) -> None:  # noqa: ANN401 - whatever is said
            if isinstance(said, Proof):
                await happens(hub, terminal)
            await super().send(said)

    async with session.ws_connect(f"{hub.url}{PATH}") as socket:
        agent = Slow(socket, terminal)
        assert await agent.prove() == Refused(code=code)
        assert await agent.closed() == Closing.refused
    assert (await hub.bus.call(read_card(terminal), DEADLINE_S)).code == RefusalCode.terminal_away


@pytest.mark.parametrize("first", ["", "{}", "[]", '{"kind":"proof","signature":""}', "\x00" * 100])
async def test_who_does_not_speak_the_protocol_is_hung_up_on(
    hub: Hub, terminal: Terminal, session: ClientSession, first: str
) -> None:
    async with dialled(session, hub, terminal) as agent:
        await agent.socket.send_str(first)
        assert await agent.closed() == Closing.refused


async def test_who_says_nothing_is_hung_up_on(
    hub: Hub, terminal: Terminal, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "HANDSHAKE_TIMEOUT_S", 0.05)
    async with dialled(session, hub, terminal) as agent:
        assert await agent.closed() == Closing.too_slow


@pytest.mark.parametrize("seqs", [(2,), (1, 1), (1, 3), (0,)], ids=["late", "repeated", "gap", "none"])
async def test_frames_are_counted(hub: Hub, terminal: Terminal, session: ClientSession, seqs: tuple[int, ...]) -> None:
    agent = await Agent.dial(session, hub, terminal)
    frame = '{"seq":%d,"said":{"kind":"reader","connected":true}}'
    for seq in seqs:
        await agent.socket.send_str(frame % seq)
    assert await agent.closed() == Closing.bad_frame


@pytest.fixture
def nothing_is_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slowly this machine takes frames in."""
    monkeypatch.setattr(uplink, "FRAMES_PER_S", 0.001)


async def test_who_says_too_much_is_hung_up_on(
    nothing_is_forgiven: None,  # noqa: ARG001 - before the hub is made
    hub: Hub,
    terminal: Terminal,
    session: ClientSession,
) -> None:
    agent = await Agent.dial(session, hub, terminal)
    for _ in range(uplink.FRAMES_BURST + 50):
        await agent.say(CardEvent(what="removed", insertion=UUID(int=1)))
    assert await agent.closed() == Closing.too_many
