"""The counter, whole: readers over PC/SC, agents and workers as processes, a library over SIP2, both transports."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession

from connectors.terminal import issuing
from connectors.terminal.issuing import HandedOut
from demo.ports import free_port
from hub.process import HubProcess
from schemas.card_jobs import ReadCard, ReleaseCard
from schemas.cards import ProveCard
from schemas.citizens import CitizenBehind
from schemas.grants import GrantPoints
from schemas.libraries import RegisterLibrarySite
from schemas.terminals import FileTerminalPlan, PlanRow, TerminalKind
from schemas.values import scheme_pool
from tests.connectors.library.systems import simulator, site
from tests.connectors.terminal.agents import CITY, DEADLINE_S, HOST, Hub
from tests.connectors.terminal.counters import ISSUER, POLL_S, Clerk, anchors, open_town
from tests.connectors.terminal.outside import leading_to
from tests.journeys.counter import Agent, agent, asking, connected, inserted, median_ms, opened, tell, worked
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import JpkiCard
from tests.peers.card.pcscd import Pcscd
from tests.peers.card.vpcd import VirtualReader
from tests.waiting import quick_enough, wait_until

NUMBER = "180000000011"
PROGRAMME = UUID(int=9)
ROUNDS = 20
JOURNEY_LIMIT_S = 170
OVER_LIMIT_S = 2.0
"""After a card is pulled, what was begun with it is over."""
ROWS = (
    PlanRow(kind=TerminalKind.grant, place="市民課", count=1),
    PlanRow(kind=TerminalKind.service_id, place="中央図書館", issuer_id=ISSUER, point_use_too=True, count=1),
)


class Counter(NamedTuple):
    """A terminal at work."""

    terminal_id: str
    agent: Agent
    service: Pcscd
    clerk: Clerk

    @property
    def reader(self) -> VirtualReader:
        """Its first one."""
        return self.service.readers[0]


class World(NamedTuple):
    """All that the journey goes through."""

    hub: HubProcess
    office: Counter
    library: Counter
    register: Path


@pytest.fixture(params=["postgres", "rabbitmq"])
async def world(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, pcscd: Pcscd, card_authority: CardAuthority
) -> AsyncIterator[World]:
    over: dict[str, str] = {}
    if request.param == "rabbitmq":
        over = {"transport": "rabbitmq", "amqp_url": request.getfixturevalue("amqp_url")}
    register = tmp_path / "register.json"
    register.write_text("{}")
    origin = free_port()
    settings = {"card_anchors": str(anchors(tmp_path, card_authority)), "card_register": str(register), **over}
    async with AsyncExitStack() as stack:
        doors = await stack.enter_async_context(worked(database_url, origin, **settings))
        await stack.enter_async_context(leading_to(origin, doors))
        hub = await stack.enter_async_context(asking(database_url, **over))
        sip2_port = stack.enter_context(simulator(patrons={NUMBER: "ヤマダ タロウ"}))
        await open_town(Hub(hub, ""), sip2=True)
        await hub.bus.call(RegisterLibrarySite(site=site(sip2_port, issuer_id=ISSUER)), DEADLINE_S)
        await hub.bus.call(FileTerminalPlan(lg_code=CITY, rows=ROWS), DEADLINE_S)
        handed_out = [one async for one in issuing.issue(hub.bus, CITY) if isinstance(one, HandedOut)]
        client = await stack.enter_async_context(ClientSession())
        services = [pcscd, stack.enter_context(Pcscd(poll_ms=20))]
        made = []
        for (terminal, password), service, door in zip(handed_out, services, doors, strict=True):
            at = await stack.enter_async_context(
                agent(tmp_path / terminal.terminal_id, f"http://{HOST}:{origin}", service.environment)
            )
            await at.enrol(terminal.terminal_id, password, terminal.issuer_id)
            await connected(hub, terminal.terminal_id)
            clerk = await opened(client, f"http://{HOST}:{door}", at)
            made.append(Counter(terminal.terminal_id, at, service, clerk))
        office, library = made
        yield World(hub, office, library, register)


@pytest.mark.timeout(JOURNEY_LIMIT_S)
async def test_a_citizens_way_from_the_first_card_to_the_end(
    world: World, card_authority: CardAuthority, capsys: pytest.CaptureFixture[str]
) -> None:
    office, library = world.office, world.library
    card = JpkiCard(card_authority.issue())
    await _insert(world, office, card)
    await office.clerk.create("ABCD2345", name="氏名 太郎")

    await _insert(world, library, card)
    operation_id = await library.clerk.read("register-service-id")
    assert (await library.clerk.state(operation_id))["name"] == "氏名 太郎"
    answer = await library.clerk.done(operation_id, "register", number=NUMBER)
    assert (answer["state"], answer["library"]) == ("confirmed", "known")

    operation_id = await library.clerk.read("look-up-service-id")
    assert (await library.clerk.done(operation_id, "look-up"))["number"] == NUMBER
    (handed_on,) = library.agent.numbers.iterdir()
    assert handed_on.read_text(encoding="utf-8").strip() == NUMBER

    await _pays_with_points(world, library)

    reissued = JpkiCard(card_authority.reissue(card.identity))
    tell(world.register, card.identity, reissued.identity)
    await _insert(world, library, reissued)
    operation_id = await library.clerk.read("look-up-service-id")
    assert (await library.clerk.state(operation_id))["name"] == "氏名 太郎"
    assert (await library.clerk.done(operation_id, "look-up"))["number"] == NUMBER
    await _insert(world, library, card)
    operation_id = await library.clerk.begin("look-up-service-id")
    assert (await library.clerk.ended(operation_id, "waiting"))["code"] in {"card_revoked", "card_superseded"}

    with capsys.disabled():
        print(f"\n{await _round_trips(world, library, reissued)}")  # noqa: T201 - a figure, with -s or without

    await _insert(world, office, reissued)
    operation_id = await office.clerk.read("change-mykey-id")
    offered = await office.clerk.done(operation_id, "offer", attempt=1)
    await office.clerk.done(operation_id, "change", mykey_id=offered["mykey_id"])
    await quick_enough(OVER_LIMIT_S, lambda: _pulled(world, office, reissued))
    await _insert(world, office, reissued)
    operation_id = await office.clerk.read("revoke-mykey-id")
    await office.clerk.done(operation_id, "revoke")
    await _insert(world, library, reissued)
    operation_id = await library.clerk.begin("look-up-service-id")
    assert (await library.clerk.ended(operation_id, "waiting"))["code"] == "card_without_mykey_id"


async def _pays_with_points(world: World, library: Counter) -> None:
    """For what the library asks money for; it is settled with the library's place."""
    citizen_id = (await world.hub.bus.call(CitizenBehind(mykey_id="ABCD2345"), DEADLINE_S)).citizen_id
    assert citizen_id is not None
    granted = GrantPoints(
        party_id=PROGRAMME, command_id="grant-1", request_hash=bytes(16), citizen_id=citizen_id,
        programme_id=PROGRAMME, pool=scheme_pool(CITY), points=500,
    )  # fmt: skip
    assert (await world.hub.bus.call(granted, DEADLINE_S)).code is None
    clerk = library.clerk
    operation_id = await clerk.read("use-points")
    assert [one["points"] for one in (await clerk.done(operation_id, "usable"))["pools"]] == [500]
    receipt = await clerk.done(operation_id, "use", pool=scheme_pool(CITY), points=200)
    assert (receipt["place"], receipt["points"], receipt["left"]) == ("中央図書館", 200, 300)
    period = f"first={receipt['day']}&last={receipt['day']}"
    status, settled = await clerk.ask("GET", f"/settlement?{period}")
    assert (status, settled["transactions"], settled["points"]) == (200, 1, 200)


