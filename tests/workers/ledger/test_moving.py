"""`mykey-hub spread`: a partition moves with all that was posted there, and nobody can tell."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import pytest

from hub import branches
from hub.clock import AdjustableClock
from hub.settings import Settings
from schemas.points import BalanceOf, HeldByPool
from tests.running import SECRET_KEY, running, running_without_jobs
from tests.workers.ledger.lives import Lives
from tests.workers.ledger.naive import Rule
from tests.workers.ledger.spread_worker import CITIZENS, POINTS
from tests.workers.ledger.two_databases import (
    AWAY,
    PEOPLE,
    all_that_is_told,
    asked_directly,
    close_days,
    heads,
    is_sound,
    killed_at,
    live,
    posted_ids,
    value,
)
from tests.workers.ledger.world import FOREVER, START, ask, ask_all, citizen, credit, open_pools
from tests.workers.ledger.world_holds import coupon, issue, register, revoke
from workers.ledger import moving
from workers.ledger import moving_statements as statements
from workers.ledger.moving import HubAtWorkError, Move, PartitionTwiceError, PlaceUnknownError, main, spread
from workers.ledger.spread import PartitionOnItsWayError, SameDatabaseError
from workers.ledger.store import PartitionElsewhereError

HERE, THERE = CITIZENS
MEANWHILE: Final = (Rule("scheme:131075", "131075", "none"), Rule(FOREVER, FOREVER.removeprefix("scheme:"), "months:6"))
"""A new scheme, and another rule of one that was there."""
TABLES: Final = ("transfer", "outcome", "lot", "rollup", "hold", "block", "contra", "correction")


class Killed(BaseException):
    """As by SIGKILL, between two transactions."""


def settings(database_url: str, away: dict[str, Any]) -> Settings:
    """Of a hub with both."""
    return Settings.model_validate({"database_url": database_url, "secret_key": SECRET_KEY, **away})


async def partitions_in(url: str) -> set[int]:
    """Whose rows there are."""
    found: set[int] = set()
    for table in TABLES:
        found |= set(await value(url, f"SELECT coalesce(array_agg(DISTINCT partition), '{{}}') FROM ledger.{table}"))  # noqa: S608
    return found


async def begin(database_url: str, clock: AdjustableClock) -> None:
    """Something of everything that moves, in one database."""
    async with running(database_url, "ledger", clock=clock) as process:
        await open_pools(process.database_of("ledger"))
        await register(process, ["a", "b"])
        await ask_all(
            process, credit("1", HERE, 100, FOREVER), credit("2", THERE, 100, FOREVER), coupon("3", THERE, "a")
        )
        await ask_all(process, issue("v", THERE, 10, numbers=["12345678"]), credit("4", citizen(3, 11), 5, FOREVER))
        await ask(process, revoke("r", citizen(3, 11)))


async def test_nobody_can_tell_but_by_where_the_rows_are(
    database_url: str, away_url: str, one_url: str, away: dict[str, Any], clock: AdjustableClock
) -> None:
    """Lived in one database for two weeks, moved, lived on in two; and all of it in one."""
    clock_there = AdjustableClock(START)
    async with running(one_url, "ledger", clock=clock_there) as one:
        await open_pools(one.database_of("ledger"))
        lived_there = Lives(one, clock_there, PEOPLE, seed=7)
        async with running(database_url, "ledger", clock=clock) as before:
            await open_pools(before.database_of("ledger"))
            lived = Lives(before, clock, PEOPLE, seed=7)
            for process, lives in ((before, lived), (one, lived_there)):
                await live(lives, weeks=2)
                await close_days(process)
                await live(lives, weeks=1)
        await spread(settings(database_url, away))
        assert await partitions_in(database_url) == {0, 3}
        assert await partitions_in(away_url) == {11, 15}
        async with running(database_url, "ledger", clock=clock, **away) as after:
            await is_sound(after)
            lived.ledger = after
            for process, lives in ((after, lived), (one, lived_there)):
                await live(lives, weeks=2)
                await close_days(process)
                await live(lives, weeks=1)
            assert lived.posted == lived_there.posted
            assert await all_that_is_told(after, lived) == await all_that_is_told(one, lived_there)
            await is_sound(after)
        assert await heads(database_url, away_url) == await heads(one_url)


async def test_what_must_be_unique_stays_unique(
    database_url: str, away: dict[str, Any], clock: AdjustableClock
) -> None:
    await begin(database_url, clock)
    await spread(settings(database_url, away))
    async with running(database_url, "ledger", clock=clock, **away) as process:
        assert (await ask(process, credit("1", THERE, 100, FOREVER))).code == "id_conflict"
        assert (await ask(process, credit("2", THERE, 100, FOREVER))).replayed
        assert (await ask(process, coupon("7", HERE, "a"))).code == "no_coupon"
        assert (await ask(process, coupon("5", THERE, "b"))).code is None
        assert (await ask(process, issue("w", HERE, 10, numbers=["12345678"]))).code == "no_number"
        assert (await ask(process, credit("6", citizen(3, 11), 5, FOREVER))).code == "citizen_revoked"
        await is_sound(process)


async def test_there_and_to_a_third_and_home_again(
    database_url: str, away_url: str, one_url: str, away: dict[str, Any], clock: AdjustableClock
) -> None:
    """And out once more: what was claimed of each command the first time is in nobody's way."""
    third = {"partition_databases": {"8-11": away_url, "12-15": one_url}}
    other = {"partition_databases": {"8-15": one_url}}
    await begin(database_url, clock)
    for number, (where, former, urls) in enumerate(
        [
            (away, [], [away_url]),
            (third, [], [away_url]),
            (other, [away_url], [one_url]),
            ({}, [one_url], []),
            (away, [], [away_url]),
        ]
    ):
        await spread(settings(database_url, where), former)
        assert [url for url in (away_url, one_url) if await partitions_in(url)] == urls
        async with running(database_url, "ledger", clock=clock, **where) as process:
            await ask_all(process, *(credit(f"n{number}-{n}", CITIZENS[n], 10, FOREVER) for n in (0, 1)))
            assert (await ask(process, credit("1", THERE, 100, FOREVER))).code == "id_conflict"
            assert (await ask(process, issue(f"w{number}", HERE, 10, numbers=["12345678"]))).code == "no_number"
            held = await ask(process, BalanceOf(citizen_id=THERE))
            assert held.by_pool == {FOREVER: 200 + 10 * number}
            await is_sound(process)


