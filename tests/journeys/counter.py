"""What the counter's journey is made of: hub processes, agents as they are installed, and who types at their pages."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from aiohttp import ClientError, ClientSession
from cryptography import x509

from demo.ports import free_port
from hub.clock import SystemClock
from hub.component import Component, Context, Installed
from hub.process import HubProcess
from hub.settings import Settings
from schemas.card_jobs import PresenceOf
from schemas.terminals import shown_password
from tests.children import stopped
from tests.connectors.terminal.agents import DEADLINE_S, HOST
from tests.connectors.terminal.counters import Clerk
from tests.connectors.terminal.enrolling import CONTACT
from tests.connectors.terminal.outside import ROOT, TerminalProcess
from tests.peers.card.authority import Identity
from tests.running import SECRET_KEY
from tests.waiting import wait_until
from workers.registry.certificates import generation_of

COMPONENTS: Final = ("registry", "terminal", "library", "ledger")
EACH: Final = 2
PIN: Final = "1234"
HTTP_SEE_OTHER: Final = 303
STOP_LIMIT_S: Final = 10.0
START_LIMIT_S: Final = 30.0
_HIDDEN: Final = re.compile(r'name="(token|job_id)" value="([^"]+)"')


def _nothing(_context: Context) -> Component:
    return Component(name="hub")


@asynccontextmanager
async def worked(database_url: str, port: int, **settings: str) -> AsyncIterator[list[int]]:
    """Two processes of every component, known to the world by `port`; yields the doors of those of the terminal."""
    origin = f"http://{HOST}:{port}"
    started: list[TerminalProcess] = []
    doors: list[int] = []
    try:
        for component in COMPONENTS * EACH:
            door = free_port()
            doors += [door] if component == "terminal" else []
            # One by one: eight that start at once make each other late.
            started.append(await TerminalProcess.start(database_url, door, origin, [component], **settings))
        yield doors
    finally:
        await asyncio.gather(*(one.kill() for one in started))


@asynccontextmanager
async def asking(database_url: str, **settings: str) -> AsyncIterator[HubProcess]:
    """A process that hosts nothing, and asks the others as they ask one another."""
    made = Settings.model_validate({"database_url": database_url, "secret_key": SECRET_KEY, **settings})
    async with HubProcess(made, SystemClock(), [Installed("hub", _nothing)], database_url) as process:
        yield process


@dataclass
class Agent:
    """`mykey-agent run` at a counter, its page, and the citizen who types there."""

    folder: Path
    page: str
    client: ClientSession
    environment: Mapping[str, str]
    typed: int = 0

    @property
    def log(self) -> Path:
        """What it says of itself."""
        return self.folder / "agent.log"

    @property
    def numbers(self) -> Path:
        """Where the library's program looks for a number."""
        return self.folder / "numbers"

    async def enrol(self, terminal_id: str, password: str, issuer_id: str | None) -> None:
        """The form of the agent's page, from the paper that was handed out."""
        form = {**CONTACT, "terminal_id": terminal_id, "one_time_password": shown_password(password)}
        assert await self._post("/enrolment", await self._hidden(), issuer_id=issuer_id or "", **form) == 303

    async def type_pins(self) -> None:
        """Whenever the page asks for it; until cancelled."""
        while True:
            hidden = await self._hidden()
            if "job_id" in hidden:
                self.typed += await self._post("/pin", hidden, secret=PIN) == 303
            await asyncio.sleep(0.02)

    async def type_number(self, number: str) -> bool:
        """A street's card is read by a reader that types, into the agent's page. False where nobody waits for it."""
        return await self._post("/number", await self._hidden(), number=number) == HTTP_SEE_OTHER

    async def ticket(self) -> str:
        """`mykey-agent ticket`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "reader_agent", "--folder", str(self.folder), "ticket", stdout=PIPE, cwd=ROOT
        )  # fmt: skip
        told, _ = await process.communicate()
        assert process.returncode == 0
        return told.decode().strip()

    async def is_up(self) -> bool:
        """Whether the page is there."""
        try:
            return bool(await self._hidden())
        except ClientError:
            return False

    async def _hidden(self) -> dict[str, str]:
        async with self.client.get(f"{self.page}/enrolment") as answer:
            token = dict(_HIDDEN.findall(await answer.text()))
        async with self.client.get(f"{self.page}/") as answer:
            return token | dict(_HIDDEN.findall(await answer.text()))

    async def _post(self, path: str, hidden: Mapping[str, str], **typed: str) -> int:
        async with self.client.post(
            self.page + path, data={**hidden, **typed}, headers={"Origin": self.page}, allow_redirects=False
        ) as answer:
            return answer.status


@asynccontextmanager
async def agent(folder: Path, hub_url: str, environment: Mapping[str, str], *more: str) -> AsyncIterator[Agent]:
    """The agent as it is installed, with a folder of its own; it finds its reader by the environment.

    `more` are further lines of its settings.
    """
    port = free_port()
    _set_up(folder, hub_url, port, more)
    async with ClientSession() as client, AsyncExitStack() as stack:
        made = Agent(folder, f"http://{HOST}:{port}", client, environment)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "reader_agent", "--folder", str(folder), "run",
            stdin=DEVNULL, stderr=stack.enter_context(made.log.open("wb")), cwd=ROOT, env=environment,
        )  # fmt: skip
        try:
            await wait_until(made.is_up, START_LIMIT_S)
            typing = asyncio.create_task(made.type_pins())
            stack.callback(typing.cancel)
            yield made
        finally:
            await stopped(process, STOP_LIMIT_S)


def _set_up(folder: Path, hub_url: str, port: int, more: Sequence[str]) -> None:
    numbers = folder / "numbers"
    numbers.mkdir(parents=True)
    folder.chmod(0o700)
    settings = f'hub_url = "{hub_url}"\npage_port = {port}\nnotify_folder = "{numbers}"\n'
    settings += "".join(f"{line}\n" for line in more)
    (folder / "agent.toml").write_text(settings, encoding="utf-8")


async def connected(hub: HubProcess, terminal_id: str) -> None:
    """Wait until the terminal's agent is, with its reader."""

    async def is_there() -> bool:
        found = (await hub.bus.call(PresenceOf(terminal_ids=[terminal_id]), DEADLINE_S)).terminals.get(terminal_id)
        return found is not None and found.connected and found.has_reader

    await wait_until(is_there, START_LIMIT_S)


async def inserted(hub: HubProcess, terminal_id: str) -> UUID | None:
    """The card that is in, as the hub knows it."""
    return (await hub.bus.call(PresenceOf(terminal_ids=[terminal_id]), DEADLINE_S)).terminals[terminal_id].insertion


async def opened(client: ClientSession, url: str, at: Agent) -> Clerk:
    """A browser in which the clerk has opened the counter."""
    clerk = Clerk(client, url)
    assert await clerk.open(await at.ticket()) == 201
    return clerk


def name_of(identity: Identity) -> str:
    """The certificate as the simulated provider names it."""
    serial = identity.serial
    generation = generation_of(x509.load_der_x509_certificate(identity.authority))
    return f"{generation}/{serial.to_bytes((serial.bit_length() + 7) // 8).hex()}"


def tell(register: Path, old: Identity, new: Identity) -> None:
    """The provider knows that one was issued in place of the other."""
    register.write_text(json.dumps({"successors": {name_of(old): name_of(new)}}), encoding="utf-8")


def median_ms(seconds: list[float]) -> float:
    """Of what was measured."""
    return sorted(seconds)[len(seconds) // 2] * 1e3
