"""A shopping street at work: a hub, the butcher's terminal with its agent, and the street's own program beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from hub.bus import Bus
from hub.clock import AdjustableClock
from hub.keys import Keys
from reader_agent.files.merge_folder import MergeDrop
from reader_agent.street.hub_asking import HubAsking
from schemas.card_jobs import PresenceOf
from schemas.citizens import MailChoices, RegisterCitizen
from schemas.grants import GrantPoints
from schemas.municipalities import RegisterScheme
from schemas.points import BalanceOf
from schemas.service_ids import Issuer, IssuerKind, RegisterIssuer, RegisterServiceId
from schemas.streets import (
    MergeAnswer,
    MergeKey,
    MergeLayout,
    MergesOf,
    MergeView,
    RegisterMergeKey,
    RegisterStreet,
    StartMerge,
    Street,
)
from schemas.terminals import PlanRow, TerminalKind
from schemas.values import scheme_pool
from street_software.settings import Settings
from street_software.store import Store
from street_software.taking import Taken, Taking
from tests.connectors.street.vectors import STREET, key_of
from tests.connectors.terminal.agents import CITY, DEADLINE_S, Hub, enrolled, hubs_at
from tests.connectors.terminal.counters import Place, anchors, place
from tests.peers.card.authority import CardAuthority
from tests.running import SECRET_KEY
from tests.street_software.world import settings_of, street_key
from tests.waiting import wait_until

ISSUER: Final = "000777"
STREET_ID: Final = UUID(int=0x5EE7)
POOL: Final = scheme_pool(CITY)
NUMBER: Final = "520625"
HELD: Final = 1_000
ROWS: Final = (PlanRow(kind=TerminalKind.service_id, place="精肉店", issuer_id=ISSUER, count=1),)
OFFICE: Final = PlanRow(kind=TerminalKind.grant, place="市民課", count=1)
COMPONENTS: Final = ("registry", "terminal", "ledger", "street", "clockwork")


@dataclass
class Town:
    """All of it; `shop` is the terminal, `drop` its agent's merge folder."""

    hub: Hub
    clock: AdjustableClock
    shop: Place
    folder: Path
    layout: MergeLayout
    keys: list[MergeKey] = field(default_factory=list)
    citizen_id: UUID = field(default_factory=uuid4)
    office: Place | None = None
    asking: HubAsking = field(default_factory=HubAsking)
    """What the street's software asks through, at the shop."""

    @property
    def drop(self) -> Path:
        """Where files come in."""
        return self.folder / "drop"

    @property
    def software(self) -> Settings:
        """What the street's program knows."""
        hub_key = Keys(SECRET_KEY.encode()).signer("street.merge").verifier.pem
        return settings_of(self.layout, self.folder, keys=tuple(street_key(key) for key in self.keys), hub_key=hub_key)

    def receive(self, **changes: Any) -> Taken:  # noqa: ANN401 - of Store
        """「合算ポイント受取」."""
        store = Store(self.software.store, **changes)
        try:
            return Taking(self.software, store, self.clock.now).run()
        finally:
            store.close()

    def points(self, number: str = NUMBER) -> int | None:
        """What the street's member has."""
        store = Store(self.software.store)
        try:
            return store.points_of(number)
        finally:
            store.close()

    def files(self) -> list[Path]:
        """The merge files that are there."""
        return sorted(self.drop.glob("*.mpf"))

    async def add_key(self, key: MergeKey) -> str | None:
        """Share a key with the street."""
        self.keys.append(key)
        return (await self.hub.bus.call(RegisterMergeKey(street_id=STREET_ID, merge_key=key), DEADLINE_S)).code

    async def merge(self, points: int = 300, **changes: Any) -> MergeAnswer:  # noqa: ANN401 - of the command
        """As the counter asks for it."""
        command: dict[str, Any] = {
            "merge_id": uuid4(), "issuer_id": ISSUER, "citizen_id": self.citizen_id, "pool": POOL, "points": points,
            "terminal_id": self.shop.terminal.terminal_id, "lg_code": CITY,
        }  # fmt: skip
        return await self.hub.bus.call(StartMerge(**command | changes), 30.0)

    async def held(self) -> tuple[int, int]:
        """The citizen's points: usable, and set aside."""
        found = (await self.hub.bus.call(BalanceOf(citizen_id=self.citizen_id), DEADLINE_S)).pools
        return next(((one.active, one.held) for one in found if one.pool == POOL), (0, 0))

    async def view(self, number: str) -> MergeView:
        """How the merge stands."""
        asked = MergesOf(street_id=STREET_ID, open_only=False, number=number)
        (found,) = (await self.hub.bus.call(asked, DEADLINE_S)).merges
        return found

    async def becomes(self, number: str, state: str) -> MergeView:
        """Wait for it."""

        async def is_so() -> bool:
            return (await self.view(number)).state == state

        await wait_until(is_so, DEADLINE_S)
        return await self.view(number)


