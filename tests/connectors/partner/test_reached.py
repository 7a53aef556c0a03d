"""Whether a partner is in order, as an operator asks; and the partners' door while its component is paused."""

from typing import Final
from uuid import UUID, uuid4

import asyncpg

from schemas.connections import ConnectionTested, PartnerReached
from schemas.parties import PartyKind, RegisterParty
from tests.connectors.partner.town import AIRLINE, CARD_COMPANY, DEADLINE_S, STORE, Partner, Town, transfer
from tests.waiting import wait_until

PAUSE: Final = "INSERT INTO hub.pause (component, operator, reason) VALUES ('partner', 'root', 'repair')"


async def reached(town: Town, party_id: UUID) -> ConnectionTested:
    return await town.process.bus.call(PartnerReached(party_id=party_id), DEADLINE_S)


def failed(tested: ConnectionTested) -> list[str]:
    return [step.name for step in tested.steps if not step.ok]


async def test_a_partner_that_has_signed_a_request_is_in_order(hub_town: Town, airline: Partner) -> None:
    await airline.batch(transfer("t-1"))

    tested = await reached(hub_town, AIRLINE)

    assert tested.ok
    assert "airline (ed25519)" in tested.steps[1].detail


async def test_what_is_missing_is_said(hub_town: Town, airline: Partner) -> None:
    await airline.batch(transfer("t-1"))
    no_key = uuid4()
    await hub_town.process.bus.call(
        RegisterParty(party_id=no_key, kind=PartyKind.partner, name="new"), deadline_s=DEADLINE_S
    )

    assert failed(await reached(hub_town, uuid4())) == ["registered as a partner"]
    assert failed(await reached(hub_town, STORE)) == ["registered as a partner"]
    assert failed(await reached(hub_town, no_key)) == ["key registered"]
    assert failed(await reached(hub_town, CARD_COMPANY)) == ["signed request lately"], "the airline's are not its own"


async def test_while_the_connector_is_paused_its_door_says_when_to_come_again(
    hub_town: Town, airline: Partner, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(PAUSE)
        await wait_until(lambda: hub_town.process.pauses.has("partner"))
        answer = await airline.post('{"transfers": []}')
        await connection.execute("DELETE FROM hub.pause")
    finally:
        await connection.close()

    assert (answer.status, answer.json["type"]) == (503, "/api/#problem-unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    await wait_until(lambda: not hub_town.process.pauses.has("partner"))
    (outcome,) = await airline.batch(transfer("t-1"))
    assert outcome["status"] == "posted"