async def _pulled(world: World, office: Counter, card: JpkiCard) -> float:
    """How long after the card is pulled its operation is over, in seconds."""
    await _insert(world, office, card)
    operation_id = await office.clerk.read("revoke-mykey-id")
    assert (await office.clerk.done(operation_id, "loss"))["points"] == 300
    office.reader.remove()
    began_s = time.monotonic()
    await wait_until(lambda: _is_over(office.clerk, operation_id), every_s=POLL_S)
    return time.monotonic() - began_s


async def _insert(world: World, at: Counter, card: JpkiCard) -> None:
    """Take out what is in, put a card in, and wait until the terminal has told of each."""

    async def is_in() -> bool:
        return await inserted(world.hub, at.terminal_id) is not None

    async def is_out() -> bool:
        return not await is_in()

    try:
        await wait_until(lambda: _is_let_go(at.reader.card), DEADLINE_S)
        at.reader.remove()
        await wait_until(is_out, DEADLINE_S)
        at.reader.insert(card)
        await wait_until(is_in, DEADLINE_S)
    except TimeoutError as error:
        error.add_note(f"the agent: {at.agent.log.read_text()}\npcscd: {at.service.words()}")
        raise


def _is_let_go(card: object) -> bool:
    """Not held any more, in the background of what was done.

    Else pcscd itself, which powers it off, sees first that it is gone, counts that nowhere, and keeps the next card
    from everybody if that comes before it looks again.
    """
    return not isinstance(card, JpkiCard) or not card.is_verified()


async def _is_over(clerk: Clerk, operation_id: str) -> bool:
    return bool((await clerk.state(operation_id))["state"] == "over")


async def _round_trips(world: World, at: Counter, card: JpkiCard) -> str:
    """From the hub's job to the verified answer: with the PIN, and with the card signing again.

    The PIN is typed by a program that looks at the agent's page 50 times a second.
    """
    await _insert(world, at, card)
    operation_id = uuid4()

    async def read(again: object = None) -> tuple[float, object]:
        ask = ReadCard.model_validate(
            {
                "terminal_id": at.terminal_id, "operation_id": operation_id, "purpose": "look-up-service-id",
                "again": again,
            }
        )  # fmt: skip
        began = time.perf_counter()
        answer = await world.hub.bus.call(ask, ask.deadline_s)
        assert answer.proof is not None, answer
        proven = await world.hub.bus.call(ProveCard(proof=answer.proof), DEADLINE_S)
        assert proven.code is None
        return time.perf_counter() - began, answer.proof.insertion

    typed = [await read() for _ in range(ROUNDS)]
    signed = [await read(typed[-1][1]) for _ in range(ROUNDS)]
    release = ReleaseCard(terminal_id=at.terminal_id, operation_id=operation_id)
    await asyncio.wait_for(world.hub.bus.call(release, release.deadline_s), DEADLINE_S)
    typed_ms, signed_ms = (median_ms([seconds for seconds, _ in one]) for one in (typed, signed))
    return f"counter: read-verify-sign {typed_ms:.0f} ms, sign again {signed_ms:.0f} ms (median of {ROUNDS})"
