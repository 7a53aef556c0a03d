"""Day partitions are made ahead, also where messages came first; processes that are gone are forgotten."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import pytest

from hub import maintenance
from hub.deliveries import DONE_OUTSIDE
from hub.ids import uuid7_lower_bound
from hub.maintenance import Maintenance
from tests.hub.parts import Probe, at_work, credited, fake, say
from tests.waiting import wait_until

PARTITIONS: Final = """
SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'hub.message'::regclass ORDER BY c.relname
"""
WHERE_IS: Final = "SELECT tableoid::regclass::text FROM hub.message WHERE id = $1"
PUT: Final = """
INSERT INTO hub.message (id, type, source, subject, correlation_id, time, body)
VALUES ($1, 't', 's', gen_random_uuid(), gen_random_uuid(), now(), '')
"""
PARK: Final = """
INSERT INTO hub.delivery (receiver, lane, state, message_ids, reason, fingerprint)
VALUES ('mail', 0, 'parked', $1, 'broken', 'f')
"""
MILLISECOND: Final = timedelta(milliseconds=1)
SEEN: Final = "INSERT INTO hub.process (process_id, receivers, seen_at) VALUES ($1, '{mail}', now() - $2::interval)"


WAITING: Final = """
SELECT EXISTS (SELECT FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
    WHERE d.datname = current_database() AND relation IS NOT NULL AND NOT granted)
"""
WAY_MADE_WITHIN_S: Final = 5.0
DROP_DAY: Final = "SELECT hub.drop_day('9999-12-31')"


async def _days(probe: Probe) -> list[str]:
    return [row["relname"] for row in await probe.connection.fetch(PARTITIONS)]


def _day(ahead: int) -> str:
    return f"message_{datetime.now(UTC) + timedelta(days=ahead):%Y%m%d}"


def _date(ahead: int) -> date:
    return (datetime.now(UTC) + timedelta(days=ahead)).date()


def _id(ahead: int) -> UUID:
    """A message's id, of some time on that day."""
    instant = (datetime.now(UTC) + timedelta(days=ahead)).replace(hour=12)
    return UUID(int=uuid7_lower_bound(instant).int + 5)


async def test_a_process_that_starts_makes_a_fortnight_ahead(probe: Probe) -> None:
    await probe.connection.execute(f"DROP TABLE IF EXISTS hub.{_day(13)}, hub.{_day(14)}")
    assert _day(14) not in await _days(probe)

    async with at_work(probe.url, fake("registry")):
        await wait_until(lambda: _made(probe, _day(14)))


async def test_it_goes_on_every_few_hours(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "EVERY_S", 0.05)
    await probe.connection.execute(f"DROP TABLE IF EXISTS hub.{_day(14)}")
    async with at_work(probe.url, fake("registry")):
        await wait_until(lambda: _made(probe, _day(14)))
        await probe.connection.execute(f"DROP TABLE hub.{_day(14)}")
        await wait_until(lambda: _made(probe, _day(14)))


async def test_a_message_goes_to_its_day(probe: Probe) -> None:
    async with at_work(probe.url, fake("registry")) as process:
        (message_id,) = await say(process, credited(1))

    assert await probe.connection.fetchval(WHERE_IS, message_id) == f"hub.{_day(0)}"


async def test_messages_that_came_before_their_day_was_made_are_moved_into_it(probe: Probe) -> None:
    early, other = _id(20), _id(30)
    for one in (early, other):
        await probe.connection.execute(PUT, one)
    assert await probe.connection.fetchval(WHERE_IS, early) == "hub.message_default"

    made = await probe.connection.fetchval("SELECT hub.make_days(current_date + 19, current_date + 21)")

    assert made == 3
    assert await probe.connection.fetchval(WHERE_IS, early) == f"hub.{_day(20)}"
    assert await probe.connection.fetchval(WHERE_IS, other) == "hub.message_default"


async def test_making_days_twice_makes_them_once(probe: Probe) -> None:
    async with at_work(probe.url, fake("registry")) as process:
        look = Maintenance(process.database_of("registry"))
        await look.once()
        before = await _days(probe)
        await look.once()

    assert await _days(probe) == before


async def test_old_days_are_dropped_but_for_what_still_waits(probe: Probe) -> None:
    await probe.connection.execute("SELECT hub.make_days(current_date - 45, current_date - 39)")
    gone, kept, waiting = _id(-45), _id(-39), _id(-44)
    for one in (gone, kept, waiting):
        await probe.connection.execute(PUT, one)
        await probe.connection.execute(DONE_OUTSIDE, [one], [1.0])
    await probe.connection.execute(PARK, [waiting])
    async with at_work(probe.url, fake("registry")) as process:
        await Maintenance(process.database_of("registry"), message_days=40).once()

    days = await _days(probe)
    assert [_day(ahead) in days for ahead in (-45, -44, -43, -41, -40, -39)] == [False, True, False, False, True, True]
    done = {row["message_id"] for row in await probe.connection.fetch("SELECT message_id FROM hub.outside_done")}
    assert done == {kept, waiting}
    found = {one: await probe.connection.fetchval(WHERE_IS, one) for one in (gone, kept, waiting)}
    assert found == {gone: None, kept: f"hub.{_day(-39)}", waiting: f"hub.{_day(-44)}"}


