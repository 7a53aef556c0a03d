"""Virtual cards for the demo: a peer of its own whose terminals each have one in their reader."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from demo.peers import START_TIMEOUT_S, PeerFailedError, heard, peer, tell
from hub import passwords
from hub.bus import Bus
from schemas.card_jobs import ReadCard
from schemas.cards import ProveCard
from schemas.terminals import (
    PASSWORD_ALPHABET,
    PASSWORD_CHARS,
    FileTerminalPlan,
    IssueTerminals,
    PlanRow,
    TerminalKind,
)

MODULE: Final = "tests.reader_agent.virtual"
MERGING: Final = "tests.reader_agent.merging"
CONNECT_TIMEOUT_S: Final = 60.0
ASK_DEADLINE_S: Final = 60.0
PLACE: Final = "デモ用端末"


class VirtualTerminals:
    """The peer; `anchors` is the folder with the authorities' certificates that a hub has to take its cards by."""

    def __init__(self, process: asyncio.subprocess.Process, anchors: Path) -> None:
        self._process = process
        self.anchors = anchors

    async def open(self, bus: Bus, hub_url: str, lg_code: str, count: int, place: str = PLACE) -> list[str]:
        """Terminal IDs handed out as 様式II does, enrolled and connected: in each reader there is a card."""
        row = PlanRow(kind=TerminalKind.point_use, place=place, count=count)
        handed_out = await _handed_out(bus, lg_code, row)
        await _connected(self._process, hub_url, handed_out)
        return [one["terminal_id"] for one in handed_out]


@asynccontextmanager
async def virtual_terminals(folder: Path, issued_at: datetime) -> AsyncIterator[VirtualTerminals]:
    """The peer's process, with its authorities made; cards are issued at that time. Raises PeerFailedError."""
    arguments = ["--folder", str(folder), "--issued", issued_at.isoformat()]
    async with peer(MODULE, *arguments, stdin=asyncio.subprocess.PIPE) as process:
        said = await heard(process, MODULE, START_TIMEOUT_S)
        yield VirtualTerminals(process, Path(said["anchors"]))


@asynccontextmanager
async def street_terminal(folder: Path) -> AsyncIterator["StreetTerminal"]:
    """A street's terminal, whose agent drops merge files in `folder/drop`."""
    async with peer(MERGING, "--folder", str(folder), stdin=asyncio.subprocess.PIPE) as process:
        yield StreetTerminal(process)


class StreetTerminal:
    """The peer; it starts while the street is being registered."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def open(self, bus: Bus, hub_url: str, lg_code: str, issuer_id: str) -> str:
        """Its terminal ID, once it is enrolled and connected. Raises PeerFailedError."""
        row = PlanRow(kind=TerminalKind.service_id, place=PLACE, issuer_id=issuer_id, count=1)
        handed_out = await _handed_out(bus, lg_code, row)
        await _connected(self._process, hub_url, handed_out)
        return handed_out[0]["terminal_id"]


async def _handed_out(bus: Bus, lg_code: str, row: PlanRow) -> list[dict[str, str]]:
    drawn = ["".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_CHARS)) for _ in range(row.count)]
    await bus.call(FileTerminalPlan(lg_code=lg_code, rows=(row,)), ASK_DEADLINE_S)
    hashes = await asyncio.gather(*map(passwords.hashed, drawn))
    issued = await bus.call(IssueTerminals(lg_code=lg_code, password_hashes=tuple(hashes)), ASK_DEADLINE_S)
    if len(issued.terminals) != row.count:
        raise PeerFailedError(f"{MODULE}: {issued.code}")
    return [
        {"terminal_id": one.terminal_id, "one_time_password": password}
        | ({} if row.issuer_id is None else {"issuer_id": row.issuer_id})
        for one, password in zip(issued.terminals, drawn, strict=True)
    ]


async def _connected(process: asyncio.subprocess.Process, hub_url: str, handed_out: list[dict[str, str]]) -> None:
    tell(process, {"hub_url": hub_url, "terminals": handed_out})
    await heard(process, MODULE, CONNECT_TIMEOUT_S)


async def proof_of(bus: Bus, terminal_id: str, purpose: str) -> ProveCard:
    """What the card in this terminal proves, as it is told to the registry. Raises PeerFailedError."""
    ask = ReadCard(terminal_id=terminal_id, operation_id=uuid4(), purpose=purpose)
    answer = await bus.call(ask, ask.deadline_s)
    if answer.proof is None:
        raise PeerFailedError(f"{MODULE}: {answer.code or answer.outcome}")
    return ProveCard(proof=answer.proof)
