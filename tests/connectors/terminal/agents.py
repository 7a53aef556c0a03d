"""Hubs that agents connect to, enrolled terminals, and an agent played by hand, frame by frame."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Self
from uuid import UUID, uuid4

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel

from connectors.terminal.component import UPLINK_SIGNER
from demo.ports import free_port
from hub.bus import Bus
from hub.clock import Clock, SystemClock
from hub.installed import installed
from hub.keys import Keys
from hub.process import HubProcess
from hub.serving import serving
from hub.settings import Settings
from schemas.card_jobs import ReadCard
from schemas.terminals import (
    EnrolTerminal,
    FileTerminalPlan,
    IssueTerminals,
    PlanRow,
    TerminalContact,
    TerminalKind,
)
from schemas.uplink import (
    PATH,
    AgentFrame,
    CardJob,
    CardResult,
    Challenge,
    Hello,
    HubFrame,
    Job,
    MergeAnswersTaken,
    Outcome,
    Proof,
    Refused,
    Role,
    StreetCardTold,
    Welcome,
    handshake_text,
)
from tests.running import SECRET_KEY

HOST: Final = "127.0.0.1"
CITY: Final = "232343"
HASH: Final = "$argon2id$v=19$m=1,t=1,p=1$"
CONTACT: Final = TerminalContact(
    name="試験 花子", section="図書館係", phone="03-0000-0000", mail="library@city.example", address="本町1-1"
)
DEADLINE_S: Final = 10.0
RECIPE: Final = "pc-1"
CERTIFICATE: Final = b"a certificate, as far as anybody here knows".ljust(64)
SIGNATURE: Final = bytes(256)


@dataclass(frozen=True)
class Hub:
    """A process with the terminal component behind a door of its own."""

    process: HubProcess
    url: str

    @property
    def bus(self) -> Bus:
        """Asks as any component of this process does."""
        return self.process.bus


@asynccontextmanager
async def hubs(database_url: str, *hosted: Sequence[str], **settings: object) -> AsyncIterator[list[Hub]]:
    """Processes with these components; all are known to the world by the first one's address."""
    async with hubs_at(SystemClock(), database_url, *hosted, **settings) as opened:
        yield opened


@asynccontextmanager
async def hubs_at(
    clock: Clock, database_url: str, *hosted: Sequence[str], **settings: object
) -> AsyncIterator[list[Hub]]:
    """The same, with a clock of the test's."""
    ports = [free_port() for _ in hosted]
    async with AsyncExitStack() as stack:
        opened: list[Hub] = []
        for port, components in zip(ports, hosted, strict=True):
            made = Settings.model_validate(
                {
                    "database_url": database_url, "secret_key": SECRET_KEY, "http_port": port,
                    "public_url": f"http://{HOST}:{ports[0]}", **settings,
                }
            )  # fmt: skip
            served = await stack.enter_async_context(serving(made, clock, installed(components), database_url))
            opened.append(Hub(served.process, f"http://{HOST}:{port}"))
        yield opened


@dataclass(frozen=True)
class Terminal:
    """An enrolled terminal: all that its agent knows."""

    terminal_id: str
    key: Ed25519PrivateKey
    fingerprint: bytes
    values: dict[str, bytes]
    origin: str

    def hello(self) -> Hello:
        """Its first words, with a nonce of their own."""
        return Hello(
            terminal_id=self.terminal_id,
            agent_nonce=secrets.token_bytes(32),
            fingerprint=self.fingerprint,
            value_digests=self.values,
            recipe=RECIPE,
            version="test",
        )


def hub_key() -> str:
    """The key that agents pin, in PEM."""
    return Keys(SECRET_KEY.encode()).signer(UPLINK_SIGNER).verifier.pem


async def enrolled(
    bus: Bus,
    origin: str,
    count: int = 1,
    rows: tuple[PlanRow, ...] = (),
    **changes: Any,  # noqa: ANN401 - of Terminal
) -> list[Terminal]:
    """Terminals taken in by the registry: so many for the use of points, or those of the rows."""
    rows = rows or (PlanRow(kind=TerminalKind.point_use, place="市役所", count=count),)
    count = sum(row.count for row in rows)
    await bus.call(FileTerminalPlan(lg_code=CITY, rows=rows), DEADLINE_S)
    made: list[Terminal] = []
    for first in range(0, count, 50):
        hashes = tuple(f"{HASH}{number}" for number in range(first, min(first + 50, count)))
        issued = await bus.call(IssueTerminals(lg_code=CITY, password_hashes=hashes), DEADLINE_S)
        terminals = [replace(_terminal(one.terminal_id, origin), **changes) for one in issued.terminals]
        issuers = [one.issuer_id for one in issued.terminals]
        enrolling = [enrolment_of(*one) for one in zip(terminals, hashes[: len(terminals)], issuers, strict=True)]
        await bus.call_many(enrolling, DEADLINE_S)
        made += terminals
    return made


