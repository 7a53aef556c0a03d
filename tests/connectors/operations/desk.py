"""A hub with its operators' door open, and operators of every role."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, Final
from uuid import UUID, uuid4

from aiohttp import ClientSession

from connectors.operations.acts import Actor, Role
from connectors.operations.component import component
from connectors.operations.operators import HASH_PURPOSE, Operators
from connectors.operations.shapes import OperatorAsked
from connectors.operations.work import Work
from hub.component import Installed
from hub.errors import OutsideDownError, PermanentError
from hub.keys import Keys
from hub.process import HubProcess
from hub.transaction import Transaction
from hub.web.app import Route, make_app
from hub.web.server import Door
from schemas.citizens import CheckMyKeyId
from schemas.message import Envelope
from tests.hub.parts import Probe, at_work, credited, fake, key_in, notice, say
from tests.running import SECRET_KEY
from tests.waiting import wait_until

PROXY: Final = IPv4Network("127.0.0.1/32")
OPERATIONS: Final = Installed("operations", component)
SECRET: Final = "KLMN0123"
"""A MyKey ID, which is in the body of a personal message."""
EXAMPLES: Final = {"id": str(UUID(int=7)), "name": "mail", "fingerprint": "abcdefabcdef"}
ACTS: Final = "SELECT kind, operator, role, via, targets, reason, result FROM operations.act ORDER BY act_id"


@dataclass(frozen=True, slots=True)
class Desk:
    """The door's address, and a token for each role; every operator is called as its role."""

    url: str
    tokens: Mapping[Role, str]
    client: ClientSession
    process: HubProcess

    async def ask(self, role: Role | None, method: str, path: str, body: Any = None) -> tuple[int, Any]:  # noqa: ANN401
        """Status and answer."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.tokens[role]}"}
        async with self.client.request(method, f"{self.url}{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """What a viewer sees."""
        status, answer = await self.ask(Role.viewer, "GET", path)
        assert status == 200, answer
        return answer

    async def do(self, path: str, body: Any, role: Role = Role.supervisor) -> Any:  # noqa: ANN401 - any JSON
        """What comes of an act."""
        status, answer = await self.ask(role, "POST", path, body)
        assert status in {200, 201, 202}, answer
        return answer


@asynccontextmanager
async def desk_at(owner_url: str, *others: Installed) -> AsyncIterator[Desk]:
    """Open the door, in a process with other components."""
    async with at_work(owner_url, OPERATIONS, *others) as process:
        tokens = {role: await added_here(process, role.value, role) for role in Role}
        routes = next(one.routes for one in process.components if one.name == "operations")
        async with Door(make_app(routes, [PROXY]), "127.0.0.1", 0) as door, ClientSession() as client:
            yield Desk(f"http://127.0.0.1:{door.port}/api/operations", tokens, client, process)


async def added_here(process: HubProcess, name: str, role: Role) -> str:
    """The token of an operator who was added on the hub's own machine."""
    operators = Operators(Keys(SECRET_KEY.encode()).hasher(HASH_PURPOSE))
    work = Work(process.database_of("operations"), process, operators)
    added = await work.add_operator(Actor("root", Role.supervisor, "terminal"), OperatorAsked(name=name, role=role))
    return added.token


def plain(route: Route) -> str:
    """A route's path without the patterns of its parameters."""
    parts = [f"{{{part[1:].partition(':')[0]}}}" if part.startswith("{") else part for part in route.path.split("/")]
    return "/".join(parts)


def filled(route: Route) -> str:
    """A route's path with examples for its parameters."""
    return plain(route).format(**EXAMPLES)


async def hold(probe: Probe) -> list[UUID]:
    """Two mails for a server that is down, held; their ids."""

    async def fail(_envelope: Envelope) -> None:
        raise OutsideDownError("no connection", destination="smtp", retry_after_s=3_600)

    async def are_held() -> bool:
        return sum(len(row["message_ids"]) for row in await probe.deliveries("held")) == len(ids)

    mail = fake("mail", outside=fail, destination_of=lambda _message: "smtp")
    async with at_work(probe.url, fake("partner"), mail) as process:
        ids = await say(process, notice(1, key_in(1)), notice(2, key_in(1)))
        await wait_until(are_held)
        await process.drained(deadline_s=10)  # of what is told of the outage
    return ids


async def park(probe: Probe) -> list[UUID]:
    """Three events for mail, the first of them parked, and a personal command that nobody has done; their ids."""

    async def handle(messages: Sequence[Any], _tx: Transaction) -> None:
        if any(message.points == 1 for message in messages):
            raise PermanentError("closed [bold]for[/bold] good")

    personal = CheckMyKeyId(enrolment_id=uuid4(), mykey_id=SECRET)
    async with at_work(probe.url, fake("partner"), fake("mail", handle)) as process:
        ids = await say(process, *(credited(n, key_in(n)) for n in (1, 2, 3)), personal)
        await wait_until(lambda: probe.deliveries("parked"))
        await process.drained(5)
    return ids
