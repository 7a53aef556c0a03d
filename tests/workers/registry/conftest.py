"""A registry that works, and a small world in it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.citizens import MailChoices, RegisterCitizen
from schemas.municipalities import RegisterScheme
from schemas.parties import PartyKind, RegisterParty
from tests.running import running
from tests.workers.registry.asking import ask
from tests.workers.registry.ca import Authority
from tests.workers.registry.offices import authorities, registry_with

NOW = datetime(2017, 10, 2, 3, tzinfo=UTC)
BASE = "232343"
OTHER_BASE = "402117"
NO_SCHEME = "131016"
PARTNER = UUID(int=0xA1)
OTHER_PARTNER = UUID(int=0xA2)
STORE = UUID(int=0xB1)
PARTIES = {PARTNER: PartyKind.partner, OTHER_PARTNER: PartyKind.partner, STORE: PartyKind.store}


@pytest.fixture
async def registry(database_url: str) -> AsyncIterator[HubProcess]:
    async with running(database_url, "registry") as process:
        yield process


@pytest.fixture
async def world(registry: HubProcess) -> HubProcess:
    await open_world(registry)
    return registry


async def open_world(registry: HubProcess) -> None:
    """Two schemes, two partners and a store."""
    for lg_code in (BASE, OTHER_BASE):
        await ask(registry, RegisterScheme(lg_code=lg_code, point_name="ポイント", expiry_rule="none"))
    for party_id, kind in PARTIES.items():
        await ask(registry, RegisterParty(party_id=party_id, kind=kind, name=kind.value))


def citizen(number: int, **changes: object) -> RegisterCitizen:
    """A registration; `number` makes its ids."""
    content: dict[str, object] = {
        "citizen_id": UUID(int=number),
        "mykey_id": f"{number:08d}",
        "name": f"氏名 {number}",
        "mail": f"citizen-{number}@mail.example",
        "base_lg_code": BASE,
        "choices": MailChoices(on_grant=True),
    }
    return RegisterCitizen.model_validate(content | changes)


@pytest.fixture
def clock() -> AdjustableClock:
    return AdjustableClock(NOW)


@pytest.fixture
def issuers(tmp_path: Path) -> list[Authority]:
    return authorities(tmp_path)


@pytest.fixture
def register(tmp_path: Path) -> Path:
    file = tmp_path / "register.json"
    file.write_text("{}")
    return file


@pytest.fixture
async def office(
    database_url: str, tmp_path: Path, clock: AdjustableClock, issuers: list[Authority], register: Path
) -> AsyncIterator[HubProcess]:
    assert issuers
    async with registry_with(database_url, tmp_path, clock, card_register=register) as process:
        await open_world(process)
        yield process
