"""Processes share a receiver's lanes, give them back when they stop, and take over from one that died."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
import structlog

from hub import failpoints
from hub.database import SESSION, Connection, Database
from hub.process import HubProcess
from hub.transaction import Transaction
from hub.transports import lanes
from schemas.message import Envelope
from schemas.points import PointsCredited
from schemas.values import LANES
from tests.hub.parts import Probe, credited, fake, key_in, notice, record, say
from tests.hub.transports.conftest import Start
from tests.hub.transports.worker import ENDLESS, SHORT, worker
from tests.waiting import wait_until

LEASE_S, RENEW_S = SHORT.values()
OUTSIDE: Final = "mail.outside"
TAKE_OVER_LIMIT_S: Final = LEASE_S + 2 * RENEW_S + 1.0
TAKE_AWAY: Final = """
UPDATE hub.lane SET owner = $2, epoch = epoch + 1, lease_until = now() + interval '1 s'
WHERE receiver = 'mail' AND lane IN (SELECT lane FROM hub.lane WHERE receiver = 'mail' AND lane = $1 FOR UPDATE)
"""
LOCK: Final = "LOCK TABLE hub.lane"
CLOCK_WAS_AHEAD: Final = """
WITH process AS (INSERT INTO hub.process VALUES (gen_random_uuid(), '{mail}', now() + interval '1 h') RETURNING *)
INSERT INTO hub.lane (receiver, lane, owner, epoch, lease_until)
SELECT 'mail', lane, process_id, 7, seen_at FROM process, generate_series(0, 15) AS lane
"""


@pytest.fixture(autouse=True)
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SHORT.items():
        monkeypatch.setattr(lanes, name, value)


def test_the_real_leases_let_others_take_over_within_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    assert lanes.LEASE_S + lanes.RENEW_S <= 10
    assert lanes.RENEW_S * 3 <= lanes.LEASE_S, "one missed renewal must not lose a lane"


async def _shares(probe: Probe, *shares: int) -> bool:
    return sorted((await probe.owners()).values()) == sorted(shares)


async def test_two_processes_share_the_lanes_and_do_everything_once(start: Start, probe: Probe) -> None:
    async with start(fake("registry")) as sender, start(fake("mail")), start(fake("mail")) as second:
        await wait_until(lambda: _shares(probe, LANES // 2, LANES // 2), 6 * RENEW_S)
        for n in range(1, 101):
            await say(sender, credited(n, key_in(n % LANES)))
        await second.drained(10)

    assert sorted(await probe.numbers()) == list(range(1, 101))


async def test_a_slow_transaction_holds_up_no_lease_and_no_other_lane(start: Start, probe: Probe) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(messages: Sequence[PointsCredited], tx: Transaction) -> None:
        await record("mail", messages, tx)
        if messages[0].points == ENDLESS:
            began.set()
            await may_end.wait()

    async with start(fake("registry"), fake("mail", slowly)) as process:
        await say(process, credited(ENDLESS, key_in(6)))
        await asyncio.wait_for(began.wait(), 5)
        kept = process.receivers_of("mail")[0].lanes
        for n in range(1, 4):
            await wait_until(partial(_is_renewed, kept, since_s=time.monotonic()), 6 * RENEW_S)
            await say(process, credited(n, key_in(7)))
            await wait_until(partial(_has_done, probe, n), 6 * RENEW_S)
        may_end.set()
        await process.drained(5)


async def test_lanes_are_let_go_when_their_leases_run_out_also_while_nothing_is_answered(
    start: Start, probe: Probe
) -> None:
    async with start(fake("mail")) as process:
        kept = process.receivers_of("mail")[0].lanes
        await wait_until(lambda: len(kept.epochs) == LANES)
        async with probe.connection.transaction():
            await probe.connection.execute(LOCK)
            await wait_until(lambda: not kept.epochs, LEASE_S + 1.0)
        await wait_until(lambda: len(kept.epochs) == LANES, 6 * RENEW_S)


async def test_a_lock_that_is_not_had_in_time_costs_one_renewal(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SESSION, "lock_timeout", "100ms")
    with structlog.testing.capture_logs() as logs:
        async with start(fake("mail")) as process:
            await wait_until(lambda: len(process.receivers_of("mail")[0].lanes.epochs) == LANES)
            async with probe.connection.transaction():
                await probe.connection.execute(LOCK)
                await wait_until(lambda: "lanes_not_kept" in {one["event"] for one in logs})
            await wait_until(lambda: _shares(probe, LANES), 6 * RENEW_S)
    assert "loop_failed" not in {one["event"] for one in logs}


async def test_a_graceful_stop_ends_what_is_under_way_and_gives_all_lanes_back(start: Start, probe: Probe) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(*_: object) -> None:
        began.set()
        await may_end.wait()

    async with start(fake("registry"), fake("mail", slowly)) as process:
        await say(process, credited(1))
        await asyncio.wait_for(began.wait(), 5)
        asyncio.get_running_loop().call_later(0.2, may_end.set)

    assert await probe.deliveries() == []
    assert await probe.owners() == {}


async def test_who_stops_leaves_its_lanes_to_the_others_at_once(start: Start, probe: Probe) -> None:
    async with start(fake("mail")) as stays:
        async with start(fake("mail")):
            await wait_until(lambda: _shares(probe, LANES // 2, LANES // 2), 6 * RENEW_S)
        await wait_until(lambda: _shares(probe, LANES), 6 * RENEW_S)
        assert list(await probe.owners()) == [stays.process_id]


async def test_who_is_told_to_stop_while_it_wins_lanes_begins_nothing_in_them(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned: list[dict[int, int]] = []
    async with start(fake("registry")) as process:
        await wait_until(lambda: len(process.receivers_of("registry")[0].lanes.epochs) == LANES)
        ours = lanes.Lanes("mail", uuid4(), process.database_of("registry"), lambda: owned.append(ours.epochs))
        monkeypatch.setattr(failpoints, "reach", lambda _lanes_won: ours.let_go())
        keeping = asyncio.create_task(ours.keep())
        await wait_until(lambda: len(owned) > 1)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await ours.release()

    assert not any(owned)


class Cancelled:
    """A database whose server has cancelled what was asked first: it was meant for something before."""

    def __init__(self, database: Database) -> None:
        self._connection = database.connection
        self.asked = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        self.asked += 1
        if self.asked == 1:
            raise asyncpg.QueryCanceledError
        async with self._connection() as connection:
            yield connection


async def test_lanes_are_given_back_also_where_that_has_to_be_said_twice(start: Start, probe: Probe) -> None:
    async with start(fake("registry")) as process:
        await wait_until(lambda: len(process.receivers_of("registry")[0].lanes.epochs) == LANES)
        cancelled = Cancelled(process.database_of("registry"))
        ours = lanes.Lanes("registry", process.process_id, cast("Database", cancelled), lambda: None)
        process.receivers_of("registry")[0].lanes.let_go()
        await ours.release()
        assert cancelled.asked == 2
        assert await probe.owners("registry") == {}


async def test_what_is_under_way_outside_is_not_begun_again_by_whoever_joins(start: Start, probe: Probe) -> None:
    began, may_end = Counter[UUID](), asyncio.Event()

    async def outside(envelope: Envelope) -> None:
        began[envelope.id] += 1
        await may_end.wait()

    async with start(fake("registry"), fake("mail", outside=outside)) as first:
        await say(first, *(notice(n, key_in(n)) for n in range(LANES)))
        await wait_until(lambda: len(began) == LANES)
        async with start(fake("mail", outside=outside)) as second:
            await wait_until(lambda: len(_outside(first).epochs) == LANES // 2, 6 * RENEW_S)
            given_s = time.monotonic()
            await wait_until(lambda: _outside(second).renewed_s > given_s, 6 * RENEW_S)
            assert await probe.owners(OUTSIDE) == {first.process_id: LANES}
            may_end.set()
            await wait_until(lambda: len(_outside(second).epochs) == LANES // 2, 6 * RENEW_S)
        await first.drained(5)
    assert set(began.values()) == {1}


def _outside(process: HubProcess) -> lanes.Lanes:
    (found,) = [one.lanes for one in process.receivers_of("mail") if one.receiver == OUTSIDE]
    return found


async def test_leases_given_by_a_server_whose_clock_was_ahead_hold_nobody_up(start: Start, probe: Probe) -> None:
    await probe.connection.execute(CLOCK_WAS_AHEAD)
    async with start(fake("mail")) as process:

        async def all_are_won() -> bool:
            return await probe.owners() == {process.process_id: LANES}

        await wait_until(all_are_won, 6 * RENEW_S)


async def test_the_lanes_of_a_killed_process_are_taken_over_within_the_lease(
    start: Start, probe: Probe, database_url: str, transport: dict[str, object]
) -> None:
    async with start(fake("registry"), fake("mail")) as process, worker(database_url, transport, "mail") as other:
        await wait_until(lambda: _shares(probe, LANES // 2, LANES // 2), 6 * RENEW_S)
        other.kill()
        await other.wait()
        for n in range(1, 101):
            await say(process, credited(n, key_in(n % LANES)))
        await wait_until(lambda: _shares(probe, LANES), TAKE_OVER_LIMIT_S)
        await process.drained(5)

    assert sorted(await probe.numbers()) == list(range(1, 101))


async def test_a_process_that_was_frozen_beyond_its_lease_does_no_harm_when_it_wakes(
    start: Start, probe: Probe, database_url: str, transport: dict[str, object]
) -> None:
    async with start(fake("registry"), fake("mail")) as process, worker(database_url, transport, "mail") as other:
        await wait_until(lambda: _shares(probe, LANES // 2, LANES // 2), 6 * RENEW_S)
        other.send_signal(signal.SIGSTOP)
        for n in range(1, 51):
            await say(process, credited(n, key_in(n % LANES)))
        await wait_until(lambda: _owns_all(probe, process.process_id), TAKE_OVER_LIMIT_S)
        await process.drained(5)
        other.send_signal(signal.SIGCONT)
        for n in range(51, 101):
            await say(process, credited(n, key_in(n % LANES)))
        await wait_until(lambda: _shares(probe, LANES // 2, LANES // 2), 6 * RENEW_S)
        await process.drained(5)

    assert sorted(await probe.numbers()) == list(range(1, 101))


async def test_a_process_killed_in_the_middle_of_a_transaction_leaves_nothing_of_it(
    start: Start, probe: Probe, database_url: str, transport: dict[str, object]
) -> None:
    async with start(fake("registry")) as sender:
        async with worker(database_url, transport, "mail") as other:
            await say(sender, credited(1, key_in(1)), credited(ENDLESS, key_in(1)), credited(2, key_in(1)))
            await wait_until(lambda: _in_transaction(probe))
            other.kill()
        async with start(fake("mail")) as process:
            await wait_until(lambda: _owns_all(probe, process.process_id), TAKE_OVER_LIMIT_S)
            await process.drained(5)

    assert await probe.numbers() == [1, ENDLESS, 2]


async def test_an_owner_that_lost_its_lane_without_noticing_does_nothing_in_it(start: Start, probe: Probe) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()
    seen: list[int] = []

    async def slowly(messages: Sequence[PointsCredited], _tx: Transaction) -> None:
        seen.extend(message.points for message in messages)
        began.set()
        await may_end.wait()

    async with start(fake("registry"), fake("mail", slowly)) as process:
        await say(process, credited(1, key_in(6)))
        await asyncio.wait_for(began.wait(), 5)
        stranger = uuid4()
        taking = asyncio.create_task(probe.connection.execute(TAKE_AWAY, 6, stranger))
        other = await probe.again()
        await say(process, credited(2, key_in(6)))
        await wait_until(lambda: _waits_for_lock(other))
        may_end.set()
        await taking
        await wait_until(lambda: _owner_of(other, 6, stranger))
        assert seen == [1]
        await process.drained(10)
        await other.connection.close()

    assert seen == [1, 2]


def test_a_frozen_transaction_is_ended_by_the_server_before_long() -> None:
    assert SESSION["idle_in_transaction_session_timeout"] == "20s"


def _is_renewed(kept: lanes.Lanes, since_s: float) -> bool:
    return kept.renewed_s > since_s


async def _has_done(probe: Probe, number: int) -> bool:
    return number in await probe.numbers()


async def _owns_all(probe: Probe, process_id: UUID) -> bool:
    return (await probe.owners()).get(process_id) == LANES


async def _in_transaction(probe: Probe) -> bool:
    return bool(
        await probe.connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
        )
    )


async def _waits_for_lock(probe: Probe) -> bool:
    return bool(
        await probe.connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    )


async def _owner_of(probe: Probe, lane: int, owner: UUID) -> bool:
    found = await probe.connection.fetchval("SELECT owner FROM hub.lane WHERE receiver = 'mail' AND lane = $1", lane)
    return bool(found == owner)