async def test_the_last_thirty_days_stay_whoever_asks(probe: Probe) -> None:
    await probe.connection.execute("SELECT hub.make_days(current_date - 31, current_date)")

    assert await probe.connection.fetchval(DROP_DAY) == _date(-31)
    assert await probe.connection.fetchval(DROP_DAY) is None
    assert _day(-30) in await _days(probe)


async def test_a_call_drops_the_oldest_day_that_nothing_waits_for(probe: Probe) -> None:
    await probe.connection.execute("SELECT hub.make_days(current_date - 47, current_date - 45)")
    first, last = (UUID(int=uuid7_lower_bound(at).int) for at in (_midnight(-47), _midnight(-46) - MILLISECOND))
    for waiting in (first, last):
        await probe.connection.execute("DELETE FROM hub.delivery")
        await probe.connection.execute(PARK, [_id(0), waiting])
        async with probe.connection.transaction():
            assert await probe.connection.fetchval(DROP_DAY) == _date(-46)
        await probe.connection.execute("SELECT hub.make_days(current_date - 46, current_date - 46)")


async def test_a_day_that_is_dropped_is_so_whatever_keeps_the_next_one(probe: Probe) -> None:
    await probe.connection.execute("SELECT hub.make_days(current_date - 46, current_date - 45)")
    async with at_work(probe.url, fake("registry")) as process, probe.connection.transaction():
        await probe.connection.execute(f"LOCK TABLE hub.{_day(-45)} IN ACCESS SHARE MODE")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await Maintenance(process.database_of("registry"), message_days=40).once()

        days = await _days(probe)
    assert [_day(ahead) in days for ahead in (-46, -45)] == [False, True]


async def test_a_day_is_not_waited_for_by_all_who_read_messages(probe: Probe) -> None:
    """A dump reads every day until its end; who wants to add one lets the readers behind it go on."""
    await probe.connection.execute(f"DROP TABLE hub.{_day(14)}")
    dump = await asyncpg.connect(probe.url)
    async with at_work(probe.url, fake("registry")) as process:
        await wait_until(lambda: _made(probe, _day(14)))
        await probe.connection.execute(f"DROP TABLE hub.{_day(14)}")
        async with dump.transaction():
            await dump.execute("LOCK TABLE hub.message, hub.message_default IN ACCESS SHARE MODE")
            looking = asyncio.create_task(Maintenance(process.database_of("registry")).once())
            await wait_until(lambda: _somebody_waits(probe))
            await probe.connection.execute("SELECT FROM hub.message LIMIT 1", timeout=WAY_MADE_WITHIN_S)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await looking
        await Maintenance(process.database_of("registry")).once()
    await dump.close()
    assert _day(14) in await _days(probe)


async def _somebody_waits(probe: Probe) -> bool:
    return bool(await probe.connection.fetchval(WAITING))


async def test_a_look_drops_so_many_days_and_the_next_one_goes_on(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "DAYS_DROPPED_LIMIT", 2)
    await probe.connection.execute("SELECT hub.make_days(current_date - 45, current_date - 43)")
    async with at_work(probe.url, fake("registry")) as process:
        look = Maintenance(process.database_of("registry"), message_days=40)
        left = []
        for _ in range(2):
            await look.once()
            days = await _days(probe)
            left.append([ahead for ahead in (-45, -44, -43) if _day(ahead) in days])

    assert left == [[-43], []]


async def test_the_release_before_still_finds_its_own_way_to_drop(probe: Probe) -> None:
    await probe.connection.execute("SELECT hub.make_days(current_date - 46, current_date - 45)")
    asked = [await probe.connection.fetchval("SELECT hub.drop_days('9999-12-31')") for _ in range(3)]

    assert asked == [1, 1, 0]


async def test_without_a_limit_days_are_kept(probe: Probe) -> None:
    await probe.connection.execute("SELECT hub.make_days(current_date - 400, current_date - 400)")
    async with at_work(probe.url, fake("registry")) as process:
        await Maintenance(process.database_of("registry")).once()

    assert _day(-400) in await _days(probe)


async def test_the_edges_of_a_day_are_midnight_in_utc(probe: Probe) -> None:
    midnight = _midnight(2)
    last = UUID(int=uuid7_lower_bound(midnight - MILLISECOND).int)
    for one in (uuid7_lower_bound(midnight), last):
        await probe.connection.execute(PUT, one)

    assert await probe.connection.fetchval(WHERE_IS, uuid7_lower_bound(midnight)) == f"hub.{_day(2)}"
    assert await probe.connection.fetchval(WHERE_IS, last) == f"hub.{_day(1)}"


async def test_processes_not_seen_for_long_are_forgotten(probe: Probe) -> None:
    gone, quiet = uuid4(), uuid4()
    await probe.connection.execute(SEEN, gone, timedelta(hours=2))
    await probe.connection.execute(SEEN, quiet, timedelta(minutes=1))
    async with at_work(probe.url, fake("registry")) as process:
        await Maintenance(process.database_of("registry")).once()

    left = {row["process_id"] for row in await probe.connection.fetch("SELECT process_id FROM hub.process")}
    assert gone not in left
    assert quiet in left


def _midnight(ahead: int) -> datetime:
    return (datetime.now(UTC) + timedelta(days=ahead)).replace(hour=0, minute=0, second=0, microsecond=0)


async def _made(probe: Probe, day: str) -> bool:
    return day in await _days(probe)
