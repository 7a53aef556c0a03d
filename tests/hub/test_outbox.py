"""What is said is stored with its transaction, in batches, each receiver and lane by itself."""

from typing import Final

import pytest

from hub.outbox import DELIVERY_LIMIT
from hub.process import HubProcess
from hub.routes import DELIVERED_TO
from schemas.citizens import BaseMunicipalityChosen
from schemas.values import LANES, lane_of
from tests.hub.parts import Probe, at_work, credit, credited, fake, key_in, notice, say, scheme

MESSAGES: Final = "SELECT * FROM hub.message ORDER BY id"


async def test_no_delivery_carries_more_than_the_limit_and_none_is_split_needlessly(probe: Probe) -> None:
    async with at_work(probe.url, fake("registry")) as process:
        ids = await say(process, *(credited(n, key_in(3)) for n in range(2 * DELIVERY_LIMIT + 1)))

    deliveries = await probe.deliveries()
    assert DELIVERY_LIMIT == 500
    assert [len(row["message_ids"]) for row in deliveries] == [DELIVERY_LIMIT, DELIVERY_LIMIT, 1]
    assert [one for row in deliveries for one in row["message_ids"]] == ids


async def test_each_lane_and_each_receiver_gets_its_own(probe: Probe) -> None:
    events = [credited(n, key_in(n)) for n in range(LANES)]
    async with at_work(probe.url, fake("registry")) as process:
        await say(process, *events, scheme(), notice(1, key_in(0)), credit(1, key_in(0)))

    found = sorted((row["receiver"], row["lane"]) for row in await probe.deliveries())
    lane = lane_of(scheme().key())
    assert found == sorted([*(("mail", n) for n in range(LANES)), ("mail.outside", 0), ("ledger", 0), ("ledger", lane)])


async def test_a_message_keeps_what_people_search_by(probe: Probe) -> None:
    event = credited(7)
    async with at_work(probe.url, fake("registry")) as process:
        (message_id,) = await say(process, event)

    (row,) = await probe.connection.fetch(MESSAGES)
    assert row["id"] == row["correlation_id"] == message_id
    assert (row["type"], row["source"]) == (event.TYPE, "registry")
    assert (row["subject"], row["business_key"]) == (event.citizen_id, "c7")
    assert type(event).model_validate_json(row["body"]) == event


async def test_what_is_rolled_back_was_never_said(probe: Probe) -> None:
    async with at_work(probe.url, fake("registry")) as process:
        with pytest.raises(ZeroDivisionError):
            await _say_and_fail(process)

    assert await probe.connection.fetch(MESSAGES) == []
    assert await probe.deliveries() == []


async def _say_and_fail(process: HubProcess) -> None:
    async with process.database_of("registry").transaction() as tx:
        tx.emit(credited(1))
        raise ZeroDivisionError


async def test_an_event_that_nobody_hears_is_stored_all_the_same(probe: Probe) -> None:
    event = BaseMunicipalityChosen(citizen_id=key_in(1), base_lg_code="232343")
    assert DELIVERED_TO[type(event)] == ()
    async with at_work(probe.url, fake("registry")) as process:
        await say(process, event)

    assert len(await probe.connection.fetch(MESSAGES)) == 1
    assert await probe.deliveries() == []
