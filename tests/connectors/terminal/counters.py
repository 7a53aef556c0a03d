"""Counters: a clerk's browser, a real desk in memory with virtual cards behind a real uplink, and people with cards."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from hub.clock import AdjustableClock
from reader_agent.ports import MergeDesk, StreetDesk
from reader_agent.typed_numbers import TypedNumbers
from reader_agent.uplink import Uplink
from schemas.counter import TicketParts, ticket_text, written
from schemas.municipalities import RegisterScheme
from schemas.service_ids import Issuer, IssuerKind, Notification, RegisterIssuer
from schemas.terminals import PlanRow, TerminalKind
from schemas.uplink import NotifyJob, NotifyResult, Outcome
from tests.connectors.terminal.agents import CITY, DEADLINE_S, Hub, Terminal, enrolled, hubs_at
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import Card, JpkiCard
from tests.reader_agent.card.counter import Citizen
from tests.reader_agent.card.in_memory import InMemoryReader, in_memory_desk
from tests.reader_agent.no_merges import NoMerges
from tests.reader_agent.test_uplink import QUICK, who_is
from tests.waiting import wait_until

ISSUER: Final = "000123"
POLL_S: Final = 0.05
"""A browser that asks more often is sent away."""
PASSWORD: Final = "葉桜 quince 17 ぶらんこ"
ROWS: Final = (
    PlanRow(kind=TerminalKind.grant, place="市民課", count=1),
    PlanRow(kind=TerminalKind.service_id, place="中央図書館", issuer_id=ISSUER, count=2),
)


@dataclass
class Clerk:
    """A browser at a counter; `url` is the process it happens to reach."""

    client: ClientSession
    url: str
    token: str = ""

    async def ask(self, method: str, path: str, **body: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        """Status and answer."""
        sent: dict[str, Any] = {"json": body} if body else {}
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.client.request(method, f"{self.url}/api/counter{path}", headers=headers, **sent) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def open(self, ticket: str) -> int:
        """The status of 「窓口を開く」."""
        status, answer = await self.ask("POST", "/sessions", ticket=ticket)
        self.token = answer.get("token", "")
        return status

    async def begin(self, purpose: str, **how: object) -> str:
        """An operation that waits for its card."""
        status, answer = await self.ask("POST", "/operations", purpose=purpose, **how)
        assert status == 202, answer
        return str(answer["operation_id"])

    async def state(self, operation_id: str) -> Any:  # noqa: ANN401 - any JSON
        """How it stands."""
        status, answer = await self.ask("GET", f"/operations/{operation_id}")
        assert status == 200, answer
        return answer

    async def read(self, purpose: str, **how: object) -> str:
        """An operation whose card has proven itself."""
        operation_id = await self.begin(purpose, **how)
        view = await self.ended(operation_id, "waiting")
        assert view["state"] == "proven", view
        return operation_id

    async def ended(self, operation_id: str, state: str, deadline_s: float = DEADLINE_S) -> Any:  # noqa: ANN401 - JSON
        """How it stands once it is no longer so."""

        async def other() -> Any:  # noqa: ANN401 - any JSON
            await asyncio.sleep(POLL_S)
            view = await self.state(operation_id)
            return view if view["state"] != state else None

        return await wait_until(other, deadline_s)

    async def act(self, operation_id: str, step: str, **body: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        """A step of an operation."""
        return await self.ask("POST", f"/operations/{operation_id}/{step}", **body)

    async def done(self, operation_id: str, step: str, **body: Any) -> Any:  # noqa: ANN401 - any JSON
        """One that is not refused."""
        status, answer = await self.act(operation_id, step, **body)
        assert status == 200, answer
        return answer

    def at(self, hub: Hub) -> "Clerk":
        """The same browser, whose next requests reach another process."""
        return Clerk(self.client, hub.url, self.token)

    async def create(self, mykey_id: str, name: str = "氏名 一") -> None:
        """A MyKey ID for whoever's card is in."""
        operation_id = await self.read("create-mykey-id")
        await self.done(operation_id, "check", mykey_id=mykey_id)
        await self.done(operation_id, "create", **creation(mykey_id, name=name))


def creation(mykey_id: str, **changes: object) -> dict[str, object]:
    """The form of a MyKey ID."""
    form: dict[str, object] = {
        "mykey_id": mykey_id,
        "name": "氏名 一",
        "mail": "one@mail.example",
        "password": PASSWORD,
        "base_lg_code": CITY,
        "choices": {"on_mykey_id_change": True},
    }
    return form | changes


