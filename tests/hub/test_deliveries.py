"""What is due is fetched in order, whole, within limits, and always by key."""

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
