"""Days that are over are closed: summaries read what they were added up to, and nothing is posted on them any more."""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Final

import asyncpg
import pytest
from pydantic import BaseModel

from hub.clock import AdjustableClock
from hub.errors import TransientError
from hub.process import HubProcess
from schemas.settlement import MunicipalSummaryOf, PartnerSummaryOf, PlaceSummaryOf, StoreSummaryOf
from tests.running import running
from tests.workers.ledger.test_audit import verify
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    FESTIVAL,
    FOREVER,
    MONTHLY,
    PREFECTURE,
    START,
    STORE,
    TODAY,
    TOWN,
    ask,
    ask_all,
    citizen,
    credit,
    move,
    open_pools,
    use,
)
from workers.ledger import closing_statements as statements
from workers.ledger.closing import Closing
from workers.ledger.spread import Spread

DAYS: Final = 55
"""From the small world's day into March."""
CLOSED_TABLES: Final = ("closed_day", "closed_month", "day_rollup", "month_rollup")


@pytest.fixture
async def months(ledger: HubProcess, clock: AdjustableClock) -> HubProcess:
    """Credits, moves and uses in several partitions on most days; the last one goes on."""
    await _pass(ledger, clock, [day for day in range(DAYS) if day % 7 != 3])
    return ledger


@pytest.fixture
async def weeks(ledger: HubProcess, clock: AdjustableClock) -> HubProcess:
    """The same on one day a week."""
    await _pass(ledger, clock, range(4, DAYS, 7))
    return ledger


async def _pass(ledger: HubProcess, clock: AdjustableClock, busy: Collection[int]) -> None:
    for day in range(DAYS):
        clock.advance(timedelta(days=1 if day else 0))
        if day in busy:
            await ask_all(
                ledger,
                *(credit(f"a{day}-{lane}", citizen(1, lane), 30 + day) for lane in (0, 1, 2)),
                *(credit(f"c{day}-{lane}", citizen(2, lane), 9, MONTHLY, CARD) for lane in (0, 1)),
                *(move(f"m{day}-{lane}", citizen(1, lane), 4, FESTIVAL if day < 20 else FOREVER) for lane in (0, 2)),
                *(use(f"u{day}-{lane}", citizen(2, lane), 2, MONTHLY) for lane in (0, 1)),
            )


def _closing(process: HubProcess) -> Closing:
    return Closing(Spread(process.database_of("ledger")))


async def _count(process: HubProcess, sql: str) -> int:
    async with process.database_of("ledger").reading() as reading:
        return int(await reading.fetch_value(sql))


async def _summaries(process: HubProcess) -> list[BaseModel]:
    """All views of spans that begin and end before, at, within and after days and months."""
    days = [0, 1, 20, 21, 22, 30, 49, 50, DAYS - 2, DAYS - 1, DAYS + 9]
    spans = [(a, b) for a, b in product([-10, *days], days) if a <= b]
    found: list[BaseModel] = []
    for first, last in spans:
        begin, end = TODAY + timedelta(days=first), TODAY + timedelta(days=last)
        found += [await ask(process, PartnerSummaryOf(party_id=one, first=begin, last=end)) for one in (AIRLINE, CARD)]
        for lg_code in (TOWN, PREFECTURE):
            found.append(await ask(process, MunicipalSummaryOf(lg_code=lg_code, first=begin, last=end)))
            found.append(await ask(process, PlaceSummaryOf(lg_code=lg_code, first=begin, last=end)))
        found.append(await ask(process, StoreSummaryOf(store_id=STORE, first=begin, last=end)))
    return found


async def test_summaries_are_the_same_before_and_after(months: HubProcess, clock: AdjustableClock) -> None:
    before = await _summaries(months)
    await _closing(months).close_days()
    assert await _count(months, "SELECT count(*) FROM ledger.closed_day") == DAYS - 1
    assert await _count(months, "SELECT count(*) FROM ledger.closed_month") == 2
    assert await _summaries(months) == before
    assert (await verify(months)).fault is None
    await ask(months, credit("today", citizen(1), 5))
    clock.advance(timedelta(days=1))
    await _closing(months).close_days()
    assert await _count(months, "SELECT count(*) FROM ledger.closed_day") == DAYS
    assert (await verify(months)).fault is None


