"""A dump taken under load and restored into an empty server, by the commands of docs/operations.md."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
import pytest

from hub import migrations
from hub.embedded_postgres import EmbeddedPostgres
from schemas.points import PostingAnswer, PostingCommand
from tests.reliability.cluster import DRAIN_LIMIT_S, Cluster
from tests.reliability.history import History, Key
from tests.reliability.operations import QUICK, backup_folder, content, run_commands, section
from tests.reliability.snapshot import Snapshot, from_postgres
from tests.waiting import wait_until
from workers.ledger.chain import OutcomeRow

ASKED_BEFORE: Final = 150
ASKED_AT_LEAST: Final = 400
SEED: Final = 35
AT_ONCE: Final = 32
WAITING: Final = "SELECT count(*) FROM hub.delivery"


class Dumped(NamedTuple):
    """What must be in a dump: all tables, and the books; `answered` are the requests answered before it began."""

    tables: dict[str, list[bytes]]
    books: Snapshot
    answered: set[Key]


@pytest.fixture
def backup() -> Iterator[Path]:
    with backup_folder() as folder:
        yield folder


@pytest.fixture
def source() -> Iterator[Cluster]:
    """The hub that is dumped, on a server of its own."""
    with EmbeddedPostgres.temporary(QUICK) as server:
        asyncio.run(migrations.migrate(server.url, migrations.installed_sources()))
        made = Cluster(server.url)
        yield made
        made.close()


@pytest.fixture
def empty_server() -> Iterator[str]:
    """The URL of a server on which there is nothing yet, no roles either."""
    with EmbeddedPostgres.temporary(QUICK) as server:
        yield server.url


async def load_and_dump(cluster: Cluster, backup: Path) -> Dumped:
    """Two ledger processes post while the dump is taken, and after it."""
    await cluster.begin()
    await cluster.have_workers()
    dumping = asyncio.ensure_future(dump(cluster, backup))
    enough: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    dumping.add_done_callback(lambda _: enough.set_result(True))
    await cluster.load_until(enough, SEED, ASKED_AT_LEAST)
    await cluster.drain()
    assert await cluster.verdict() == []
    return await dumping


async def dump(cluster: Cluster, backup: Path) -> Dumped:
    """Take the dump, at a moment when something is not delivered yet."""
    await wait_until(lambda: sum(one.answer is not None for one in cluster.history.asked) >= ASKED_BEFORE, 30.0)
    (commands,) = section("A dump")[:1]
    connection = await asyncpg.connect(cluster.url)
    try:
        for _ in range(1_000):
            answered = {one.key for one in cluster.history.asked if one.answer is not None}
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                if not await connection.fetchval(WAITING):
                    continue
                snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
                same = commands.replace("pg_dump ", f"pg_dump --snapshot={snapshot} ")
                await asyncio.to_thread(run_commands, same, BACKUP=backup, MYKEY_DATABASE_URL=cluster.url)
                return Dumped(await content(connection), await from_postgres(connection), answered)
    finally:
        connection.terminate()
    raise AssertionError("never was anything on its way")


async def tables_of(url: str) -> dict[str, list[bytes]]:
    """All tables of a database that nobody works on."""
    connection = await asyncpg.connect(url)
    try:
        return await content(connection)
    finally:
        await connection.close()


def in_order(outcomes: Sequence[OutcomeRow]) -> list[OutcomeRow]:
    """By commit, in each partition."""
    return sorted(outcomes, key=lambda row: (row.partition, row.block, row.number))


async def ask_again(cluster: Cluster, commands: Sequence[PostingCommand]) -> dict[Key, PostingAnswer]:
    """The same requests, in this order."""
    answers: dict[Key, PostingAnswer] = {}
    for first in range(0, len(commands), AT_ONCE):
        some = commands[first : first + AT_ONCE]
        for command, answer in zip(some, await cluster.door.call_many(some, DRAIN_LIMIT_S), strict=True):
            cluster.history.record(command, answer)
            answers[command.party_id, command.command_id] = answer
    return answers


def commands_of(history: History) -> dict[tuple[Key, bytes], PostingCommand]:
    """Every command asked, by its id and content."""
    return {(one.key, one.command.request_hash): one.command for one in history.asked}


async def retry_everything(cluster: Cluster, source: History, outcomes: Sequence[OutcomeRow], dumped: Dumped) -> None:
    """What callers do after a restore: they send all of it again, and have the answers that they had."""
    cluster.history.faults += 1
    await cluster.have_workers()
    await cluster.drain()
    commands = commands_of(source)
    first = [commands.pop(((row.party_id, row.command_id), row.request_hash)) for row in in_order(outcomes)]
    answers = await ask_again(cluster, first)
    await ask_again(cluster, list(commands.values()))
    await cluster.drain()
    assert await cluster.verdict() == []
    before = {(row.party_id, row.command_id) for row in dumped.books.outcomes}
    waiting = {row.lane for row in dumped.books.deliveries if row.receiver == "ledger"}
    after = {key for row in outcomes if (key := (row.party_id, row.command_id)) not in before}
    assert after, "nothing was posted after the dump"
    assert all(answers[key].replayed for key in before)
    # A command that waited in the dump is done first now; it may leave the next of its citizen another balance.
    compared = {(r.party_id, r.command_id) for r in outcomes if r.partition not in waiting} | before
    assert compared & after, "nothing posted after the dump could be compared"
    for key in compared:
        assert answers[key].model_copy(update={"replayed": False}) == source.final[key].model_copy(
            update={"replayed": False}
        )


@pytest.mark.timeout(180)
def test_a_dump_taken_under_load_brings_everything_back(source: Cluster, empty_server: str, backup: Path) -> None:
    dumped = source.run(load_and_dump(source, backup))
    outcomes = source.run(from_postgres(source.owner)).outcomes
    assert dumped.answered <= {(row.party_id, row.command_id) for row in dumped.books.outcomes}
    assert len(dumped.answered) > ASKED_BEFORE / 2

    _, restore, verify = section("A dump")
    names = {"BACKUP": backup, "MYKEY_DATABASE_URL": empty_server}
    run_commands(restore, **names)
    assert asyncio.run(tables_of(empty_server)) == dumped.tables
    assert "everything adds up" in run_commands(verify, **names)

    restored = Cluster(empty_server)
    try:
        restored.run(retry_everything(restored, source.history, outcomes, dumped))
    finally:
        restored.close()