def _terminal(terminal_id: str, origin: str) -> Terminal:
    values = {"cpu": secrets.token_bytes(32), "board": secrets.token_bytes(32)}
    return Terminal(terminal_id, Ed25519PrivateKey.generate(), secrets.token_bytes(32), values, origin)


def enrolment_of(terminal: Terminal, password_hash: str, issuer_id: str | None = None) -> EnrolTerminal:
    """Its agent takes its place."""
    return EnrolTerminal(
        terminal_id=terminal.terminal_id,
        password_hash=password_hash,
        public_key=terminal.key.public_key().public_bytes_raw(),
        contact=CONTACT,
        issuer_id=issuer_id,
        fingerprint=terminal.fingerprint,
        value_digests=terminal.values,
        recipe=RECIPE,
    )


class Agent:
    """A connection of an agent played by hand."""

    def __init__(self, socket: ClientWebSocketResponse, terminal: Terminal) -> None:
        self.socket = socket
        self.terminal = terminal
        self.said = 0
        self.heard = 0

    @classmethod
    async def dial(cls, session: ClientSession, hub: Hub, terminal: Terminal) -> Self:
        """Connected and let in."""
        agent = cls(await session.ws_connect(f"{hub.url}{PATH}"), terminal)
        answer = await agent.prove()
        assert isinstance(answer, Welcome), answer
        return agent

    async def prove(self, **changes: Any) -> Welcome | Refused:  # noqa: ANN401 - what to get wrong
        """The handshake, with a `key`, an `origin`, a `hello` or a `proof` that may not be the right one."""
        hello = changes.get("hello", self.terminal.hello())
        await self.send(hello)
        challenge = Challenge.model_validate_json(await self.socket.receive_str())
        text = self.text(Role.hub, hello, challenge)
        hub = load_pem_public_key(hub_key().encode())
        assert isinstance(hub, Ed25519PublicKey)
        hub.verify(challenge.signature, text)
        spoken = replace(self.terminal, origin=changes.get("origin", self.terminal.origin))
        signed = changes.get("key", self.terminal.key).sign(
            Agent(self.socket, spoken).text(Role.agent, hello, challenge)
        )
        await self.send(changes.get("proof", Proof(signature=signed)))
        answer = await self.socket.receive_str()
        return Welcome.model_validate_json(answer) if "welcome" in answer else Refused.model_validate_json(answer)

    def text(self, role: Role, hello: Hello, challenge: Challenge) -> bytes:
        """What is signed."""
        return handshake_text(
            role,
            self.terminal.origin,
            hello.terminal_id,
            challenge.hub_nonce,
            hello.agent_nonce,
            hello.fingerprint,
        )

    async def send(self, said: BaseModel) -> None:
        """Anything."""
        await self.socket.send_str(said.model_dump_json())

    async def say(self, said: Any) -> None:  # noqa: ANN401 - one of FromAgent
        """The next frame."""
        self.said += 1
        await self.send(AgentFrame(seq=self.said, said=said))

    async def job(self) -> Job:
        """The next job, which is the next frame."""
        async with asyncio.timeout(DEADLINE_S):
            frame = HubFrame.model_validate_json(await self.socket.receive_str())
        self.heard += 1
        assert frame.seq == self.heard
        assert not isinstance(frame.said, (MergeAnswersTaken, StreetCardTold))
        return frame.said

    async def card_job(self) -> CardJob:
        """The same, of a card."""
        job = await self.job()
        assert isinstance(job, CardJob)
        return job

    async def closed(self) -> int:
        """Why the hub hangs up."""
        async with asyncio.timeout(DEADLINE_S):
            message = await self.socket.receive()
        assert message.type is WSMsgType.CLOSE, message
        return int(message.data)


def signed(job: CardJob, **changes: Any) -> CardResult:  # noqa: ANN401 - the fields of the result
    """What a card gives, as far as the hub's connector looks."""
    fields: dict[str, Any] = {
        "job_id": job.job_id,
        "outcome": Outcome.done,
        "insertion": uuid4(),
        "certificate": CERTIFICATE,
        "signature": SIGNATURE,
    }
    return CardResult(**{**fields, **changes})


def read_card(terminal: Terminal, **changes: Any) -> ReadCard:  # noqa: ANN401 - the fields of the ask
    """Ask for the card at this terminal."""
    fields: dict[str, Any] = {"operation_id": UUID(int=1), "purpose": "register-service-id"}
    return ReadCard(terminal_id=terminal.terminal_id, **{**fields, **changes})