@dataclass
class Program:
    """The library's program beside the agent: it notes the numbers that are handed to it."""

    numbers: list[str] = field(default_factory=list)
    outcome: Outcome = Outcome.done

    async def hand_on(self, job: NotifyJob) -> NotifyResult:
        """See reader_agent.ports.Notifier."""
        self.numbers.append(job.number)
        return NotifyResult(job_id=job.job_id, outcome=self.outcome)


@dataclass
class Place:
    """A terminal with its reader, the citizen in front of it, and the clerk behind it."""

    terminal: Terminal
    reader: InMemoryReader
    citizen: Citizen
    program: Program
    clerk: Clerk
    numbers: TypedNumbers
    """Where a street's card is read."""

    def insert(self, card: Card) -> None:
        """Put a card in."""
        self.reader.insert(card)

    def ticket(self, **changes: Any) -> str:  # noqa: ANN401 - what to get wrong
        """As the terminal's agent makes one."""
        return ticket_of(self.terminal, **changes)


def ticket_of(
    terminal: Terminal, key: Ed25519PrivateKey | None = None, at_s: int | None = None, origin: str = ""
) -> str:
    """A ticket, right unless told otherwise."""
    at_s, nonce = int(time.time()) if at_s is None else at_s, secrets.token_bytes(32)
    text = ticket_text(origin or terminal.origin, terminal.terminal_id, at_s, nonce)
    return written(TicketParts(terminal.terminal_id, at_s, nonce, (key or terminal.key).sign(text)))


@dataclass
class Town:
    """Two processes of the hub, a municipal office's terminal, and two of a library."""

    first: Hub
    second: Hub
    office: Place
    library: Place
    branch: Place
    authority: CardAuthority
    database_url: str

    def card(self) -> JpkiCard:
        """A card of somebody who has none yet."""
        return JpkiCard(self.authority.issue())


def anchors(folder: Path, authority: CardAuthority) -> Path:
    """The folder, with the authority's certificates in it."""
    for number, der in enumerate(authority.anchors):
        pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
        (folder / f"generation-{number}.pem").write_bytes(pem)
    return folder


@asynccontextmanager
async def town(
    database_url: str, folder: Path, authority: CardAuthority, clock: AdjustableClock, **settings: object
) -> AsyncIterator[Town]:
    """All of it at work; the first clerk's requests reach the first process, the agents are at the second."""
    hosted = ["registry", "terminal", "ledger"], ["registry", "terminal", "ledger"]
    made: dict[str, Any] = {"card_anchors": anchors(folder, authority), **settings}
    async with AsyncExitStack() as stack:
        first, second = await stack.enter_async_context(hubs_at(clock, database_url, *hosted, **made))
        await open_town(first)
        terminals = await enrolled(first.bus, first.url, rows=ROWS)
        places = [await stack.enter_async_context(place(terminal, first)) for terminal in terminals]
        yield Town(first, second, *_sorted(places), authority, database_url)


def _sorted(places: Sequence[Place]) -> tuple[Place, Place, Place]:
    office, library, branch = places
    return office, library, branch


async def open_town(hub: Hub, **issuer: Any) -> None:  # noqa: ANN401 - the fields of Issuer
    """A scheme, and a library that issues cards."""
    await hub.bus.call(RegisterScheme(lg_code=CITY, point_name="ポイント", expiry_rule="none"), DEADLINE_S)
    fields: dict[str, Any] = {
        "issuer_id": ISSUER, "name": "中央図書館", "kind": IssuerKind.library, "lg_code": CITY,
        "pattern": "[0-9]{12}", "notification": Notification(method="file", target="number.txt"),
    }  # fmt: skip
    await hub.bus.call(RegisterIssuer(issuer=Issuer(**fields | issuer)), DEADLINE_S)


@asynccontextmanager
async def place(
    terminal: Terminal, hub: Hub, merges: MergeDesk | None = None, streets: StreetDesk | None = None
) -> AsyncIterator[Place]:
    """A terminal whose agent is connected, and a browser that its clerk has opened the counter in."""
    states: list[str] = []
    citizen, program, numbers = Citizen(), Program(), TypedNumbers()
    async with in_memory_desk(numbers, card_wait_s=0.3) as (desk, reader), ClientSession() as client:
        uplink = Uplink(who_is(terminal), desk, citizen, program, merges or NoMerges(), states.append, pauses=QUICK)
        if streets is not None:
            uplink.serve_street(streets)
        running = asyncio.create_task(uplink.run())
        try:
            await wait_until(lambda: states[-1:] == ["on"], DEADLINE_S)
            made = Place(terminal, reader, citizen, program, Clerk(client, hub.url), numbers)
            assert await made.clerk.open(made.ticket()) == 201
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