async def test_rules_that_changed_meanwhile_are_known_where_partitions_move_to_again(
    database_url: str, away_url: str, away: dict[str, Any], clock: AdjustableClock
) -> None:
    """While no partition lived there, nobody told that database what the registry said."""
    await begin(database_url, clock)
    await spread(settings(database_url, away))
    async with running(database_url, "ledger", clock=clock, **away) as process:
        await ask(process, credit("before", THERE, 5, FOREVER))
    await spread(settings(database_url, {}), [away_url])
    async with running(database_url, "ledger", clock=clock) as process:
        await open_pools(process.database_of("ledger"), MEANWHILE)
    await spread(settings(database_url, away))
    async with running(database_url, "ledger", clock=clock, **away) as process:
        answers = await ask_all(
            process, *(credit(f"{rule.pool}.{who}", who, 5, rule.pool) for rule in MEANWHILE for who in CITIZENS)
        )
        assert {answer.code for answer in answers} == {None}
    rules = "SELECT array_agg((pool, expiry_rule)::text ORDER BY pool) FROM ledger.pool"
    assert await value(away_url, rules) == await value(database_url, rules)


@pytest.mark.parametrize("step", ["_say_where", "_live_there"])
async def test_a_move_that_was_cut_short_goes_on(
    step: str, database_url: str, away: dict[str, Any], clock: AdjustableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await begin(database_url, clock)
    await cut_short(step, settings(database_url, away), monkeypatch)
    if step == "_say_where":
        async with running(database_url, "ledger", clock=clock) as process:
            await ask(process, credit("more", citizen(4, AWAY.start), 5, FOREVER))
    await spread(settings(database_url, away))
    assert await partitions_in(database_url) == {3}
    async with running(database_url, "ledger", clock=clock, **away) as process:
        assert (await ask(process, BalanceOf(citizen_id=THERE))).by_pool == {FOREVER: 190}
        await is_sound(process)


async def cut_short(step: str, told: Settings, monkeypatch: pytest.MonkeyPatch, former: Sequence[str] = ()) -> None:
    """Bring partitions, killed at this step of the first."""

    async def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(moving if step == "empty" else Move, step, killed)
        with pytest.raises(Killed):
            await spread(told, former)


@pytest.mark.parametrize("step", ["_live_there", "empty"])
async def test_a_way_home_that_was_cut_short_goes_on(
    step: str, database_url: str, away_url: str, away: dict[str, Any], clock: AdjustableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await begin(database_url, clock)
    await spread(settings(database_url, away))
    for _ in range(2):
        await cut_short(step, settings(database_url, {}), monkeypatch, [away_url])
    await spread(settings(database_url, {}), [away_url])
    assert await partitions_in(away_url) == set()
    async with running(database_url, "ledger", clock=clock) as process:
        assert (await ask(process, BalanceOf(citizen_id=THERE))).by_pool == {FOREVER: 190}
        await is_sound(process)


@pytest.mark.parametrize("point", ["branches.prepared", "branches.decided"])
async def test_what_a_killed_process_left_in_doubt_is_settled_first(
    point: str, database_url: str, away_url: str, clock: AdjustableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(database_url, "ledger", clock=clock) as process:
        await open_pools(process.database_of("ledger"))
    answered = await asyncio.to_thread(killed_at, f"{point}:2", database_url, away_url)
    monkeypatch.setattr(branches, "DOUBT_S", 0.0)
    with monkeypatch.context() as nobody_is_at_work:
        nobody_is_at_work.setattr(statements, "AT_WORK", "SELECT 0")  # its lease has not ended yet
        await spread(settings(database_url, {}), [away_url])
    async with running_without_jobs(database_url, "ledger", clock=clock) as process:
        posted = await posted_ids(process)
        assert posted == answered | ({str(len(answered))} if point == "branches.decided" else set())
        assert (await ask(process, HeldByPool())).totals == {FOREVER: POINTS * len(posted)}
        await is_sound(process)


async def test_nothing_is_counted_twice_while_a_partition_is_on_its_way(
    database_url: str, away_url: str, clock: AdjustableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are in both; the hub is started as it was before."""
    before, after = ({"partition_databases": {lanes: away_url}} for lanes in ("15", "11-15"))
    await begin(database_url, clock)
    await spread(settings(database_url, before))
    await cut_short("_say_where", settings(database_url, after), monkeypatch)
    async with running(database_url, "ledger", clock=clock, **before) as process:
        with pytest.raises(PartitionOnItsWayError):
            await asked_directly(process, HeldByPool())
    await spread(settings(database_url, after))
    async with running(database_url, "ledger", clock=clock, **after) as process:
        assert (await ask(process, HeldByPool())).totals == {FOREVER: 290}


async def test_again_it_changes_nothing(
    database_url: str, away_url: str, away: dict[str, Any], clock: AdjustableClock
) -> None:
    await begin(database_url, clock)
    await spread(settings(database_url, away))
    ends = await heads(database_url, away_url)
    await spread(settings(database_url, away))
    assert await heads(database_url, away_url) == ends


async def test_nothing_moves_while_the_hub_is_at_work(
    database_url: str, away: dict[str, Any], clock: AdjustableClock
) -> None:
    async with running(database_url, "ledger", clock=clock) as process:
        await ask(process, BalanceOf(citizen_id=THERE))
        with pytest.raises(HubAtWorkError):
            await spread(settings(database_url, away))


async def test_a_partition_that_has_postings_in_both_stays(
    database_url: str, away_url: str, away: dict[str, Any], clock: AdjustableClock
) -> None:
    """The database that the settings name is another hub's."""
    await begin(database_url, clock)
    await begin(away_url, AdjustableClock(START))
    async with running(away_url, "ledger", clock=clock) as process:
        await ask(process, credit("another-hubs", THERE, 1, FOREVER))
    with pytest.raises(PartitionTwiceError):
        await spread(settings(database_url, away))


async def test_the_hubs_own_database_is_no_other_one(database_url: str, clock: AdjustableClock) -> None:
    own = {"partition_databases": {"8-15": f"{database_url}&application_name=the-same"}}
    with pytest.raises(SameDatabaseError):
        await spread(settings(database_url, own))
    async with running(database_url, "ledger", clock=clock, **own) as process:
        with pytest.raises(SameDatabaseError):
            await asked_directly(process, BalanceOf(citizen_id=THERE))
    async with running(database_url, "ledger", clock=clock) as process:
        await open_pools(process.database_of("ledger"))
        assert (await ask(process, credit("1", THERE, 100, FOREVER))).code is None


async def test_a_partition_is_not_looked_for_in_an_empty_database(
    database_url: str, away: dict[str, Any], one_url: str, clock: AdjustableClock
) -> None:
    await begin(database_url, clock)
    await spread(settings(database_url, away))
    wrong = {"partition_databases": {"8-15": one_url}}
    with pytest.raises(PlaceUnknownError):
        await spread(settings(database_url, wrong))
    async with running(database_url, "ledger", clock=clock, **wrong) as process:
        with pytest.raises(PartitionElsewhereError, match="partitions"):
            await asked_directly(process, BalanceOf(citizen_id=THERE))


def test_its_help_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "MYKEY_PARTITION_DATABASES" in capsys.readouterr().out
