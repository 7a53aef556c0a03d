"""What is asked for a citizen whose MyKey ID another process revokes just then: nothing of it outlives that."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from hub.process import HubProcess
from hub.transaction import Transaction
from schemas.cards import ChooseAddressNotice, ProveCard
from schemas.citizens import LinkCitizen
from schemas.id_links import LinkAccount
from schemas.logins import Confirm, LogInByCard
from schemas.mykey_ids import RevokeMyKeyId
from schemas.service_ids import Issuer, IssuerKind, RegisterIssuer, RegisterServiceId
from tests.waiting import wait_until
from tests.workers.registry.asking import HELD_UP, ask, asked_meanwhile, rows_of
from tests.workers.registry.ca import TERMINAL, Authority, Card
from tests.workers.registry.conftest import BASE, PARTNER
from tests.workers.registry.offices import lifetimes_of, tell
from tests.workers.registry.people import HOME, PASSWORD, created, proof_of, proven, session_of

WAITING = """
SELECT count(*) >= 2 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
Revoking = Callable[[Transaction], Awaitable[object]]
LIBRARY = Issuer(issuer_id="100001", name="図書館", kind=IssuerKind.library, lg_code=BASE, pattern="[0-9]{8}")


@pytest.fixture
def card(issuers: list[Authority]) -> Card:
    return issuers[0].card(1)


@pytest.fixture
async def citizen_id(office: HubProcess, card: Card) -> UUID:
    return await created(office, card, "MYCHOICE")


async def revoking(office: HubProcess, card: Card, citizen_id: UUID) -> Revoking:
    """What another process does, up to its commit."""
    elsewhere = lifetimes_of(office)
    revoke = RevokeMyKeyId(citizen_id=citizen_id, proof_id=await proof_of(office, card, "revoke-mykey-id"))

    async def work(tx: Transaction) -> None:
        (answer,) = await elsewhere.revoke([revoke], tx)
        assert answer.code is None

    return work


@pytest.fixture
async def revoked(office: HubProcess, card: Card, citizen_id: UUID) -> Revoking:
    return await revoking(office, card, citizen_id)


async def test_no_link_is_made(office: HubProcess, revoked: Revoking, citizen_id: UUID, database_url: str) -> None:
    link = LinkCitizen(citizen_id=citizen_id, party_id=PARTNER, link_id="m-1")
    assert (await asked_meanwhile(office, revoked, link)).code == "unknown_citizen"
    assert await rows_of(database_url, "SELECT FROM registry.link") == []


@pytest.mark.usefixtures("citizen_id")
async def test_no_account_is_linked(office: HubProcess, revoked: Revoking, database_url: str) -> None:
    confirm = Confirm(session=await session_of(office, "MYCHOICE"), source=HOME, password=PASSWORD)
    session = (await ask(office, confirm)).session
    assert session is not None
    link = LinkAccount(session=session, party_id=PARTNER, account_hash=bytes(32))
    assert (await asked_meanwhile(office, revoked, link)).code == "no_session"
    assert await rows_of(database_url, "SELECT FROM registry.link") == []


async def test_no_number_is_registered(
    office: HubProcess, revoked: Revoking, citizen_id: UUID, database_url: str
) -> None:
    await ask(office, RegisterIssuer(issuer=LIBRARY))
    register = RegisterServiceId(
        citizen_id=citizen_id,
        issuer_id=LIBRARY.issuer_id,
        number="12345678",
        terminal_id=TERMINAL,
        operation_id=uuid4(),
    )
    assert (await asked_meanwhile(office, revoked, register)).code == "unknown_citizen"
    assert await rows_of(database_url, "SELECT FROM registry.service_id") == []


async def test_nobody_is_logged_in(office: HubProcess, revoked: Revoking, card: Card, database_url: str) -> None:
    log_in = LogInByCard(login_id=uuid4(), proof_id=await proof_of(office, card, "log-in"))
    assert (await asked_meanwhile(office, revoked, log_in)).code == "card_without_mykey_id"
    assert await rows_of(database_url, "SELECT FROM registry.session") == []


async def test_no_serial_is_kept(
    office: HubProcess, revoked: Revoking, card: Card, citizen_id: UUID, database_url: str
) -> None:
    read = await proof_of(office, card, "address-notice", signature_serial="aa01")
    choice = ChooseAddressNotice(citizen_id=citizen_id, wanted=True, proof_id=read)
    assert (await asked_meanwhile(office, revoked, choice)).code == "other_citizen"
    assert await rows_of(database_url, "SELECT FROM registry.address_notice") == []


async def test_a_card_that_is_reissued_just_then_is_released_too(
    office: HubProcess, card: Card, citizen_id: UUID, issuers: list[Authority], register: Path, database_url: str
) -> None:
    confirm = Confirm(session=await session_of(office, "MYCHOICE"), source=HOME, password=PASSWORD)
    session = (await ask(office, confirm)).session
    reissued = issuers[0].card(2)
    tell(register, successors={"/".join(card.name): "/".join(reissued.name)})
    owner = await asyncpg.connect(database_url)
    async with owner.transaction():
        await owner.execute("LOCK TABLE hub.message IN SHARE MODE")
        shown = asyncio.create_task(ask(office, ProveCard(proof=reissued.prove("look-up-service-id"))))
        await wait_until(lambda: owner.fetchval(HELD_UP))
        revoking = asyncio.create_task(ask(office, RevokeMyKeyId(citizen_id=citizen_id, session=session)))
        await wait_until(lambda: owner.fetchval(WAITING))
    await asyncio.wait([shown, revoking])
    await owner.close()
    assert (await revoking).code is None
    assert await rows_of(database_url, "SELECT FROM registry.citizen_card WHERE released_at IS NULL") == []


async def test_no_serial_of_a_reissued_card_is_kept(
    office: HubProcess,
    card: Card,
    citizen_id: UUID,
    issuers: list[Authority],
    register: Path,
    database_url: str,
) -> None:
    read = await proof_of(office, card, "address-notice", signature_serial="aa01")
    await ask(office, ChooseAddressNotice(citizen_id=citizen_id, wanted=True, proof_id=read))
    reissued = issuers[0].card(2)
    tell(register, successors={"/".join(card.name): "/".join(reissued.name)})
    assert (await proven(office, reissued, "look-up-service-id", "tap")).signature_due
    shown = ProveCard(proof=reissued.prove("register-service-id", signature_serial="aa02"))
    revoked = await revoking(office, reissued, citizen_id)
    assert (await asked_meanwhile(office, revoked, shown)).citizen_id is None
    assert await rows_of(database_url, "SELECT FROM registry.address_notice") == []