@asynccontextmanager
async def town(
    database_url: str,
    folder: Path,
    authority: CardAuthority,
    *,
    office: bool = False,
    **layout: Any,  # noqa: ANN401 - of MergeLayout
) -> AsyncIterator[Town]:
    """With a citizen who holds points and has the street's card; `office`: where MyKey IDs are made."""
    clock = AdjustableClock()
    async with AsyncExitStack() as stack:
        (folder / "drop").mkdir()
        (folder / "anchors").mkdir()
        made: dict[str, Any] = {"card_anchors": anchors(folder / "anchors", authority)}
        (hub,) = await stack.enter_async_context(hubs_at(clock, database_url, list(COMPONENTS), **made))
        await registered(hub.bus, MergeLayout(**layout))
        rows = (*ROWS, OFFICE) if office else ROWS
        terminal, *others = await enrolled(hub.bus, hub.url, rows=rows)
        asking = HubAsking()
        merges = MergeDrop(folder / "drop", folder / "own")
        running = asyncio.create_task(merges.run())
        stack.callback(running.cancel)
        shop = await stack.enter_async_context(place(terminal, hub, merges, asking))
        built = Town(hub, clock, shop, folder, MergeLayout(**layout), asking=asking)
        for one in others:
            built.office = await stack.enter_async_context(place(one, hub))
        assert await built.add_key(_key(built.layout, clock.now())) is None
        await _ready(hub, terminal.terminal_id)
        await citizen(built)
        yield built


def _key(layout: MergeLayout, now: datetime) -> MergeKey:
    return key_of(layout.mode).model_copy(update={"valid_from": now - timedelta(days=1), "valid_to": None})


async def _ready(hub: Hub, terminal_id: str) -> None:
    """The hub knows of the merge folder."""

    async def is_told() -> bool:
        found = (await hub.bus.call(PresenceOf(terminal_ids=[terminal_id]), DEADLINE_S)).terminals
        return found[terminal_id].merge_folder == "ready"

    await wait_until(is_told, DEADLINE_S)


async def citizen(built: Town) -> None:
    """Somebody with the street's card and a thousand points."""
    bus, citizen_id = built.hub.bus, built.citizen_id
    told = RegisterCitizen(
        citizen_id=citizen_id, mykey_id="ABCD2345", name="氏名 一", mail="one@mail.example", base_lg_code=CITY,
        choices=MailChoices(),
    )  # fmt: skip
    assert (await bus.call(told, DEADLINE_S)).code is None
    await has_card(built, citizen_id, NUMBER)
    await grant(built, citizen_id)


async def has_card(built: Town, citizen_id: UUID, number: str) -> None:
    """The street's card is a service ID of the citizen's."""
    registered = RegisterServiceId(
        citizen_id=citizen_id, issuer_id=ISSUER, number=number,
        terminal_id=built.shop.terminal.terminal_id, operation_id=uuid4(),
    )  # fmt: skip
    assert (await built.hub.bus.call(registered, DEADLINE_S)).code is None


async def grant(built: Town, citizen_id: UUID, points: int = HELD) -> None:
    """Points of the municipality, once the ledger has heard of its scheme."""

    async def granted() -> bool:
        command = GrantPoints(
            party_id=UUID(int=9), command_id=f"grant-{uuid4()}", request_hash=bytes(16), citizen_id=citizen_id,
            programme_id=UUID(int=9), pool=POOL, points=points,
        )  # fmt: skip
        return (await built.hub.bus.call(command, DEADLINE_S)).status == "posted"

    await wait_until(granted, DEADLINE_S)


async def registered(bus: Bus, layout: MergeLayout) -> None:
    """The municipality's scheme, the issuer, the street."""
    await bus.call(RegisterScheme(lg_code=CITY, point_name="ポイント", expiry_rule="none"), DEADLINE_S)
    issuer = Issuer(issuer_id=ISSUER, name="本町商店街", kind=IssuerKind.street, lg_code=CITY, pattern="[0-9]{6}")
    await bus.call(RegisterIssuer(issuer=issuer), DEADLINE_S)
    street = Street(street_id=STREET_ID, issuer_id=ISSUER, code=STREET, name="本町商店街", layout=layout)
    assert (await bus.call(RegisterStreet(street=street), DEADLINE_S)).code is None
