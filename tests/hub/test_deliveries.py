"""What is due is fetched in order, whole, within limits, and always by key."""

from datetime import timedelta
from typing import Final

import pytest

from hub import deliveries
from hub.deliveries import FETCH_LIMIT, MESSAGES_LIMIT, Place
from tests.hub.parts import Probe, at_work, credited, fake, key_in, say

ANALYZE: Final = "ANALYZE hub.message"
MANY_MESSAGES: Final = """
INSERT INTO hub.message (id, type, source, subject, correlation_id, time, body)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0')
    || '8' || lpad(to_hex(n), 15, '0'))::uuid, 't', 's', gen_random_uuid(), gen_random_uuid(), now(), 'x'
FROM generate_series(1, 50000) AS n
"""
SCHEDULED: Final = "UPDATE hub.delivery SET state = 'scheduled', due_at = now() + $2::interval WHERE id = $1"
SCANNED: Final = "SELECT sum(seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname LIKE 'message_%'"


@pytest.mark.parametrize(
    "sizes,fetched",
    [
        ([3], 3),
        ([1] * 40, FETCH_LIMIT),
        ([500, 500, 500], 500),
        ([400, 100, 12, 1], MESSAGES_LIMIT),
        ([400, 113], 400),
    ],
)
async def test_whole_deliveries_are_fetched_within_the_limits(probe: Probe, sizes: list[int], fetched: int) -> None:
    async with at_work(probe.url, fake("registry")) as process:
        ids = [one for size in sizes for one in await say(process, *(credited(1, key_in(3)) for _ in range(size)))]
        database = process.database_of("registry")
        due = await deliveries.fetch(database, Place("mail", 3, 1), 0)
        rest = await deliveries.fetch(database, Place("mail", 3, 1), due[-1].delivery_id)
        held = {one.message_id: {"type": "brought"} for one in due[::2]}
        brought = await deliveries.fetch_but(database, Place("mail", 3, 1), 0, held)

    assert [one[:-1] for one in brought] == [one[:-1] for one in due]
    assert [one.row["type"] for one in brought[::2]] == ["brought"] * len(held)
    assert [one.row["body"] for one in brought[1::2]] == [one.row["body"] for one in due[1::2]]
    assert [one.message_id for one in due] == ids[:fetched]
    assert [one.message_id for one in rest] == ids[fetched:][: len(rest)]
    assert bool(rest) == (fetched < len(ids))


async def test_a_delivery_beyond_the_limit_is_fetched_all_the_same(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MESSAGES_LIMIT", 10)
    async with at_work(probe.url, fake("registry")) as process:
        await say(process, *(credited(1, key_in(3)) for _ in range(30)))
        due = await deliveries.fetch(process.database_of("registry"), Place("mail", 3, 1), 0)

    assert len(due) == 30


async def test_one_look_tells_what_is_due_where_and_whether_something_is_ripe(probe: Probe) -> None:
    async with at_work(probe.url, fake("registry")) as process:
        database = process.database_of("registry")
        assert await deliveries.lanes_with_work(database, "mail", range(16)) == ({}, False)
        await say(process, credited(1, key_in(3)), credited(2, key_in(5)), credited(3, key_in(7)))
        third, fifth, seventh = [row["id"] for row in await probe.deliveries()]
        await probe.connection.execute(SCHEDULED, seventh, timedelta(hours=1))
        assert await deliveries.lanes_with_work(database, "mail", [3, 5, 7]) == ({3: third, 5: fifth}, False)

        await probe.connection.execute(SCHEDULED, seventh, timedelta(0))
        assert await deliveries.lanes_with_work(database, "mail", [5]) == ({5: fifth}, True)
        assert await deliveries.lanes_with_work(database, "mail", []) == ({}, True)
        assert await deliveries.lanes_with_work(database, "ledger", range(16)) == ({}, False)


async def test_a_day_that_grows_after_its_statistics_were_taken_is_not_scanned(probe: Probe) -> None:
    await probe.connection.execute(ANALYZE)
    async with at_work(probe.url, fake("partner"), pool_size=1) as process:
        database = process.database_of("partner")
        await deliveries.fetch(database, Place("mail", 3, 1), 0)
        await probe.connection.execute(MANY_MESSAGES)
        await say(process, *(credited(1, key_in(3)) for _ in range(500)))
        assert len(await deliveries.fetch(database, Place("mail", 3, 1), 0)) == 500
        async with database.connection() as connection:
            await connection.execute("SELECT pg_stat_force_next_flush()")

    # The search filters of new pages are made from one scan of them; a scan for every message would be 25,000,000.
    assert await probe.connection.fetchval(SCANNED) < 250_000
