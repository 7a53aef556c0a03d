"""Components made up for tests of the hub: named as in the route table, doing what the test says."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

import asyncpg
from pydantic import BaseModel

from hub.clock import AdjustableClock
from hub.component import Component, Context, Installed, Job, Unasked, no_destination
from hub.database import Row
from hub.process import HubProcess
from hub.routes import ROUTES
from hub.settings import Settings
from hub.transaction import Reading, Transaction
from schemas.message import Command, Envelope, Event, Query
from schemas.municipalities import SchemeRegistered
from schemas.notices import NoticeKind, SendNotice
from schemas.points import Balances, CreditPoints, PointsCredited, PostingAnswer, PostingStatus
from schemas.values import LANES
from tests.running import SECRET_KEY

DAY: Final = date(2017, 10, 2)
PARTY: Final = UUID(int=7)

MAKE: Final = """
CREATE SCHEMA probe;
CREATE TABLE probe.done (
    id bigint GENERATED ALWAYS AS IDENTITY, component text NOT NULL, key uuid NOT NULL, n int NOT NULL
);
GRANT USAGE ON SCHEMA probe TO mykey_component;
GRANT SELECT, INSERT ON probe.done TO mykey_component;
"""
RECORD: Final = """
INSERT INTO probe.done (component, key, n)
SELECT $1, key, n FROM unnest($2::uuid[], $3::int[]) WITH ORDINALITY AS u (key, n, place) ORDER BY place
"""
DONE: Final = "SELECT key, n FROM probe.done WHERE component = $1 ORDER BY id"
DELIVERIES: Final = "SELECT * FROM hub.delivery ORDER BY id"
LEASES: Final = "SELECT owner, lane, epoch FROM hub.lane WHERE receiver = $1 AND owner IS NOT NULL"

Handle: TypeAlias = Callable[[Sequence[Any], Transaction], Coroutine[Any, Any, Sequence[BaseModel] | None]]
Do: TypeAlias = Callable[[Envelope], Coroutine[Any, Any, Unasked | None]]


@dataclass(frozen=True, slots=True)
class Probe:
    """What the test's components did, as committed, seen by the owner of the database."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    url: str

    @classmethod
    async def at(cls, owner_url: str) -> "Probe":
        """Make the table that handlers record in."""
        made = await cls.to(owner_url)
        await made.connection.execute(MAKE)
        return made

    @classmethod
    async def to(cls, owner_url: str) -> "Probe":
        """Where the table is made already; its connection is to be closed."""
        return cls(await asyncpg.connect(owner_url, server_settings={"timezone": "UTC"}), owner_url)

    async def again(self) -> "Probe":
        """Another connection, while this one waits."""
        return await self.to(self.url)

    async def done(self, component: str = "mail") -> list[tuple[UUID, int]]:
        """What was done, (key, number), in the order of the doing."""
        return [(row["key"], row["n"]) for row in await self.connection.fetch(DONE, component)]

    async def numbers(self, component: str = "mail") -> list[int]:
        """The numbers of what was done, in the order of the doing."""
        return [n for _, n in await self.done(component)]

    async def deliveries(self, state: str | None = None) -> list[Row]:
        """What is not done yet."""
        return [row for row in await self.connection.fetch(DELIVERIES) if state in {None, row["state"]}]

    async def owners(self, receiver: str = "mail") -> dict[UUID, int]:
        """Process → how many lanes of the receiver it holds."""
        held = [row["owner"] for row in await self.connection.fetch(LEASES, receiver)]
        return {owner: held.count(owner) for owner in held}


def credited(n: int, key: UUID | None = None) -> PointsCredited:
    """Event number `n`; heard by "mail"."""
    return PointsCredited(
        citizen_id=key or uuid4(),
        party_id=PARTY,
        command_id=f"c{n}",
        pool="reserve",
        points=n,
        balance=n,
        posted_on=DAY,
        expires_on=DAY,
    )


def credit(n: int, key: UUID | None = None) -> CreditPoints:
    """Command number `n`; for "ledger"."""
    return CreditPoints(
        party_id=PARTY,
        command_id=f"c{n}",
        request_hash=bytes(16),
        citizen_id=key or uuid4(),
        pool="reserve",
        points=n,
    )


def notice(n: int, key: UUID | None = None) -> SendNotice:
    """Command number `n`; done by "mail", outside."""
    return SendNotice(
        notice_id=uuid4(),
        citizen_id=key or uuid4(),
        kind=NoticeKind.granted,
        pool="reserve",
        points=n,
        day=DAY,
    )


def scheme() -> SchemeRegistered:
    """An event heard by "ledger" and by "mail"."""
    return SchemeRegistered(lg_code="011002", municipality="札幌市", point_name="札幌ポイント", expiry_rule="none")


def key_in(lane: int) -> UUID:
    """A key of this lane."""
    return UUID(int=uuid4().int // LANES * LANES + lane)


def posted(n: int) -> PostingAnswer:
    """The answer to command number `n`."""
    return PostingAnswer(status=PostingStatus.posted, points=n, posted_on=DAY)


async def record(component: str, messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer] | None:
    """Write down what is handled; commands are answered with their number."""
    numbers = [getattr(message, "points", 0) for message in messages]
    await tx.execute(RECORD, component, [message.key() for message in messages], numbers)
    return [posted(n) for n in numbers] if isinstance(messages[0], Command) else None


async def nothing(_envelope: Envelope) -> None:
    """An outside that always works."""


async def empty(_query: Any, _reading: Reading) -> BaseModel:  # noqa: ANN401 - each its own query
    """An answer to any query."""
    return Balances(by_pool={}, lots=[])


def fake(
    name: str,
    handle: Handle | None = None,
    *,
    outside: Do = nothing,
    outside_limit: int = 1,
    outside_in_turn: bool = False,
    destination_of: Callable[[Any], str | None] = no_destination,
    answer: Any = empty,  # noqa: ANN401 - each its own query
    jobs: Sequence[Job] = (),
) -> Installed:
    """A component of this name that takes whatever is routed to it."""
    mine = {kind: route for kind, route in ROUTES.items() if name in route.receivers}

    def build(_context: Context) -> Component:
        return Component(
            name=name,
            handlers={
                kind: handle or partial(record, name)
                for kind, route in mine.items()
                if not route.outside and not issubclass(kind, Query)
            },
            answers={kind: answer for kind in mine if issubclass(kind, Query)},
            outside={kind: outside for kind, route in mine.items() if route.outside and issubclass(kind, Command)},
            outside_limit=outside_limit,
            outside_in_turn=outside_in_turn,
            destination_of=destination_of,
            jobs=jobs,
        )

    return Installed(name, build)


def at_work(owner_url: str, *components: Installed, **settings: object) -> AbstractAsyncContextManager[HubProcess]:
    """A process with these components on the test's database; enter it to let them work."""
    made = Settings.model_validate({"database_url": owner_url, "secret_key": SECRET_KEY, **settings})
    clock = AdjustableClock(datetime(2017, 10, 2, 3, tzinfo=UTC))
    return HubProcess(made, clock, components, owner_url)


async def say(process: HubProcess, *messages: Command | Event) -> list[UUID]:
    """Say messages in one transaction of the process's first component; returns their ids."""
    async with process.database_of(process.components[0].name).transaction() as tx:
        return [tx.emit(one) if isinstance(one, Event) else tx.send(one) for one in messages]
