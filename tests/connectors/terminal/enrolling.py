"""A hub that takes enrolments, a plan in it, and the form that an agent sends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import ClientSession

from connectors.terminal import issuing
from connectors.terminal.enrolment import PREFIX
from connectors.terminal.issuing import HandedOut
from hub.process import HubProcess
from hub.web.app import make_app
from hub.web.server import Door
from schemas.terminals import FileTerminalPlan, PlanRow, TerminalKind
from tests.running import running

CITY: Final = "232343"
ISSUER: Final = "000123"
DEADLINE_S: Final = 10.0
ROWS: Final = (
    PlanRow(kind=TerminalKind.service_id, place="中央図書館", issuer_id=ISSUER, point_use_too=True, count=1),
    PlanRow(kind=TerminalKind.point_use, place="=1+1 美術館", count=1),
)
CONTACT: Final = {
    "name": "試験 花子",
    "section": "図書館係",
    "phone": "03-0000-0000",
    "mail": "library@city.example",
    "address": "本町1-1",
}


@dataclass(frozen=True, slots=True)
class Office:
    """The hub's address, and what was handed out: the library's terminal first."""

    process: HubProcess
    url: str
    client: ClientSession
    handed_out: list[HandedOut]

    async def post(self, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        """Status and answer of the enrolment door."""
        async with self.client.post(f"{self.url}{PREFIX}", json=body) as answer:
            return answer.status, await answer.json()

    def form(self, number: int = 0, **changes: object) -> dict[str, object]:
        """What the agent of a terminal sends."""
        terminal, password = self.handed_out[number]
        return {
            "terminal_id": terminal.terminal_id,
            "one_time_password": password,
            "public_key": "01" * 32,
            "contact": CONTACT,
            "issuer_id": terminal.issuer_id,
            "fingerprint": "02" * 32,
            "value_digests": {"cpu": "03" * 32},
            "recipe": "pc-1",
        } | changes


@asynccontextmanager
async def office(database_url: str) -> AsyncIterator[Office]:
    """A registry and the terminals' door, with a plan issued."""
    async with running(database_url, "registry", "terminal") as process:
        await process.bus.call(FileTerminalPlan(lg_code=CITY, rows=ROWS), DEADLINE_S)
        handed_out = [one async for one in issuing.issue(process.bus, CITY) if isinstance(one, HandedOut)]
        routes = next(one.routes for one in process.components if one.name == "terminal")
        async with Door(make_app(routes), "127.0.0.1", 0) as door, ClientSession() as client:
            yield Office(process, f"http://127.0.0.1:{door.port}", client, handed_out)