async def test_a_closed_month_is_read_instead_of_its_days(
    weeks: HubProcess, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await _closing(weeks).close_days()
    february = PartnerSummaryOf(party_id=AIRLINE, first=date(2026, 2, 1), last=date(2026, 2, 28))
    whole = await ask(weeks, february)
    await _without_triggers(owner)
    await owner.execute("DELETE FROM ledger.day_rollup; DELETE FROM ledger.rollup WHERE day < '2026-03-01'")
    assert await ask(weeks, february) == whole
    assert whole.lines


async def test_two_who_close_at_once_add_up_once(weeks: HubProcess) -> None:
    before = await _summaries(weeks)
    await asyncio.gather(*(_closing(weeks).close_days() for _ in range(3)), return_exceptions=True)
    await _closing(weeks).close_days()
    assert await _count(weeks, "SELECT count(*) FROM ledger.closed_day") == DAYS - 5
    assert await _summaries(weeks) == before
    assert (await verify(weeks)).fault is None


async def test_what_was_shut_and_not_added_up_is_added_up_later(weeks: HubProcess) -> None:
    before = await _summaries(weeks)
    async with weeks.database_of("ledger").transaction() as tx:
        await tx.execute(statements.SHUT, TODAY + timedelta(days=30))
    assert await _summaries(weeks) == before
    await _closing(weeks).close_days()
    assert await _summaries(weeks) == before
    assert (await verify(weeks)).fault is None


@pytest.fixture
async def late(database_url: str) -> AsyncIterator[tuple[HubProcess, AdjustableClock]]:
    """Another process, the clock of which is not yet in the day of the first one's."""
    clock = AdjustableClock(START)
    async with running(database_url, "ledger", clock=clock) as process:
        yield process, clock


async def test_a_late_clock_posts_nothing_on_a_closed_day_and_later_all(
    ledger: HubProcess, clock: AdjustableClock, late: tuple[HubProcess, AdjustableClock]
) -> None:
    other, late_clock = late
    await ask(other, credit("1", citizen(1), 10))
    clock.advance(timedelta(days=1))
    await _closing(ledger).close_days()
    with pytest.raises(TransientError, match=TODAY.isoformat()):
        await ask(other, credit("2", citizen(1), 20))
    assert (await ask(ledger, credit("3", citizen(1), 30))).balances == {"reserve": 40}
    late_clock.advance(timedelta(days=1))
    assert (await ask(other, credit("2", citizen(1), 20))).balances == {"reserve": 60}
    assert (await verify(ledger)).fault is None


async def test_a_clock_that_is_ahead_closes_nothing(database_url: str) -> None:
    clock = AdjustableClock(datetime.now(UTC))
    async with running(database_url, "ledger", clock=clock) as process:
        await open_pools(process.database_of("ledger"))
        await ask(process, credit("1", citizen(1), 10))
        clock.advance(timedelta(days=3))
        await _closing(process).close_days()
        assert await _count(process, "SELECT count(*) FROM ledger.closed_day") == 0
        assert await _count(process, "SELECT count(*) FROM ledger.head WHERE closed_to > '-infinity'") == 0


@pytest.mark.parametrize(
    "sql, table, key, what",
    [
        ("DELETE FROM ledger.closed_day WHERE day = '2026-02-03'", "closed_day", "2026-02-03", "a later day is"),
        ("UPDATE ledger.day_rollup SET points = points + 1 WHERE day = '2026-02-04'", "day_rollup", "2026-02-04/", ""),
        ("DELETE FROM ledger.day_rollup WHERE day = '2026-02-04'", "day_rollup", "2026-02-04/", "it says 0 transfers"),
        ("UPDATE ledger.month_rollup SET transactions = 0", "month_rollup", "2026-01-01/", "and 0 transactions"),
        ("DELETE FROM ledger.month_rollup WHERE month = '2026-02-01'", "month_rollup", "2026-02-01/", "it says 0"),
        ("INSERT INTO ledger.closed_month VALUES ('2026-03-01', now())", "closed_month", "2026-03-01", "not all"),
        ("UPDATE ledger.head SET closed_to = '2026-02-01' WHERE partition = 7", "head", "7", "2026-02-01"),
    ],
)  # fmt: skip
async def test_tampering_with_closed_days_is_named(
    weeks: HubProcess, owner: "asyncpg.Connection[asyncpg.Record]", sql: str, table: str, key: str, what: str
) -> None:
    await _closing(weeks).close_days()
    await _without_triggers(owner)
    await owner.execute(sql)
    fault = (await verify(weeks)).fault
    assert fault is not None
    assert (fault.table, key in fault.key, what in fault.what) == (table, True, True), fault
    assert (await verify(weeks, 1)).fault is None


@pytest.mark.parametrize("table", CLOSED_TABLES)
async def test_what_is_closed_cannot_be_changed(weeks: HubProcess, database_url: str, table: str) -> None:
    await _closing(weeks).close_days()
    connection = await asyncpg.connect(database_url)
    try:
        for sql in (f"DELETE FROM ledger.{table}", f"TRUNCATE ledger.{table}"):  # noqa: S608
            with pytest.raises(asyncpg.RestrictViolationError):
                await connection.execute(sql)
    finally:
        await connection.close()


async def _without_triggers(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    for table in CLOSED_TABLES:
        await owner.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER USER")
